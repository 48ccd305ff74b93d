"""Paths, predictions and their inversion."""

from typing import get_args

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler

from steadyhand.diffusion.ddpm import DDPM, linear_betas, squared_cosine_betas
from steadyhand.diffusion.flow import Flow
from steadyhand.diffusion.process import Prediction, invert
from steadyhand.diffusion.sampler import Sampler
from steadyhand.diffusion.solvers import euler
from steadyhand.diffusion.spacing import leading, trailing
from steadyhand.errors import ConfigurationError
from steadyhand.methods.regression import Regression


def test_squared_cosine_agrees_with_diffusers() -> None:
    reference = DDPMScheduler(num_train_timesteps=100, beta_schedule="squaredcos_cap_v2")
    np.testing.assert_allclose(squared_cosine_betas(100), reference.betas.numpy(), rtol=1e-4)


def test_linear_is_that_of_ho_et_al_and_scales_to_fewer_steps() -> None:
    reference = DDPMScheduler(num_train_timesteps=1000, beta_schedule="linear")
    np.testing.assert_allclose(linear_betas(1000), reference.betas.numpy(), rtol=1e-4)
    for steps in (10, 50, 100, 1000):
        alpha, _ = DDPM(schedule="linear", train_steps=steps).path(np.array([steps - 1]))
        assert alpha[0] ** 2 < 1e-3, "a scaled schedule ends in noise"
    unscaled = np.prod(1 - np.linspace(1e-4, 0.02, 100))
    assert unscaled == pytest.approx(0.36, abs=0.01), "what the docstring says of the unscaled one"


@pytest.mark.parametrize("prediction", get_args(Prediction))
@pytest.mark.parametrize("process", [DDPM, Flow])
def test_inversion_recovers_clean_actions_and_noise(process, prediction) -> None:
    made = process(prediction=prediction)
    t = np.array([3.0, 40.0, 90.0]) if process is DDPM else np.array([0.1, 0.5, 0.9])
    random = np.random.default_rng(0)
    x0, eps = random.normal(size=(2, 3))
    (alpha, sigma), (p, q) = made.path(t), made.target(t)
    x, out = alpha * x0 + sigma * eps, p * x0 + q * eps
    table = invert(made, t)
    np.testing.assert_allclose(table[:, 0] * x + table[:, 1] * out, x0, rtol=1e-9)
    np.testing.assert_allclose(table[:, 2] * x + table[:, 3] * out, eps, rtol=1e-9)


def test_the_target_of_v_is_the_derivative_along_the_circle() -> None:
    """With alpha = cos φ and sigma = sin φ, v is dx/dφ (Salimans & Ho 2022): the sign matters."""
    process = DDPM(prediction="v")
    t = np.array([30.0])
    (alpha, sigma), (p, q) = process.path(t), process.target(t)
    angle, step = np.arctan2(sigma, alpha), 1e-6
    x0, eps = 0.7, -1.3
    later = np.cos(angle + step) * x0 + np.sin(angle + step) * eps
    derivative = (later - (alpha * x0 + sigma * eps)) / step
    np.testing.assert_allclose(p * x0 + q * eps, derivative, rtol=1e-4)


def test_velocity_is_the_time_derivative_of_the_straight_path() -> None:
    process = Flow()
    (a, s), (b, r) = process.path(np.array([0.4])), process.path(np.array([0.4 + 1e-6]))
    p, q = process.target(np.array([0.4]))
    np.testing.assert_allclose([(b - a) / 1e-6, (r - s) / 1e-6], [p, q], rtol=1e-6)


def test_epsilon_where_no_signal_is_left_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"alpha = 0.*Use prediction"):
        Sampler(torch.nn.Identity(), Flow(prediction="epsilon"), euler, 5)


def test_a_linear_schedule_that_keeps_signal_warns() -> None:
    class Unscaled(DDPM):
        def path(self, t):
            bar = np.concatenate([[1.0], np.cumprod(1 - np.linspace(1e-4, 0.02, 100))])
            index = np.asarray(t).astype(int) + 1
            return np.sqrt(bar[index]), np.sqrt(1 - bar[index])

    with pytest.warns(UserWarning, match=r"36\..% of the signal's variance remains"):
        Sampler(torch.nn.Identity(), Unscaled(), steps=10)


def test_leading_spacing_with_few_steps_warns() -> None:
    with pytest.warns(UserWarning, match="Use trailing spacing"):
        Sampler(torch.nn.Identity(), DDPM(), steps=5, spacing=leading)


def test_spacings_visit_the_times_of_diffusers() -> None:
    for spacing, name in ((trailing, "trailing"), (leading, "leading")):
        reference = DDPMScheduler(num_train_timesteps=100, timestep_spacing=name)
        for steps in (1, 3, 10, 16, 100):
            reference.set_timesteps(steps)
            np.testing.assert_array_equal(spacing(DDPM(), steps), reference.timesteps.numpy())


def test_more_sampling_steps_than_training_steps_is_an_error() -> None:
    for spacing in (trailing, leading):
        with pytest.raises(ConfigurationError, match=r"101 sampling steps are more than the 100"):
            spacing(DDPM(), 101)
    with pytest.raises(ConfigurationError, match="Regression answers in one step, not 2"):
        trailing(Regression(), 2)


def test_beta_times_lean_towards_the_noise() -> None:
    uniform = (np.arange(100_000) + 0.5) / 100_000
    times = Flow(time_sampling="beta").draw(uniform)
    # Beta(1.5, 1) has mean 0.6; scaled to [0.001, 1].
    assert times.mean() == pytest.approx(0.001 + 0.999 * 0.6, abs=1e-4)
    assert times.min() >= 0.001
    assert times.max() <= 1


@pytest.mark.parametrize(("path", "p"), [(DDPM, "v"), (Flow, "velocity")])
def test_velocity_weighting_is_the_loss_of_v_and_velocity(path, p) -> None:
    """An error d in x0 is an error -d/sigma in v on the circle and in velocity on the line."""
    t = np.array([50.0]) if path is DDPM else np.array([0.5])
    sample = path(prediction="sample", weighting="velocity")
    (alpha, sigma), (pp, qq) = sample.path(t), path(prediction=p).target(t)
    x, d = 0.3, 0.01

    def target(x0: float) -> np.ndarray:
        return pp * x0 + qq * (x - alpha * x0) / sigma

    np.testing.assert_allclose(sample.weight(t) * d**2, (target(0.5 + d) - target(0.5)) ** 2)


def test_unknown_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="Did you mean 'epsilon'"):
        DDPM(prediction="epsilom")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="Did you mean 'squared_cosine'"):
        DDPM(schedule="cosine")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="weighs errors of prediction 'sample'"):
        DDPM(weighting="velocity")


def test_logit_normal_times_lean_to_the_middle() -> None:
    uniform = (np.arange(100_000) + 0.5) / 100_000
    times = Flow(time_sampling="logit_normal").draw(uniform)
    logit = np.log(times / (1 - times))
    assert logit.mean() == pytest.approx(0, abs=1e-6)
    assert logit.std() == pytest.approx(1, abs=1e-3)
    assert np.isfinite(Flow(time_sampling="logit_normal").draw(np.zeros(2))).all()
    with pytest.raises(ConfigurationError, match="logit_normal"):
        Flow(time_sampling="logit")  # type: ignore[arg-type]


def test_training_visits_all_noise_levels_alike() -> None:
    levels = DDPM(train_steps=20).draw((np.arange(2000) + 0.5) / 2000)
    np.testing.assert_array_equal(np.bincount(levels.astype(int)), [100] * 20)
