"""Rows that are given clean: what the network is shown, what counts, and what it learns by it."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from steadyhand.diffusion import solvers
from steadyhand.diffusion.ddpm import DDPM
from steadyhand.diffusion.flow import Flow
from steadyhand.diffusion.guidance import Prefixed
from steadyhand.diffusion.prefix import Prefix
from steadyhand.diffusion.sampler import Sampler
from steadyhand.diffusion.shapes import Overlap
from steadyhand.nets.choices import DiTConfig, TransformerConfig
from steadyhand.nets.mlp import ResidualMLP
from steadyhand.spec import Chunking, Feature, PolicySpec

H, A, MOST = 8, 2, 3
CLEAN = torch.arange(2.0 * H).view(1, H, A) / 10


class Knowing(nn.Module):
    """It knows the chunk: right answers for rows that are noisy, and nonsense for the others."""

    def __init__(self, first: int = 0) -> None:
        super().__init__()
        self.first = first
        self.shown: list[tuple[Tensor, Tensor]] = []

    def forward(self, x: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        told, here = (
            condition[:, 1:, 0].unflatten(1, (MOST, A + 1)),
            self.first + torch.arange(MOST),
        )
        x, flags = x[..., :A], x[..., A]
        assert torch.equal(told[..., A], flags[:, here]), "the condition says the same"
        assert flags.sum() == flags[:, here].sum(), "no other row is clean"
        assert torch.equal(told[..., :A], x[:, here] * told[..., A:]), "these are the rows"
        self.shown.append((x, flags == 1))
        velocity = (x - CLEAN) / (t.view(-1, 1, 1) / 100)  # x = x0 + t·(eps - x0)
        return torch.where(flags[..., None] == 1, torch.full_like(x, 1e3), velocity)


def sampler_of(network: nn.Module, first: int = 0) -> Sampler:
    """One whose tokens are what is given itself, number by number."""
    prefix = Prefix(most=MOST, first=first, action_size=A, features=1)
    assert prefix.tokens == MOST * (A + 1)
    prefix.enter.weight.data, prefix.enter.bias.data = torch.eye(prefix.tokens), torch.zeros(9)
    return Sampler(network, Flow(), solvers.euler, 4, prefix=prefix)


def loss_of(sampler: Sampler, count: int = 400, weight: Tensor | None = None) -> float:
    uniform = (np.arange(count) + np.random.default_rng(0).random(count)) / count
    eps = torch.randn(count, H, A, generator=torch.Generator().manual_seed(0))
    x0 = CLEAN.expand(count, -1, -1)
    return float(sampler.loss(x0, eps, uniform, torch.zeros(count, 1, 1), weight))


@pytest.mark.parametrize("first", [0, 2])
def test_clean_rows_are_shown_as_they_are_and_do_not_count(first) -> None:
    network = Knowing(first)
    assert loss_of(sampler_of(network, first)) < 1e-6
    ((shown, flags),) = network.shown
    lengths = flags.sum(1)
    rows = torch.arange(H) - first
    torch.testing.assert_close(flags, (rows >= 0) & (rows < lengths[:, None]))
    clean = CLEAN.expand(len(shown), -1, -1)
    assert torch.equal(shown[flags], clean[flags])
    assert not torch.isclose(shown[~flags], clean[~flags]).all(-1).any()
    # 0…MOST alike often, and whatever the time is.
    late = torch.arange(400) >= 200
    for half in (late, ~late):
        counts = torch.bincount(lengths[half], minlength=MOST + 2)
        assert counts[MOST + 1] == 0
        assert (counts[: MOST + 1] > 30).all()


def test_padding_does_not_count_beside_them_either() -> None:
    class Far(nn.Module):
        def forward(self, x: Tensor, t: Tensor, condition: Tensor) -> Tensor:
            return Knowing()(x, t, condition) + torch.arange(H)[:, None]

    weight = torch.ones(400, H)
    whole = loss_of(sampler_of(Far()), weight=weight)
    assert whole == pytest.approx(loss_of(sampler_of(Far())), rel=1e-5)
    weight[:, H // 2 :] = 0  # the rows whose errors are largest
    assert loss_of(sampler_of(Far()), weight=weight) < 0.5 * whole < 100


def test_sampling_says_what_is_given_and_nothing_else() -> None:
    network = Knowing()
    sampler = sampler_of(network)
    noise, condition = torch.randn(3, H, A), torch.zeros(3, 1, 1)
    sampler(noise, condition)
    assert not any(flags.any() for _, flags in network.shown)
    network.shown.clear()
    rows = torch.randn(3, H, A)
    weights = (torch.arange(H) < torch.tensor([[0], [2], [3]])).float()
    weights[:, 3:6] = 0.5  # rows that are only to be near are not given
    chunk = Prefixed(sampler)(noise, condition, None, Overlap(rows, weights))
    assert len(network.shown) == 4
    given = weights == 1
    for shown, flags in network.shown:
        assert torch.equal(flags, given)
        assert torch.equal(shown[given], rows[given])
    assert torch.equal(chunk[given], rows[given])
    torch.testing.assert_close(chunk[~given], CLEAN.expand(3, -1, -1)[~given])


@pytest.mark.parametrize("network", [TransformerConfig, DiTConfig])
def test_tokens_that_are_masked_stay_so_beside_it(network) -> None:
    features = {name: Feature(name=name, shape=(A,)) for name in ("state", "action")}
    seen, told = features.values()
    chunking = Chunking(horizon=H, prefix=MOST)
    spec = PolicySpec(observations=(seen,), action=told, chunking=chunking)
    torch.manual_seed(0)
    prefix = Prefix(most=MOST, action_size=A, features=5)
    shape = (3 + prefix.tokens, 5)
    denoiser = network(width=16, layers=1, heads=2).build(spec, shape)
    for parameter in denoiser.parameters():
        parameter.data = 0.3 * torch.randn_like(parameter)
    sampler = Sampler(denoiser, Flow(), solvers.euler, 2, prefix=prefix)
    noise, condition = torch.randn(2, H, A), torch.randn(2, 3, 5)
    mask = torch.tensor([[True, True, False]] * 2)
    overlap = Overlap(torch.randn(2, H, A), (torch.arange(H) < 2).float().expand(2, -1))
    chunk = Prefixed(sampler)(noise, condition, None, overlap, mask)
    hidden = condition.clone()
    hidden[:, 2] += 1
    torch.testing.assert_close(Prefixed(sampler)(noise, hidden, None, overlap, mask), chunk)
    assert not torch.allclose(Prefixed(sampler)(noise, hidden, None, overlap), chunk)


ROWS, RHO, DEVIATION = 6, 0.9, 0.5


def autoregressive(count: int, generator: torch.Generator) -> Tensor:
    """Each row is near the row before it: given some of them, the last one says all of the rest."""
    fresh = torch.randn(count, ROWS, 1, generator=generator)
    rows = [fresh[:, 0]]
    for row in range(1, ROWS):
        rows.append(RHO * rows[-1] + (1 - RHO**2) ** 0.5 * fresh[:, row])
    return DEVIATION * torch.stack(rows, 1)


def two_ways(count: int, generator: torch.Generator) -> Tensor:
    """To the left or to the right, as on `fork`; from the second row on one sees which."""
    way = torch.where(torch.rand(count, 1, generator=generator) < 0.5, -1.0, 1.0)
    side = 0.8 * way * torch.sin(torch.pi * torch.arange(ROWS) / (ROWS - 1))
    return (side + 0.05 * torch.randn(count, ROWS, generator=generator))[..., None]


def learn(chunks, process, steps: int) -> Sampler:
    torch.manual_seed(0)
    prefix = Prefix(most=3, action_size=1, features=8)
    shape = (1 + prefix.tokens, 8)
    sizes = {"horizon": ROWS, "condition_shape": shape, "width": 64, "blocks": 2}
    network = ResidualMLP(action_size=2, out_features=1, **sizes)
    sampler = Sampler(network, process, solvers.ddim, 20, clip=2.0, prefix=prefix)
    optimiser = torch.optim.Adam(sampler.parameters(), lr=4e-3)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    random, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
    condition = torch.zeros(128, 1, 8)
    for _ in range(steps):
        x0 = chunks(128, generator)
        uniform = (random.permutation(128) + random.random(128)) / 128
        loss = sampler.loss(x0, torch.randn(x0.shape), uniform, condition)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        decay.step()
    return sampler.eval()


def given(rows: Tensor, length: int, each: int) -> tuple[Tensor, Tensor, None, Overlap]:
    """What continues the first rows of each chunk, `each` times."""
    rows = rows.repeat_interleave(each, 0)
    weights = (torch.arange(ROWS) < length).float().expand(len(rows), -1)
    noise = torch.randn(rows.shape, generator=torch.Generator().manual_seed(1))
    return noise, torch.zeros(len(rows), 1, 8), None, Overlap(rows, weights)


def test_the_rest_has_the_conditional_distribution() -> None:
    sampler = learn(autoregressive, Flow(), 800)
    true = autoregressive(40, torch.Generator().manual_seed(2))
    for length in (1, 2, 3):
        with torch.no_grad():
            drawn = Prefixed(sampler)(*given(true, length, 100)).view(40, 100, ROWS)
        after = torch.arange(1, ROWS - length + 1)
        mean = true[:, length - 1] * RHO**after
        deviation = DEVIATION * (1 - RHO ** (2 * after)) ** 0.5
        off = (drawn[..., length:].mean(1) - mean).square().mean().sqrt()
        assert off < 0.2 * DEVIATION, f"{length} rows given: means are off by {off:.2f}"
        ratio = drawn[..., length:].std(1).mean(0) / deviation
        assert ((ratio - 1).abs() < 0.2).all(), f"{length} rows given: deviations {ratio}"
    with torch.no_grad():
        free = sampler(torch.randn(4000, ROWS, 1), torch.zeros(4000, 1, 8))[..., 0]
    wanted = DEVIATION**2 * RHO ** (torch.arange(ROWS)[:, None] - torch.arange(ROWS)).abs()
    torch.testing.assert_close(torch.cov(free.T), wanted, atol=0.06, rtol=0)


def test_a_way_that_was_begun_is_never_left() -> None:
    sampler = learn(two_ways, DDPM(prediction="v"), 500)
    begun = two_ways(400, torch.Generator().manual_seed(2))
    way = begun[:, 2, 0].sign()
    with torch.no_grad():
        for length in (2, 3):
            drawn = Prefixed(sampler)(*given(begun, length, 1))[..., 0]
            assert torch.equal(drawn[:, 3].sign(), way)
        middle = sampler(torch.randn(400, ROWS, 1), torch.zeros(400, 1, 8))[:, 2, 0]
    assert 0.3 < (middle > 0).float().mean() < 0.7, "with nothing given both ways are taken"
