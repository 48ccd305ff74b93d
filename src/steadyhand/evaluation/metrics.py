"""Figures with their uncertainty: rates, means, paired differences, smoothness. Numpy only."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Z = 1.959963984540054
RESAMPLES = 10_000


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval over `n` episodes."""

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class Difference(Interval):
    """The mean paired difference, with the p-value of a sign-flip permutation test."""

    p: float


def rate(outcomes: Sequence[bool]) -> Interval:
    """A share with its Wilson score interval (Wilson 1927)."""
    return _wilson(sum(outcomes) / len(outcomes), len(outcomes))


def _wilson(share: float, n: int) -> Interval:
    centre = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    # At 0 and 1 the interval touches its bound exactly, but for rounding.
    low, high = max(centre - half, 0.0), min(centre + half, 1.0)
    return Interval(share, 0.0 if share == 0 else low, 1.0 if share == 1 else high, n)


def mean(values: Sequence[float]) -> Interval:
    """A mean with its percentile bootstrap interval over episodes (Efron 1979), seeded."""
    array = np.asarray(values, dtype=np.float64)
    low, high = np.quantile(_bootstrap_means(array), [0.025, 0.975])
    return Interval(float(array.mean()), float(low), float(high), len(array))


def over_seeds(scores: NDArray[np.floating]) -> Interval:
    """The mean of (seeds, episodes) scores, all seeds on the same episodes, with its interval.

    A bootstrap over training seeds and episodes at once; where the scores are outcomes (0 or 1) it
    is widened to Wilson's interval of as many episodes as a seed has (seeds share them), which
    knows that a hundred successes are not all there are. Of few seeds a bootstrap knows little:
    with one, only the luck of the episodes is in it.
    """
    random = np.random.default_rng(0)
    count, episodes = scores.shape
    seeds = random.integers(0, count, (RESAMPLES, count))
    picks = random.integers(0, episodes, (RESAMPLES, episodes))
    counts = np.stack([np.bincount(row, minlength=count) for row in seeds]) / count
    drawn = counts @ scores
    low, high = np.quantile(np.take_along_axis(drawn, picks, axis=1).mean(1), [0.025, 0.975])
    found = Interval(float(scores.mean()), float(low), float(high), scores.size)
    if np.isin(scores, (0, 1)).all():
        wilson = _wilson(found.mean, episodes)
        return Interval(found.mean, min(low, wilson.low), max(high, wilson.high), scores.size)
    return found


def paired_difference(a: Sequence[float], b: Sequence[float]) -> Difference:
    """Mean of `a - b` over the same initial states, with a bootstrap interval.

    `p` is two-sided, from flipping the sign of each pair's difference at random: the share of
    sign patterns whose mean is at least as far from 0, counting the one observed.
    """
    difference = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    found = mean(difference.tolist())
    random = np.random.default_rng(0)
    signs = random.integers(0, 2, (RESAMPLES, len(difference)), dtype=np.int8) * 2 - 1
    flipped = np.abs(signs @ difference) / len(difference)
    # Differences that are equal on paper must compare as equal.
    extreme = np.count_nonzero(flipped >= abs(found.mean) - 1e-12)
    return Difference(found.mean, found.low, found.high, found.n, (extreme + 1) / (RESAMPLES + 1))


@dataclass(frozen=True)
class Smoothness:
    """How smooth executed actions are."""

    jerk: float
    """Mean squared third derivative of the actions, (robot units / s³)²."""
    boundary_jump: float
    """Mean distance between the last action of a chunk and the first of the next, robot units."""
    inner_step: float
    """The same between neighbours inside chunks: what a boundary without a jump would show."""


def smoothness(
    actions: Sequence[NDArray[np.floating]], boundaries: Sequence[Sequence[int]], rate_hz: float
) -> Smoothness:
    """Over episodes: `actions` are (T, A) each, `boundaries` the ticks at which a chunk began."""
    jerks: list[float] = []
    jumps: list[float] = []
    inner: list[float] = []
    for executed, begins in zip(actions, boundaries, strict=True):
        if len(executed) > 3:
            third = np.diff(executed.astype(np.float64), n=3, axis=0) * rate_hz**3
            jerks.append(float(np.square(third).sum(-1).mean()))
        steps = np.linalg.norm(np.diff(executed, axis=0), axis=-1)
        at_boundary = np.isin(np.arange(1, len(executed)), begins)
        jumps.extend(steps[at_boundary].tolist())
        inner.extend(steps[~at_boundary].tolist())
    return Smoothness(*(float(np.mean(x)) if x else 0.0 for x in (jerks, jumps, inner)))


def _bootstrap_means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    random = np.random.default_rng(0)
    picks = random.integers(0, len(values), (RESAMPLES, len(values)))
    return values[picks].mean(axis=1)
