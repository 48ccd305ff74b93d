"""Figures with their uncertainty: rates, means, paired differences. Numpy only.

One procedure a kind. Figures without bounds: Student's t. Figures that lie in 0…1: Wilson's score
interval (1927) of as many episodes as would vary so much, as Korn and Graubard (1998) count them.
Of one episode there is no interval.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError
from steadyhand.evaluation.student import Mixture, between, chance, mixed, quantile

Z = 1.959963984540054
ROUNDING = 1e-12
"""What differs by less, relative to its size, is equal on paper."""
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval over `n` episodes.

    `low` and `high` are nan where nothing can be said: of one episode, and of figures without
    bounds that are all alike.
    """

    mean: float
    low: float
    high: float
    n: int

    @property
    def known(self) -> bool:
        """Whether there is an interval."""
        return math.isfinite(self.low)

    def as_json(self) -> dict[str, float | None]:
        """Every figure by name, null where there is none."""
        return {name: value if math.isfinite(value) else None for name, value in vars(self).items()}

    def __str__(self) -> str:
        return f"{self.mean:.3f} {self.bounds('.3f')}"

    def bounds(self, form: str, between: str = "[{}, {}]", scale: float = 1) -> str:
        """The interval as text, each end in the format `form`; or why there is none."""
        if not self.known:
            return "(n = 1)" if self.n == 1 else "(all alike)"
        return between.format(f"{scale * self.low:{form}}", f"{scale * self.high:{form}}")


@dataclass(frozen=True)
class Difference(Interval):
    """The mean paired difference; `p` is below 0.05 exactly where the interval leaves out 0."""

    p: float
    """Two-sided, of this comparison alone; nan of one pair."""
    adjusted_p: float = field(default=math.nan, kw_only=True)
    """Of all comparisons that were made together (`compare` fills it in)."""


@dataclass(frozen=True)
class Spread:
    """What the means of training seeds vary by, over the rows of a whole study."""

    variance: float
    freedom: int


def rate(outcomes: Sequence[bool]) -> Interval:
    """A share with Wilson's score interval.

    Counts are whole numbers, so that no interval holds every true share in 95 % of cases. Of 2 to
    500 episodes this one does in 95.0 to 95.6 %, on average over shares from 0.02 to 0.98, and
    beyond 20 episodes in at least 91 % for each of them.
    """
    n, share = len(outcomes), sum(outcomes) / len(outcomes)
    return _figure(share, n, _score(share, share * (1 - share) / n, n, Z, (0, 1)))


def mean(values: Sequence[float], *, share: bool | None = None) -> Interval:
    """A mean with its interval over episodes.

    `share` says whether values are parts of a whole, from 0 to 1. Where it is not said, they are
    if all of them lie there and one at an end, or all at one place: measured numbers do not.

    Student's t is exact for normal values and holds 93 to 97 % for others that are not very
    skewed (uniform ones 92 to 93 % of 2 or 3 episodes, exponential ones 88 to 91 % below 10). The
    score interval holds coverages, of which many are 1 exactly, in 93 % or more of cases, but
    where nearly all are (91 % with 95 of 100); of few such episodes in more than 97 %.
    """
    array = np.asarray(values, dtype=np.float64)
    n, found = len(array), float(array.mean())
    if n == 1:
        return _figure(found, 1, None)
    alike, variance = _alike(array, array), float(array.var(ddof=1)) / n
    if _between_0_and_1(array, share, alike):
        # What is all alike says no more than so many equal outcomes do.
        q = Z if alike else quantile(n - 1)
        return _figure(found, n, _score(found, 0 if alike else variance, n, q, (0, 1)))
    half = quantile(n - 1) * math.sqrt(variance)
    return _figure(found, n, None if alike else (found - half, found + half))


