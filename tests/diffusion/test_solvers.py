"""Every solver against the schedulers of diffusers on shared noise, and its order."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
)
from torch import Tensor, nn

from steadyhand.diffusion import solvers
from steadyhand.diffusion.ddpm import DDPM
from steadyhand.diffusion.flow import Flow
from steadyhand.diffusion.process import Array, prediction_target
from steadyhand.diffusion.sampler import Sampler
from steadyhand.diffusion.spacing import leading, trailing
from steadyhand.errors import ConfigurationError

SHAPE = (4, 16, 2)
CONDITION = torch.zeros(4, 1, 1, dtype=torch.float64)
TRAINED = {"num_train_timesteps": 100, "beta_schedule": "squaredcos_cap_v2"}
NAMES = {"epsilon": "epsilon", "sample": "sample", "v": "v_prediction"}


class Denoiser(nn.Module):
    """A smooth made-up network, so that agreement is not an accident of linearity."""

    def forward(self, x: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        return 0.9 * torch.tanh(1.3 * x + 0.2) + 0.1 * torch.cos(t / 17).view(-1, 1, 1)


def draws(steps: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(SHAPE, generator=generator, dtype=torch.float64)
    shape = (SHAPE[0], steps, *SHAPE[1:])
    return noise, torch.randn(shape, generator=generator, dtype=torch.float64)


def reference(scheduler, steps: int, **step_options) -> Tensor:
    """The loop over a diffusers scheduler; `variance_noise` is handed in step by step."""
    scheduler.set_timesteps(steps)
    x, fresh = draws(steps)
    denoiser = Denoiser()
    for number, t in enumerate(scheduler.timesteps):
        out = denoiser(x, torch.full((SHAPE[0],), float(t), dtype=torch.float64), CONDITION)
        options = {
            name: (fresh[:, number] if value == "fresh" else value)
            for name, value in step_options.items()
        }
        x = scheduler.step(out, t, x, **options).prev_sample
    return x


def ours(process, solver, steps: int, **options) -> Tensor:
    noise, fresh = draws(steps)
    return Sampler(Denoiser(), process, solver, steps, **options)(noise, CONDITION, fresh)


def relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm())


# Not epsilon without clipping: 1/alpha = 2000 amplifies the rounding of the reference's own tables.
@pytest.mark.parametrize(
    ("prediction", "clip"),
    [("epsilon", 1.0), ("sample", 1.0), ("v", 1.0), ("sample", None), ("v", None)],
)
@pytest.mark.parametrize("steps", [10, 100])
def test_ddpm(prediction, steps, clip, monkeypatch) -> None:
    _, fresh = draws(steps)
    queue = iter(fresh.unbind(1))
    monkeypatch.setattr(
        "diffusers.schedulers.scheduling_ddpm.randn_tensor", lambda *a, **k: next(queue)
    )
    scheduler = DDPMScheduler(
        **TRAINED,
        prediction_type=NAMES[prediction],
        clip_sample=clip is not None,
        timestep_spacing="trailing",
        variance_type="fixed_small",
    )
    found = ours(DDPM(prediction=prediction), solvers.ddpm, steps, clip=clip)
    assert relative(found, reference(scheduler, steps)) < 1e-4


@pytest.mark.parametrize("prediction", NAMES)
@pytest.mark.parametrize("eta", [0.0, 0.5])
@pytest.mark.parametrize(("spacing", "name"), [(trailing, "trailing"), (leading, "leading")])
@pytest.mark.parametrize("clip", [1.0, None])
@pytest.mark.filterwarnings("ignore:Sampling starts")
def test_ddim(prediction, eta, spacing, name, clip) -> None:
    scheduler = DDIMScheduler(
        **TRAINED,
        prediction_type=NAMES[prediction],
        clip_sample=clip is not None,
        timestep_spacing=name,
        set_alpha_to_one=True,
    )
    solver = partial(solvers.ddim, eta=eta)
    found = ours(DDPM(prediction=prediction), solver, 10, spacing=spacing, clip=clip)
    fresh = {"variance_noise": "fresh"} if eta else {}
    assert relative(found, reference(scheduler, 10, eta=eta, **fresh)) < 1e-4


@pytest.mark.parametrize("prediction", NAMES)
@pytest.mark.parametrize("steps", [5, 10, 20])
def test_dpmpp_2m(prediction, steps) -> None:
    scheduler = DPMSolverMultistepScheduler(
        **TRAINED,
        prediction_type=NAMES[prediction],
        algorithm_type="dpmsolver++",
        timestep_spacing="trailing",
    )
    found = ours(DDPM(prediction=prediction), solvers.dpmpp_2m, steps, clip=None)
    assert relative(found, reference(scheduler, steps)) < 1e-4


@pytest.mark.parametrize("prediction", NAMES)
def test_sde_dpmpp_2m(prediction) -> None:
    scheduler = DPMSolverMultistepScheduler(
        **TRAINED,
        prediction_type=NAMES[prediction],
        algorithm_type="sde-dpmsolver++",
        timestep_spacing="trailing",
    )
    found = ours(DDPM(prediction=prediction), solvers.sde_dpmpp_2m, 10, clip=None)
    assert relative(found, reference(scheduler, 10, variance_noise="fresh")) < 1e-4


@pytest.mark.parametrize("steps", [1, 5, 10])
def test_flow_euler(steps) -> None:
    scheduler = FlowMatchEulerDiscreteScheduler(num_train_timesteps=100)
    sigmas = np.linspace(1, 1 / steps, steps)
    scheduler.set_timesteps(sigmas=sigmas.tolist())
    x, _ = draws(steps)
    denoiser = Denoiser()
    for t in scheduler.timesteps:
        out = denoiser(x, torch.full((SHAPE[0],), float(t), dtype=torch.float64), CONDITION)
        x = scheduler.step(out, t, x).prev_sample
    assert relative(ours(Flow(), solvers.euler, steps, clip=None), x) < 1e-4


def test_ddim_on_the_straight_path_is_euler() -> None:
    times = trailing(Flow(), 7)
    np.testing.assert_array_equal(solvers.ddim(Flow(), times), solvers.euler(Flow(), times))


def test_euler_on_a_curved_path_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="is curved"):
        Sampler(Denoiser(), DDPM(), solvers.euler, 10)


def test_eta_one_has_the_variance_of_ddpm() -> None:
    times = trailing(DDPM(), 20)
    eta, ancestral = solvers.ddim(DDPM(), times, eta=1.0), solvers.ddpm(DDPM(), times)
    np.testing.assert_allclose(eta[:, 4], ancestral[:, 4])


@dataclass(frozen=True)
class Arc:
    """A continuous variance-preserving path, a user's own, that ends where some noise is left."""

    prediction: str
    train_steps: None = None
    start: float = 1.4
    end: float = 0.2

    def path(self, t: Array) -> tuple[Array, Array]:
        return np.cos(t), np.sin(t)

    def target(self, t: Array) -> tuple[Array, Array]:
        return prediction_target(self.prediction, *self.path(t))

    def embedded(self, t: Array) -> Array:
        return t

    def draw(self, uniform: Array) -> Array:
        return uniform

    def weight(self, t: Array) -> Array:
        return np.ones_like(t)


