"""Flow matching: a straight path from the action to noise, and when it is visited in training."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from steadyhand.diffusion.process import (
    Array,
    Prediction,
    Weighting,
    check_weighting,
    loss_weight,
    prediction_target,
)
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.values import checked

TimeSampling = Literal["uniform", "beta", "logit_normal"]


def _beta(uniform: Array) -> Array:
    # Beta(1.5, 1) has the distribution function t^1.5; π0 scales it to end before 1e-3.
    return 0.001 + 0.999 * uniform ** (1 / 1.5)


def _logit_normal(uniform: Array) -> Array:
    """Esser et al. (2024): the logit of t is standard normal, so that the middle counts most."""
    normal = NormalDist()
    logit = [normal.inv_cdf(u) for u in np.clip(uniform, 1e-12, 1 - 1e-12).ravel()]
    return 1 / (1 + np.exp(-np.reshape(logit, np.shape(uniform))))


TIME_SAMPLINGS: dict[str, Callable[[Array], Array]] = {
    "uniform": lambda uniform: uniform,
    "beta": _beta,
    "logit_normal": _logit_normal,
}


@checked
@dataclass(frozen=True, kw_only=True)
class Flow:
    """The straight path `x_t = (1 - t)·x0 + t·eps` (flow matching, rectified flow); 1 is noise."""

    sampling = SamplerConfig(solver="euler", steps=5)
    train_steps = None
    start = 1.0
    end = 0.0

    time_sampling: TimeSampling = "uniform"
    """Training times: uniform, Beta(1.5, 1) towards the noise (π0), or logit-normal (SD3)."""
    prediction: Prediction = "velocity"
    """What the network is asked for."""
    weighting: Weighting = "uniform"
    """What errors count: all the same, or, for sample prediction, as errors in velocity."""

    def __post_init__(self) -> None:
        check_weighting(self.prediction, self.weighting)

    def path(self, t: Array) -> tuple[Array, Array]:
        return 1 - np.asarray(t), np.asarray(t, dtype=np.float64)

    def target(self, t: Array) -> tuple[Array, Array]:
        return prediction_target(self.prediction, *self.path(t))

    def embedded(self, t: Array) -> Array:
        # The sinusoidal embedding is built for values that count steps: 0…100, as for DDPM.
        return 100 * np.asarray(t, dtype=np.float64)

    def draw(self, uniform: Array) -> Array:
        return TIME_SAMPLINGS[self.time_sampling](np.asarray(uniform, dtype=np.float64))

    def weight(self, t: Array) -> Array:
        return loss_weight(self.weighting, self.path(t)[1])