def over_seeds(scores: NDArray[np.floating], *, share: bool | None = None) -> Interval:
    """The mean of (seeds, episodes) scores, all seeds on the same episodes, with its interval.

    Seeds and episodes both vary: the variances of crossed random effects (of seeds with what seeds
    and episodes do together, and of episodes), and a t quantile between theirs (Cochran and Cox
    1950), which holds 93 to 97 % from two seeds and fifty episodes on, and outcomes of ten or
    twenty episodes 97 to 99 %. Of one seed, only the luck of the episodes is in it (95 to 96 %).
    `share` as in `mean`.
    """
    array = np.asarray(scores, dtype=np.float64)
    seeds, episodes = array.shape
    if seeds == 1:
        outcomes = np.isin(array, (0, 1)).all()
        return rate((array[0] == 1).tolist()) if outcomes else mean(array[0].tolist(), share=share)
    found, n, alike = float(array.mean()), array.size, _alike(array, array)
    if episodes == 1:
        return _figure(found, n, None)
    variance, parts = _crossed(array)
    # What is all alike says no more than so many equal outcomes do.
    variance, q = (0, Z) if alike else (variance, mixed(parts))
    if _between_0_and_1(array, share, alike):
        return _figure(found, n, _score(found, variance, episodes, q, (0, 1)))
    half = q * math.sqrt(variance)
    return _figure(found, n, None if alike else (found - half, found + half))


def paired_difference(
    a: Sequence[float], b: Sequence[float], *, share: bool | None = None
) -> Difference:
    """Mean of `a - b` over the same initial states, with interval and p of one procedure.

    The paired t test and its interval; of figures in 0…1 (`share` as in `mean`) the score test of
    a mean between -1 and 1, with t quantiles, so that few pairs that differ are not taken for
    proof. Where nothing differs at most 5 % are told apart (outcomes: 6 % where nearly every pair
    differs; fewer than six pairs are never told apart by outcomes).
    """
    one, other = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    n = len(one)
    variance = float((one - other).var(ddof=1)) / n if n > 1 else math.nan
    return _tested(one, other, variance, ((1.0, n - 1),), share)


def difference_over_seeds(
    a: NDArray[np.floating],
    b: NDArray[np.floating],
    *,
    share: bool | None = None,
    apart: bool = False,
    spread: Spread | None = None,
) -> Difference:
    """Mean of `a - b`, (seeds, episodes) scores of two policies on the same episodes.

    Training k of the one is set against training k of the other, which may be the same network in
    another use. Where all were trained `apart`, more can be told: how far the seeds of each lie
    from one another counts for itself (Welch 1947). Seeds and episodes both vary, as in
    `over_seeds`; interval and p are of one procedure, `share` as in `mean`. Of one seed it is
    `paired_difference`, which says nothing about other trainings: two methods that are equal differ
    by as much as their seeds do, and often are told apart.

    The interval holds the truth in 93 to 97 % of cases (of 2, 3 and 5 seeds, 10 to 200 episodes,
    outcomes and measured numbers). `apart` it is 92 to 98 %: the least where one policy's seeds
    all agree and the other's do not, the most with two seeds, where it is half as wide.

    `spread` is the least that seeds are taken to vary by: of each policy's where they are `apart`,
    of the differences elsewhere (`compare.differences_over_seeds` finds it).

    Raises `ConfigurationError` where the shapes differ.
    """
    one, other = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if one.shape != other.shape or one.ndim != 2:
        raise ConfigurationError(
            f"Scores of shape {one.shape} and {other.shape} cannot be compared: both are "
            "(seeds, episodes), with as many seeds, on the same episodes."
        )
    seeds, episodes = one.shape
    if seeds == 1:
        return paired_difference(one[0].tolist(), other[0].tolist(), share=share)
    if episodes == 1:
        return _tested(one, other, math.nan, (), share)
    varying = (one, other) if apart else (one - other,)
    least = spread.variance if spread else 0.0
    own = [max(float(each.mean(1).var(ddof=1)), least) / seeds for each in varying]
    variance, parts = _crossed(one - other, own, spread.freedom if spread else None)
    return _tested(one, other, variance, parts, share)


