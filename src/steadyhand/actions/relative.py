"""Chunks relative to where the robot is now: every row less the same reference, (…, 1, A).

The reference is the state at the time of prediction, not the row before (that would be a delta,
whose errors add up over the chunk).
"""

from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

# A chunk (…, H, A) of numpy or torch; only + and - are used.
Chunk = TypeVar("Chunk", NDArray[np.float32], "Tensor")


def to_relative(actions: Chunk, reference: Chunk) -> Chunk:
    """Absolute actions (…, H, A) less the reference (…, 1, A)."""
    return actions - reference


def to_absolute(actions: Chunk, reference: Chunk) -> Chunk:
    """Relative actions (…, H, A) plus the reference (…, 1, A)."""
    return actions + reference
