"""Going on from the last chunk, on Gaussian chunks, where all of it is known in closed form."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from steadyhand.diffusion import solvers
from steadyhand.diffusion.ddpm import DDPM
from steadyhand.diffusion.flow import Flow
from steadyhand.diffusion.guidance import Guided, Inpainted, Prefixed, WarmStart
from steadyhand.diffusion.sampler import Sampler
from steadyhand.diffusion.shapes import Overlap
from steadyhand.diffusion.spacing import trailing
from steadyhand.errors import ConfigurationError
from steadyhand.methods.regression import Regression
from steadyhand.nets.dit import DiffusionTransformer
from steadyhand.nets.mlp import ResidualMLP
from steadyhand.nets.transformer import Transformer
from steadyhand.nets.unet import UNet1d

H, A = 6, 2
N = H * A
RANDOM = np.random.default_rng(0)
ROWS = np.arange(N) // A
COVARIANCE = (
    0.4
    * 0.8 ** np.abs(ROWS[:, None] - ROWS[None, :])
    * (0.7 * (np.arange(N)[:, None] % A == np.arange(N)[None, :] % A) + 0.3)
)
MEAN = 0.3 * np.sin(np.arange(N))
REST = RANDOM.normal(size=N)
WEIGHTS = np.array([1.0, 1.0, 0.7, 0.2, 0.0, 0.0])
WAYS = {
    "ddpm": (DDPM(prediction="v"), solvers.ddpm, 12),
    "ddim": (DDPM(), solvers.ddim, 8),
    "ddim with noise": (DDPM(), lambda p, t: solvers.ddim(p, t, eta=0.5), 8),
    "dpmpp_2m": (DDPM(prediction="sample"), solvers.dpmpp_2m, 7),
    "sde_dpmpp_2m": (DDPM(prediction="v"), solvers.sde_dpmpp_2m, 7),
    "flow": (Flow(), solvers.euler, 6),
    "flow, dpmpp_2m": (Flow(prediction="sample"), solvers.dpmpp_2m, 6),
}


class Exact(nn.Module):
    """The network that has learned N(mean, covariance) by heart: an affine map of x."""

    def __init__(self, process, covariance=COVARIANCE, mean=MEAN) -> None:
        super().__init__()
        self.process, self.covariance, self.mean = process, covariance, mean

    def forward(self, x: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        time = t[:1].numpy() / (100 if self.process.train_steps is None else 1)
        (alpha,), (sigma,) = self.process.path(time)
        (p,), (q,) = self.process.target(time)
        gain, offset = posterior(alpha, sigma, self.covariance, self.mean)
        x0 = x.flatten(1) @ torch.from_numpy(gain.T) + torch.from_numpy(offset)
        x0 = x0.unflatten(1, (H, A))
        return p * x0 + q * (x - alpha * x0) / sigma


def posterior(alpha, sigma, covariance, mean):
    """E[x0 | x] = gain·x + offset."""
    gain = alpha * covariance @ np.linalg.inv(alpha**2 * covariance + sigma**2 * np.eye(N))
    return gain, mean - alpha * gain @ mean


def by_hand(process, solver, steps, beta=5.0, covariance=COVARIANCE, mean=MEAN, weights=WEIGHTS):
    """(mean, covariance) of guided samples: the formulas of the papers, as matrices."""
    times = trailing(process, steps)
    table = solver(process, times)
    weigh = np.diag(np.repeat(weights, A))
    # The state is affine in the draws: x = X·(1, noise, z_1, …), a matrix of N rows.
    draws = 1 + N * (steps + 1)
    x = np.zeros((N, draws))
    x[:, 1 : 1 + N] = np.eye(N)
    before = None
    for step, (alpha, sigma) in enumerate(zip(*process.path(times), strict=True)):
        gain, offset = posterior(alpha, sigma, covariance, mean)
        x0 = gain @ x
        x0[:, 0] += offset
        error = -weigh @ x0
        error[:, 0] += weigh @ REST
        r2 = sigma**2 / (alpha**2 + sigma**2)
        strength = beta if alpha == 0 else min(beta, sigma / (alpha * r2))
        pull = strength * gain.T @ error
        eps = (x - alpha * x0) / sigma - alpha * pull
        x0 = x0 + sigma * pull
        a, b, c, d, e = table[step]
        x = a * x + b * x0 + c * (x0 if before is None else before) + d * eps
        x[:, 1 + N * (step + 1) : 1 + N * (step + 2)] += e * np.eye(N)
        before = x0
    return x[:, 0], x[:, 1:] @ x[:, 1:].T


def drawn(module, count: int = 1, seed: int = 0):
    """(noise, condition, step noise, previous) for `count` chunks, in float64."""
    generator = torch.Generator().manual_seed(seed)
    kind = {"generator": generator, "dtype": torch.float64}
    noise = torch.randn(count, H, A, **kind)
    fresh = torch.randn(count, module.steps, H, A, **kind)
    rows = torch.from_numpy(REST).view(1, H, A).expand(count, -1, -1)
    weights = torch.from_numpy(WEIGHTS).expand(count, -1)
    condition = torch.zeros(count, 1, 1, dtype=torch.float64)
    return noise, condition, fresh if module.stochastic else None, Overlap(rows, weights)


def moments(module, weights=WEIGHTS):
    """(mean, covariance) of what an affine sampler draws: its answer to every unit draw."""
    stacked = 1 + N * (1 + (module.steps if module.stochastic else 0))
    units = torch.eye(stacked, dtype=torch.float64)[:, 1:].unflatten(1, (-1, H, A))
    rows = torch.from_numpy(REST).view(1, H, A).expand(stacked, -1, -1)
    overlap = Overlap(rows, torch.from_numpy(weights).expand(stacked, -1))
    condition = torch.zeros(stacked, 1, 1, dtype=torch.float64)
    fresh = units[:, 1:] if module.stochastic else None
    with torch.no_grad():
        answers = module(units[:, 0], condition, fresh, overlap).flatten(1).numpy()
    linear = (answers[1:] - answers[0]).T
    return answers[0], linear @ linear.T


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("beta", [5.0, 1e9])
@pytest.mark.filterwarnings("ignore:Where sampling begins")
def test_guided_chunks_have_the_mean_and_covariance_of_the_formulas(way, beta) -> None:
    process, solver, steps = WAYS[way]
    found = moments(Guided(Sampler(Exact(process), process, solver, steps), beta))
    wanted = by_hand(process, solver, steps, beta)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    plain = by_hand(process, solver, steps, weights=0 * WEIGHTS)
    assert np.abs(wanted[0] - plain[0]).max() > 0.05, "the guidance does something here"


@pytest.mark.parametrize("way", ["ddpm", "flow", "dpmpp_2m"])
@pytest.mark.filterwarnings("ignore:Where sampling begins")
def test_independent_rows_get_the_true_conditional(way) -> None:
    # With unit covariance the approximation of pseudo-inverse guidance is exact: rows of weight 1
    # become what they are to be, the others stay as they were.
    process, solver, _ = WAYS[way]
    sampler = Sampler(Exact(process, np.eye(N), 0 * MEAN), process, solver, 50)
    hard = (WEIGHTS == 1).astype(float)
    mean, covariance = moments(Guided(sampler, 1e9), hard)
    held = np.repeat(hard, A)
    np.testing.assert_allclose(mean, held * REST, atol=0.03)
    np.testing.assert_allclose(covariance, np.diag(1 - held), atol=0.1)


def test_correlated_rows_follow_what_is_given_and_inpainted_ones_hold_it() -> None:
    process, hard = Flow(), (WEIGHTS == 1).astype(float)
    sampler = Sampler(Exact(process), process, solvers.euler, 50)
    known, rest = np.repeat(hard, A) == 1, np.repeat(hard, A) == 0
    onto = COVARIANCE[np.ix_(rest, known)] @ np.linalg.inv(COVARIANCE[np.ix_(known, known)])
    true = MEAN[rest] + onto @ (REST - MEAN)[known]
    guided, _ = moments(Guided(sampler, 1e9), hard)
    inpainted, _ = moments(Inpainted(sampler), hard)
    np.testing.assert_allclose(inpainted[known], REST[known], atol=1e-12)
    off = {
        "plain": np.abs(MEAN[rest] - true).max(),
        "guided": np.abs(guided[rest] - true).max(),
        "inpainted": np.abs(inpainted[rest] - true).max(),
    }
    assert off["guided"] < 0.5 * off["plain"], off
    assert off["inpainted"] < off["plain"], off


NETWORKS = {
    "mlp": lambda **k: ResidualMLP(width=16, blocks=1, **k),
    "unet": lambda **k: UNet1d(widths=(8, 16), groups=4, step_width=8, **k),
    "transformer": lambda **k: Transformer(width=16, layers=1, heads=2, **k),
    "causal transformer": lambda **k: Transformer(
        width=16, layers=1, heads=2, row_times=range(H), token_times=(-1, 0), **k
    ),
    "dit": lambda **k: DiffusionTransformer(width=16, layers=1, heads=2, **k),
}


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    made = NETWORKS[name](horizon=H, action_size=A, condition_shape=(2, 3)).double()
    for parameter in made.parameters():  # what begins at zero would have no gradient
        parameter.data = 0.4 * torch.randn_like(parameter)
    return made


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("process", [Flow(), DDPM(prediction="v")], ids=["flow", "ddpm"])
def test_the_pull_is_the_gradient_through_the_network(name, process) -> None:
    sampler = Sampler(network(name), process, solvers.ddim, 3, clip=1e6)
    noise, _, _, previous = drawn(sampler, 2)
    condition = torch.randn(2, 2, 3, dtype=torch.float64)
    seen: list[tuple[Tensor, Tensor, Tensor | None]] = []
    advance = sampler.advance

    def listening(step, x, x0, eps, *rest):
        seen.append((x, x0, eps))
        return advance(step, x, x0, eps, *rest)

    sampler.advance = listening  # type: ignore[method-assign]
    with torch.no_grad():
        Guided(sampler)(noise, condition, None, previous)
        context = sampler.prepare(condition)
        for step, (x, x0, eps) in enumerate(seen):
            plain, _ = sampler.denoised(step, x, context)
            alpha, sigma = sampler.levels[step]
            strength = min(5, (alpha**2 + sigma**2) / (alpha * sigma)) if alpha else 5
            pull = (x0 - plain) / (sigma * strength)

            def error(values: Tensor, step: int = step) -> Tensor:
                found, _ = sampler.denoised(step, values, context)
                gap = (previous.rows - found).square().sum(-1)
                return -0.5 * (previous.weights * gap).sum((1,))

            slope, small = torch.zeros_like(x), 1e-6
            for row in range(H):
                for column in range(A):
                    nudge = torch.zeros_like(x)
                    nudge[:, row, column] = small
                    slope[:, row, column] = (error(x + nudge) - error(x - nudge)) / (2 * small)
            size = float(slope.abs().max())
            assert size > 1e-4
            torch.testing.assert_close(pull, slope, atol=1e-4 * size, rtol=1e-4)
            assert (eps is None) == (step == 2)
            if eps is not None:
                torch.testing.assert_close(alpha * x0 + sigma * eps, x, atol=1e-9, rtol=1e-9)


def test_guidance_works_without_gradients_and_leaves_none_behind() -> None:
    module = Guided(Sampler(network("mlp"), Flow(), solvers.euler, 3))
    noise, _, _, previous = drawn(module)
    condition = torch.randn(1, 2, 3, dtype=torch.float64)
    chunk = module(noise, condition, None, previous)
    with torch.no_grad():
        assert torch.equal(module(noise, condition, None, previous), chunk)
    assert not chunk.requires_grad
    with torch.inference_mode(), pytest.raises(ConfigurationError, match="no_grad"):
        module(noise, condition, None, previous)


@pytest.mark.parametrize("steps", [10, 30])
def test_errors_of_the_network_where_nothing_is_known_do_not_lead(steps) -> None:
    # An 'epsilon' network begins at alpha = 5e-4, where x0 is 2,000 times its error.
    class Nearly(Exact):
        def forward(self, x: Tensor, t: Tensor, condition: Tensor) -> Tensor:
            return super().forward(x, t, condition) + 0.02 * torch.sin(7 * x.sum(2, keepdim=True))

    sampler = Sampler(Nearly(DDPM()), DDPM(), solvers.ddim, steps, clip=2.5)
    noise, condition, _, previous = drawn(sampler, 200)
    far = {
        name: (chunk[:, :2] - previous.rows[:, :2]).square().mean().sqrt()
        for name, chunk in {
            "plain": sampler(noise, condition),
            "guided": Guided(sampler)(noise, condition, None, previous),
            "exact": Guided(Sampler(Exact(DDPM()), DDPM(), solvers.ddim, steps, clip=2.5))(
                noise, condition, None, previous
            ),
        }.items()
    }
    assert far["exact"] < 0.5 * far["plain"], far
    assert far["guided"] < 1.2 * far["exact"], far


@pytest.mark.parametrize("make", [Guided, Inpainted, WarmStart])
def test_without_a_rest_the_sampler_answers_itself(make) -> None:
    sampler = Sampler(network("mlp"), Flow(), solvers.euler, 4)
    noise, _, _, previous = drawn(sampler)
    condition = torch.randn(1, 2, 3, dtype=torch.float64)
    plain = sampler(noise, condition)
    assert torch.equal(make(sampler)(noise, condition), plain)
    nothing = Overlap(previous.rows, 0 * previous.weights)
    if make is not WarmStart:
        torch.testing.assert_close(make(sampler)(noise, condition, None, nothing), plain)
    cut = Sampler(network("mlp"), DDPM(), solvers.ddim, 4, clip=0.3)
    found = Guided(cut)(noise, condition, None, nothing)
    torch.testing.assert_close(found, cut(noise, condition))
    with pytest.raises(ConfigurationError, match="laid over"):
        make(sampler)(
            noise, condition, None, Overlap(previous.rows[:, 1:], previous.weights[:, 1:])
        )


def test_what_is_clipped_stays_within_and_rows_that_are_held_are_exact() -> None:
    sampler = Sampler(network("unet"), DDPM(), solvers.ddim, 5, clip=0.5)
    noise, _, _, previous = drawn(sampler, 3)
    condition = torch.randn(3, 2, 3, dtype=torch.float64)
    assert Guided(sampler)(noise, condition, None, previous).abs().max() <= 0.5
    chunk = Inpainted(sampler)(noise, condition, None, previous)
    assert torch.equal(chunk[:, :2], previous.rows[:, :2])
    assert chunk[:, 2:].abs().max() <= 0.5
    assert float(previous.rows[:, :2].abs().max()) > 0.5


@pytest.mark.parametrize(
    ("level", "first"), [(0.5, 4), (0.25, 2), (0.99, 7)], ids=["half", "quarter", "nearly all"]
)
def test_a_warm_start_begins_in_the_middle_and_saves_calls(level, first) -> None:
    sampler = Sampler(network("mlp"), Flow(), solvers.euler, 8)
    noise, _, _, previous = drawn(sampler)
    condition = torch.randn(1, 2, 3, dtype=torch.float64)
    asked: list[int] = []
    denoised = sampler.denoised

    def counting(step, *rest):
        asked.append(step)
        return denoised(step, *rest)

    sampler.denoised = counting  # type: ignore[method-assign]
    chunk = WarmStart(sampler, level)(noise, condition, None, previous)
    assert asked == list(range(first, 8))
    time = 1 - first / 8
    begun = (1 - time) * previous.rows + time * noise
    torch.testing.assert_close(chunk, sampler.path(begun, condition, first=first)[-1])


def test_what_cannot_be_continued_is_refused_when_it_is_built() -> None:
    regression = Sampler(network("mlp"), Regression(), solvers.ddim, 1)
    taught = Sampler(
        network("mlp"), Flow(), solvers.renoise, 2, objective=lambda *_: torch.zeros(())
    )
    for make in (Guided, Inpainted, WarmStart, Prefixed):
        with pytest.raises(ConfigurationError, match="begins at zeros"):
            make(regression)
        with pytest.raises(ConfigurationError, match="blend or ensemble"):
            make(nn.Identity())
    with pytest.raises(ConfigurationError, match="consistency"):
        Guided(taught)
    Inpainted(taught)
    with pytest.raises(ConfigurationError, match="not trained to be given"):
        Prefixed(Sampler(network("mlp"), Flow(), solvers.euler, 2))
    with pytest.raises(ConfigurationError, match="that is none"):
        WarmStart(Sampler(network("mlp"), Flow(), solvers.euler, 1))
