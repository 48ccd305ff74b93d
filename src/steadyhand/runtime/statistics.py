"""What a policy's card knows of the numbers of a feature: the basis of every normaliser.

They are taken of demonstrations in `data`; here is what they mean, for whoever reads a card.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
FAR = 1024.0
"""Float32 is too coarse for numbers that lie so many times half their range from zero."""
FAR_CONSTANT = 2.0**16
"""And for those that never move and lie so far, in robot units."""
LARGEST = 1e150
"""Of numbers beyond, not even float64 holds the squares: no deviation is known."""
WIDEST = 1e37
"""Ranges above this, or below one part of it, are beyond what float32 holds at all."""

SUMMED = ("mean", "deviation")


@dataclass(frozen=True)
class Statistics:
    """Per-dimension figures of one feature, each of the feature's shape, in float64."""

    minimum: Numbers
    maximum: Numbers
    mean: Numbers
    deviation: Numbers
    low: Numbers
    """The 1 % quantile."""
    high: Numbers
    """The 99 % quantile."""
    rare_low: Numbers | None = None
    """The lowest number, the lowest thousandth left out; None in policies of before."""
    rare_high: Numbers | None = None
    """The highest, the highest thousandth left out."""
    rounding: Numbers | None = None
    """Ranges up to this are the rounding of the recorded numbers; None in policies of before."""

    def agrees(self, other: "Statistics") -> bool:
        """Whether both are of the same numbers: sums may be rounded in another order.

        What one of them, of before, does not know is left aside.
        """
        known = {k: v for k, v in vars(other).items() if v is not None}
        pairs = {k: (v, known[k]) for k, v in vars(self).items() if v is not None and k in known}
        return all(
            a.shape == b.shape and np.allclose(a, b, rtol=1e-9 * (k in SUMMED), atol=0)
            for k, (a, b) in pairs.items()
        )

    @property
    def constant(self) -> NDArray[np.bool_]:
        """The dimensions in which nothing moves, as far as their numbers can tell."""
        extent = self.maximum - self.minimum
        # In policies of before, a range below 1e-4 was none in any unit, as in the paper's code.
        return extent < 1e-4 if self.rounding is None else extent <= self.rounding


def far(middle: Numbers, half: Numbers) -> NDArray[np.bool_]:
    """Where numbers from `middle - half` to `middle + half` are too far from zero for float32.

    It would round them by more than some ten-thousandth of how they move; numbers that never move
    (`half` of 0) by more than some thousandth of a unit.
    """
    beyond = (half > WIDEST) | ((half > 0) & (half < 1 / WIDEST))
    return beyond | (np.abs(middle) > np.where(half > 0, FAR * half, FAR_CONSTANT))
