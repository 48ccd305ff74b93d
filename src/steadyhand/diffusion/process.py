"""Processes: how a clean action chunk turns to noise, and what the network is asked for.

A process is the path `x_t = alpha(t)·x0 + sigma(t)·eps` and the target `p·x0 + q·eps`. It holds
numbers only (float64 numpy); networks, solvers and random numbers are elsewhere.
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from statistics import NormalDist
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError, unknown
from steadyhand.sizes import check_sizes
from steadyhand.values import checked

Array = NDArray[np.float64]
Prediction = Literal["epsilon", "sample", "v", "velocity"]
Weighting = Literal["uniform", "velocity"]
TimeSampling = Literal["uniform", "beta", "logit_normal"]
PREDICTIONS: tuple[Prediction, ...] = ("epsilon", "sample", "v", "velocity")


@runtime_checkable
class Process(Protocol):
    """What a sampler, a solver and the loss need to know of a path to noise.

    Times run from `start` (noise) down to `end` (clean, or nearly). Discrete processes count
    their training steps 0…train_steps - 1 and end at -1; continuous ones have `train_steps` None.
    """

    @property
    def train_steps(self) -> int | None: ...
    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float: ...

    def path(self, t: Array) -> tuple[Array, Array]:
        """(alpha, sigma) at times `t`, each of the shape of `t`."""
        ...

    def target(self, t: Array) -> tuple[Array, Array]:
        """(p, q) at times `t`: the network is asked for `p·x0 + q·eps`."""
        ...

    def embedded(self, t: Array) -> Array:
        """The value that the network's time embedding is given at times `t`."""
        ...

    def draw(self, uniform: Array) -> Array:
        """Training times from uniform numbers in [0, 1)."""
        ...

    def weight(self, t: Array) -> Array:
        """What the squared error at times `t` counts in the loss."""
        ...


def prediction_target(prediction: Prediction, alpha: Array, sigma: Array) -> tuple[Array, Array]:
    """The two numbers (p, q) of a prediction; each target is `p·x0 + q·eps`.

    epsilon (Ho et al. 2020), sample (= x0), v (Salimans & Ho 2022), velocity (Lipman et al. 2022).
    """
    zero, one = np.zeros_like(alpha), np.ones_like(alpha)
    if prediction == "epsilon":
        return zero, one
    if prediction == "sample":
        return one, zero
    if prediction == "v":
        return -sigma, alpha
    if prediction == "velocity":
        return -one, one
    raise ConfigurationError(unknown("prediction", prediction, PREDICTIONS))


def loss_weight(weighting: Weighting, sigma: Array) -> Array:
    """1, or for an error in x0 what it makes of an error in velocity: 1/sigma².

    That is the loss of v and of the flow velocity alike, since both are x0 scaled by -1/sigma
    beside terms of x (Li & He 2025 train x0 so). sigma is taken as at least 0.1.
    """
    if weighting == "velocity":
        return 1 / np.maximum(sigma, 0.1) ** 2
    return np.ones_like(sigma)


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

    schedule: Literal["squared_cosine", "linear"] = "squared_cosine"
    """How the noise grows with the step."""
    train_steps: int = 100
    """Noise levels used in training."""
    prediction: Prediction = "epsilon"
    """What the network is asked for."""
    weighting: Weighting = "uniform"
    """What errors count: all the same, or, for sample prediction, as errors in velocity."""

    def __post_init__(self) -> None:
        if self.schedule not in SCHEDULES:
            raise ConfigurationError(unknown("schedule", self.schedule, SCHEDULES))
        _check_prediction(self.prediction, self.weighting)
        check_sizes(self, "train_steps", least=2)

    @property
    def start(self) -> float:
        return self.train_steps - 1.0

    @property
    def end(self) -> float:
        return -1.0

    @cached_property
    def _table(self) -> tuple[Array, Array]:
        """alpha and sigma of the clean end (index 0), then of every step."""
        return _discrete_path(self.schedule, self.train_steps)

    def path(self, t: Array) -> tuple[Array, Array]:
        index = np.asarray(t).astype(np.int64) + 1
        alpha, sigma = self._table
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
    alpha_bar = np.concatenate([[1.0], np.cumprod(1 - SCHEDULES[schedule](train_steps))])
    return np.sqrt(alpha_bar), np.sqrt(1 - alpha_bar)


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

    time_sampling: TimeSampling = "uniform"
    """Training times: uniform, Beta(1.5, 1) towards the noise (π0), or logit-normal (SD3)."""
    prediction: Prediction = "velocity"
    """What the network is asked for."""
    weighting: Weighting = "uniform"
    """What errors count: all the same, or, for sample prediction, as errors in velocity."""

    def __post_init__(self) -> None:
        if self.time_sampling not in TIME_SAMPLINGS:
            raise ConfigurationError(unknown("time sampling", self.time_sampling, TIME_SAMPLINGS))
        _check_prediction(self.prediction, self.weighting)

    @property
    def train_steps(self) -> None:
        return None

    @property
    def start(self) -> float:
        return 1.0

    @property
    def end(self) -> float:
        return 0.0

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


def invert(process: Process, t: Array) -> Array:
    """The four numbers that turn an output into (x0, eps) at times `t`, shape (S, 4).

    With `det = alpha·q - sigma·p`: x0 = (q·x - sigma·out)/det and eps = (alpha·out - p·x)/det;
    the columns are what multiplies (x, out) in x0, then (x, out) in eps. Limits are exact: where
    the target is x0 itself it is used as it is, and where eps cannot be known its numbers are nan.
    Raises `ConfigurationError` where x0 cannot be recovered at all.
    """
    (alpha, sigma), (p, q) = process.path(t), process.target(t)
    det = alpha * q - sigma * p
    direct = (q == 0) & (p != 0)
    if np.any((det == 0) & ~direct):
        raise ConfigurationError(
            f"{process} cannot start at alpha = 0: the network is asked for noise it was given, "
            "which says nothing about the actions. Use prediction 'v', 'sample' or 'velocity'."
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        x0 = np.stack([np.where(direct, 0, q / det), np.where(direct, 1 / p, -sigma / det)], -1)
        eps = np.stack([-p / det, alpha / det], -1)
    return np.concatenate([x0, np.where(det[:, None] == 0, np.nan, eps)], -1)


def warn_if_signal_remains(process: Process, first: float) -> None:
    """Warn where sampling starts at a time that still holds signal: the prior is then wrong."""
    alpha = float(process.path(np.array([first]))[0][0])
    if alpha**2 > 1e-3:
        warnings.warn(
            f"Sampling starts at time {first:g} of {process}, where {alpha**2:.1%} of the signal's "
            "variance remains, but it starts from pure noise. Use trailing spacing, more steps, "
            "or the squared-cosine schedule.",
            stacklevel=3,
        )


def _check_prediction(prediction: str, weighting: str) -> None:
    if prediction not in PREDICTIONS:
        raise ConfigurationError(unknown("prediction", prediction, PREDICTIONS))
    if weighting not in ("uniform", "velocity"):
        raise ConfigurationError(unknown("weighting", weighting, ["uniform", "velocity"]))
    if weighting == "velocity" and prediction != "sample":
        raise ConfigurationError(
            f"weighting 'velocity' weighs errors of prediction 'sample', not of '{prediction}'."
        )
