"""Processes: how a clean action chunk turns to noise, and what the network is asked for.

A process is the path `x_t = alpha(t)·x0 + sigma(t)·eps` and the target `p·x0 + q·eps`. It holds
numbers only (float64 numpy); networks, solvers and random numbers are elsewhere. `ddpm.py` and
`flow.py` hold the two that begin in noise.
"""

import warnings
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError

Array = NDArray[np.float64]
Prediction = Literal["epsilon", "sample", "v", "velocity"]
Weighting = Literal["uniform", "velocity"]
LARGEST_GAIN = 100.0
"""Errors that become larger by more than this have to be bounded."""


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


def require_process(process: object) -> None:
    """Raise `ConfigurationError` for what is no process, naming all that it lacks."""
    members = (name for name in vars(Process) if not name.startswith("_"))
    lacking = [name for name in members if not hasattr(process, name)]
    if lacking:
        raise ConfigurationError(
            f"{type(process).__name__} is no process: it has no {', '.join(lacking)}. "
            "`steadyhand.diffusion.process.Process` says what each of them is."
        )


def prediction_target(prediction: Prediction, alpha: Array, sigma: Array) -> tuple[Array, Array]:
    """The two numbers (p, q) of a prediction; each target is `p·x0 + q·eps`.

    epsilon (Ho et al. 2020), sample (= x0), v (Salimans & Ho 2022), velocity (Lipman et al. 2022).
    """
    zero, one = np.zeros_like(alpha), np.ones_like(alpha)
    return {
        "epsilon": (zero, one),
        "sample": (one, zero),
        "v": (-sigma, alpha),
        "velocity": (-one, one),
    }[prediction]


def loss_weight(weighting: Weighting, sigma: Array) -> Array:
    """1, or for an error in x0 what it makes of an error in velocity: 1/sigma².

    That is the loss of v and of the flow velocity alike, since both are x0 scaled by -1/sigma
    beside terms of x (Li & He 2025 train x0 so). sigma is taken as at least 0.1.
    """
    if weighting == "velocity":
        return 1 / np.maximum(sigma, 0.1) ** 2
    return np.ones_like(sigma)


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


def warn_if_errors_grow(gain: float) -> None:
    """Warn where an error of the network is so many times as large in the actions."""
    if gain > LARGEST_GAIN:
        warnings.warn(
            f"Where sampling begins, an error of the network is {gain:.0f} times as large in "
            "the actions. Bound them with clip=, the size of the largest, or use prediction "
            "'sample' or 'v'.",
            stacklevel=3,
        )


def first_scale(process: Process, times: Array, temperature: float) -> float:
    """What the first noise is multiplied by: 0 for a process that begins at zeros.

    Raises `ConfigurationError` for a temperature there: there is no noise to scale.
    """
    if float(process.path(times[:1])[1][0]) != 0:
        return temperature
    if temperature != 1:
        raise ConfigurationError(
            f"temperature is {temperature:g}, and {type(process).__name__} starts from zeros: "
            "there is no noise to scale. Leave it at 1."
        )
    return 0.0


def check_weighting(prediction: str, weighting: str) -> None:
    """Raise `ConfigurationError` for a weighting of errors that others than these make."""
    if weighting == "velocity" and prediction != "sample":
        raise ConfigurationError(
            f"weighting 'velocity' weighs errors of prediction 'sample', not of '{prediction}'."
        )
