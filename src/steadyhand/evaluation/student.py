"""Student's t distribution for whole degrees of freedom, by its finite sums. Standard library and
numpy only."""

import math
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


@lru_cache(maxsize=1024)
def quantile(freedom: int) -> float:
    """The t with 95 % of the probability between -t and t, by bisection."""
    low, high = 1.9, 13.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle, freedom) < 0.95 else (low, middle)
    return high
