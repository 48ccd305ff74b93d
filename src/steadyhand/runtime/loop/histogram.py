"""How often which duration occurred, in bins that are fixed: of days as small as of a second."""

import math
from typing import Any

import numpy as np

PER_DECADE = 200
"""Bins between 1 ms and 10 ms, say: a percentile is right within 1.2 %."""
LOWEST, DECADES = 1e-3, 8
"""Milliseconds below which all are one, and how many powers of ten from there: to 100 s."""


class Histogram:
    """Durations in milliseconds. The count, the mean and the largest are exact."""

    def __init__(self) -> None:
        self.counts = np.zeros(PER_DECADE * DECADES + 1, np.int64)
        self.n, self._sum, self._largest = 0, 0.0, 0.0

    def add(self, milliseconds: float) -> None:
        """Count one; what is below zero, as where a clock was set back, counts as zero."""
        value = max(0.0, milliseconds)
        place = 0 if value <= LOWEST else math.ceil(math.log10(value / LOWEST) * PER_DECADE)
        self.counts[min(place, len(self.counts) - 1)] += 1
        self.n, self._sum = self.n + 1, self._sum + value
        self._largest = max(self._largest, value)

    def max(self) -> float:
        return self._largest

    def mean(self) -> float:
        return self._sum / self.n if self.n else 0.0

    def percentile(self, percent: float) -> float:
        """The upper end of the bin that it falls into, at most the largest; 0 of nothing."""
        if not self.n:
            return 0.0
        place = int(np.searchsorted(np.cumsum(self.counts), self.n * percent / 100 - 1e-9))
        return min(_upper(place), self._largest)

    def copy(self) -> "Histogram":
        twin = Histogram()
        twin.counts = self.counts.copy()
        twin.n, twin._sum, twin._largest = self.n, self._sum, self._largest
        return twin

    def as_json(self) -> dict[str, Any]:
        """Percentiles, and the bins that are not empty as [upper end in milliseconds, count]."""
        named = {"median": 50, "p95": 95, "p99": 99, "p999": 99.9}
        filled = np.flatnonzero(self.counts)
        return {
            "n": self.n,
            "mean": round(self.mean(), 4),
            **{name: round(self.percentile(percent), 4) for name, percent in named.items()},
            "max": round(self._largest, 4),
            "bins": [[round(_upper(int(at)), 4), int(self.counts[at])] for at in filled],
        }


def _upper(place: int) -> float:
    return LOWEST * 10 ** (place / PER_DECADE)
