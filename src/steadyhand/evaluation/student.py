"""Student's t distribution for whole degrees of freedom, by its finite sums. Standard library and
numpy only."""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np


def within(t: float, freedom: int) -> float:
    """The probability of |T| ≤ t (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4)."""
    angle = math.atan2(t, math.sqrt(freedom))
    odd = freedom % 2
    k = np.arange(1 + odd, freedom - 2, 2)
    series = 1 + float(np.cumprod(k / (k + 1) * math.cos(angle) ** 2).sum())
    if not odd:
        return math.sin(angle) * series
    more = math.sin(angle) * math.cos(angle) * series if freedom > 1 else 0.0
    return 2 / math.pi * (angle + more)


@lru_cache(maxsize=65536)
def quantile(freedom: int, p: float = 0.05) -> float:
    """The t with all but `p` of the probability between -t and t, by bisection."""
    low, high = 0.0, 13.0
    while within(high, freedom) < 1 - p:
        low, high = high, 2 * high
    while high - low > 1e-12 * max(high, 1):
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle, freedom) < 1 - p else (low, middle)
    return high


Mixture = Sequence[tuple[float, int]]
"""(weight, degrees of freedom) of Student's distributions between which a quantile lies."""


def mixed(parts: Mixture, p: float = 0.05) -> float:
    """The weighted mean of the quantiles of several distributions (Cochran and Cox 1950)."""
    return sum(weight * quantile(freedom, p) for weight, freedom in parts)


def between(freedom: float) -> Mixture:
    """The two whole degrees of freedom around, weighted as quantiles go between them: by 1 / f."""
    whole = math.floor(freedom + 1e-9)
    part = (1 - whole / freedom) * (whole + 1)
    return ((1 - part, whole), (part, whole + 1)) if part > 0 else ((1.0, whole),)


def chance(t: float, parts: Mixture) -> float:
    """The p at which the mixed quantile is `t`: below 0.05 exactly where `t` is above its 95 %.

    Between points that are the same for every `t`, sixteen to a doubling, log p is taken to be
    straight in log t, which is right to 1e-3 of p. What is below 1e-12 is said
    to be that.
    """
    if len(parts) == 1:
        return max(1 - within(t, parts[0][1]), 0.0)
    low, high = -16 * 35, 16 * 4
    if t >= mixed(parts, _point(low)):
        return _point(low)
    if t <= (last := mixed(parts, _point(high))):
        return 1 - (1 - _point(high)) * t / last
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if mixed(parts, _point(middle)) < t else (middle, high)
    most, least = (math.log(mixed(parts, _point(end))) for end in (low, high))
    return _point(high - (math.log(t) - least) / (most - least))


def _point(number: float) -> float:
    return 0.05 * 2 ** (number / 16)