class ExactGaussian(nn.Module):
    """The best denoiser there is for actions of N(mean, deviation²) on an `Arc`."""

    mean, deviation = 0.4, 0.5

    def __init__(self, process: Arc) -> None:
        super().__init__()
        self.process = process

    def forward(self, x: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        alpha, sigma = torch.cos(t).view(-1, 1, 1), torch.sin(t).view(-1, 1, 1)
        variance = alpha**2 * self.deviation**2 + sigma**2
        x0 = self.mean + alpha * self.deviation**2 / variance * (x - alpha * self.mean)
        eps = (x - alpha * x0) / sigma
        p, q = (torch.from_numpy(n).view(-1, 1, 1) for n in self.process.target(t.numpy()))
        return p * x0 + q * eps

    def solution(self, x: Tensor) -> Tensor:
        """The probability flow, solved exactly."""

        def moments(t: float) -> tuple[float, float]:
            alpha, sigma = np.cos(t), np.sin(t)
            return alpha * self.mean, np.sqrt(alpha**2 * self.deviation**2 + sigma**2)

        (m, s), (m1, s1) = moments(self.process.start), moments(self.process.end)
        return m1 + s1 * (x - m) / s


@pytest.mark.parametrize("prediction", ["epsilon", "sample", "v"])
@pytest.mark.parametrize(("solver", "order"), [(solvers.ddim, 1), (solvers.dpmpp_2m, 2)])
@pytest.mark.filterwarnings("ignore:Sampling starts")
def test_order_of_convergence(prediction, solver, order) -> None:
    process = Arc(prediction)
    exact = ExactGaussian(process)
    noise, _ = draws(1)
    counts = np.array([40, 80, 160, 320])
    errors = [
        float(
            (
                Sampler(exact, process, solver, int(n), clip=None)(noise, CONDITION)
                - exact.solution(noise)
            )
            .abs()
            .max()
        )
        for n in counts
    ]
    slope = -np.polyfit(np.log(counts), np.log(errors), 1)[0]
    assert slope == pytest.approx(order, abs=0.1), errors


@pytest.mark.parametrize("solver", [solvers.ddpm, solvers.sde_dpmpp_2m])
@pytest.mark.filterwarnings("ignore:Sampling starts")
def test_stochastic_solvers_reach_the_right_distribution(solver) -> None:
    process = Arc("sample")
    exact = ExactGaussian(process)
    generator = torch.Generator().manual_seed(0)
    count, steps = 20_000, 60
    alpha, sigma = np.cos(process.start), np.sin(process.start)
    spread = np.sqrt(alpha**2 * exact.deviation**2 + sigma**2)
    noise = torch.randn((count, 1, 1), generator=generator, dtype=torch.float64)
    fresh = torch.randn((count, steps, 1, 1), generator=generator, dtype=torch.float64)
    sampler = Sampler(exact, process, solver, steps, clip=None)
    x = sampler(alpha * exact.mean + spread * noise, torch.zeros(count, 1, 1), fresh)
    alpha, sigma = np.cos(process.end), np.sin(process.end)
    assert float(x.mean()) == pytest.approx(alpha * exact.mean, abs=0.02)
    wanted = np.sqrt(alpha**2 * exact.deviation**2 + sigma**2)
    assert float(x.std()) == pytest.approx(wanted, rel=0.04)


def test_step_noise_is_asked_for() -> None:
    sampler = Sampler(Denoiser(), DDPM(), solvers.ddpm, 10)
    with pytest.raises(ConfigurationError, match=r"pass step_noise, 10 draws"):
        sampler(torch.zeros(SHAPE), torch.zeros(4, 1, 1))


def test_solvers_that_cannot_serve_regression_say_so() -> None:
    from steadyhand.methods.regression import Regression

    with pytest.raises(ConfigurationError, match=r"'ddim' for the others and Regression"):
        Sampler(Denoiser(), Regression(), solvers.dpmpp_2m, 1)


def test_temperature_scales_the_noise_that_sampling_starts_from() -> None:
    noise, _ = draws(5)
    cool = Sampler(Denoiser(), Flow(), steps=5, clip=None, temperature=0.5)(noise, CONDITION)
    torch.testing.assert_close(
        cool, Sampler(Denoiser(), Flow(), steps=5, clip=None)(0.5 * noise, CONDITION)
    )
    assert not torch.allclose(
        cool, Sampler(Denoiser(), Flow(), steps=5, clip=None)(noise, CONDITION)
    )
