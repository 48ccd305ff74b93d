"""Diffusion in discrete steps of noise (Ho et al. 2020), and its schedules."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal

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
from steadyhand.values import at_least, at_most, checked


def squared_cosine_betas(train_steps: int) -> Array:
    """Betas of Nichol & Dhariwal (2021), capped at 0.999, as used by the Diffusion Policy paper."""
    edges = np.arange(train_steps + 1, dtype=np.float64) / train_steps
    alpha_bar = np.cos((edges + 0.008) / 1.008 * math.pi / 2) ** 2
    return np.minimum(1 - alpha_bar[1:] / alpha_bar[:-1], 0.999)


def linear_betas(train_steps: int) -> Array:
    """Betas of Ho et al. (2020), 1e-4…0.02 over 1000 steps, scaled to `train_steps`.

    Unscaled, 100 of these steps would keep 36 % of the signal's variance at the end; scaled by
    1000 / train_steps (capped at 0.999) any number of steps ends where 1000 do.
    """
    scale = 1000 / train_steps
    return np.minimum(np.linspace(scale * 1e-4, scale * 0.02, train_steps), 0.999)


SCHEDULES = {"squared_cosine": squared_cosine_betas, "linear": linear_betas}


@checked
@dataclass(frozen=True, kw_only=True)
class DDPM:
    """Discrete variance-preserving diffusion (Ho et al. 2020) over `train_steps` noise levels."""

    sampling = SamplerConfig(solver="ddim", steps=10)
    end = -1.0

    schedule: Literal["squared_cosine", "linear"] = "squared_cosine"
    """How the noise grows with the step."""
    train_steps: Annotated[int, at_least(2), at_most(100_000)] = 100
    """Noise levels used in training."""
    prediction: Prediction = "epsilon"
    """What the network is asked for."""
    weighting: Weighting = "uniform"
    """What errors count: all the same, or, for sample prediction, as errors in velocity."""

    def __post_init__(self) -> None:
        check_weighting(self.prediction, self.weighting)

    @property
    def start(self) -> float:
        return self.train_steps - 1.0

    def path(self, t: Array) -> tuple[Array, Array]:
        index = np.asarray(t).astype(np.int64) + 1
        alpha, sigma = _discrete_path(self.schedule, self.train_steps)
        return alpha[index], sigma[index]

    def target(self, t: Array) -> tuple[Array, Array]:
        return prediction_target(self.prediction, *self.path(t))

    def embedded(self, t: Array) -> Array:
        return np.asarray(t, dtype=np.float64)

    def draw(self, uniform: Array) -> Array:
        return np.floor(uniform * self.train_steps)

    def weight(self, t: Array) -> Array:
        return loss_weight(self.weighting, self.path(t)[1])


@lru_cache(maxsize=32)
def _discrete_path(schedule: str, train_steps: int) -> tuple[Array, Array]:
    """alpha and sigma of the clean end (index 0), then of every step."""
    alpha_bar = np.concatenate([[1.0], np.cumprod(1 - SCHEDULES[schedule](train_steps))])
    return np.sqrt(alpha_bar), np.sqrt(1 - alpha_bar)