def _tested(
    one: Numbers, other: Numbers, variance: float, parts: Mixture, share: bool | None
) -> Difference:
    """The difference whose mean has this variance and these quantiles; episodes come last."""
    both, difference = np.concatenate([one, other]), one - other
    n, episodes, found = difference.size, difference.shape[-1], float(difference.mean())
    if episodes == 1:
        return Difference(found, math.nan, math.nan, n, math.nan)
    if alike := _alike(difference, both):
        variance, parts = 0, ((1.0, episodes - 1),)
    shares, q = _between_0_and_1(both, share, _alike(both, both)), mixed(parts)
    if not (shares or alike):
        half, t = q * math.sqrt(variance), abs(found) / math.sqrt(variance)
        return Difference(found, found - half, found + half, n, chance(t, parts))
    # How far a difference may go: of figures without bounds, as far as they lie apart.
    most = 1.0 if shares else float(np.ptp(both))
    if most == 0:
        return Difference(0.0, math.nan, math.nan, n, 1.0)
    low, high = _score(found, variance, episodes, q, (-most, most))
    part = abs(found) / most
    t = math.sqrt(episodes * part if alike else max(1 - part**2, 0) * found**2 / variance)
    return Difference(found, low, high, n, chance(t, parts))


def _figure(found: float, n: int, ends: tuple[float, float] | None) -> Interval:
    low, high = (math.nan, math.nan) if ends is None or n == 1 else ends
    return Interval(found, low, high, n)


def _crossed(
    array: Numbers, own: Sequence[float] | None = None, freedom: float | None = None
) -> tuple[float, Mixture]:
    """The variance of the mean of (seeds, episodes) values, and whose quantiles go with it.

    `own` are the variances by seeds, where these are not the values' own; `freedom` how well they
    are known, where that is not by these seeds alone.
    """
    seeds, episodes = array.shape
    of_seeds, of_episodes = array.mean(1), array.mean(0)
    rest = array - of_seeds[:, None] - of_episodes + array.mean()
    both = float(np.square(rest).sum()) / ((seeds - 1) * (episodes - 1))
    own = own or [float(of_seeds.var(ddof=1)) / seeds]
    by_seed = sum(own)
    by_episode = max(float(of_episodes.var(ddof=1)) - both / seeds, 0) / episodes
    variance = by_seed + by_episode
    if variance <= (ROUNDING * float(np.abs(array).max())) ** 2:
        # Outcomes may add up to the same for every seed: seeds share their episodes.
        return float(array.var(ddof=1)) / episodes, ((1.0, episodes - 1),)
    if by_seed > 0 and freedom is None:
        freedom = by_seed**2 / sum(x**2 for x in own) * (seeds - 1)
    freedoms = between(freedom) if freedom else ()
    of_both = [(by_seed * part / variance, whole) for part, whole in freedoms]
    return variance, (*of_both, (by_episode / variance, episodes - 1))


def _alike(values: Numbers, size: Numbers) -> bool:
    return float(np.ptp(values)) <= ROUNDING * float(np.abs(size).max())


def _between_0_and_1(values: Numbers, share: bool | None, alike: bool) -> bool:
    inside = bool(((values >= 0) & (values <= 1)).all())
    told = np.isin(values, (0, 1)).any() or alike if share is None else share
    return inside and bool(told)


def _score(
    found: float, variance: float, n: int, q: float, ends: tuple[float, float]
) -> tuple[float, float]:
    """Wilson's interval of a mean between two ends; `variance` is that of the mean.

    A variance of 0 says that all `n` were alike: as many as Wilson's interval allows (the rule of
    three) may be at either end.
    """
    low, high = ends
    if variance == 0:
        others = q**2 / (n + q**2)
        return found - others * (found - low), found + others * (high - found)
    span = (found - low) * (high - found)
    k = q**2 * variance / span
    centre = (found + k * (low + high) / 2) / (1 + k)
    half = math.sqrt(span * k + (high - low) ** 2 * k**2 / 4) / (1 + k)
    return max(centre - half, low), min(centre + half, high)
