"""Clouds of points as rows, however they were laid out: (count, columns), float32.

The first three columns are a place in metres; what else was recorded of a point, as its colour,
stays as it is. A point that was not measured lies at 0 0 0.
"""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.kinds.depth import METRES, scaled
from steadyhand.sizes import SMALLEST_IMAGE

COLUMNS = range(3, 8)
"""How many numbers there are to a point, where nothing says that they are points."""
MOST_POINTS = 1 << 16
"""Of one step: more would be read and kept for each."""


@dataclass(frozen=True)
class AsPoints:
    """The form of a cloud: a row a point, whether they lay in a row or as the pixels of a map."""

    turned: bool = False
    """Whether the numbers of a point lie along the first axis."""
    per_metre: float = METRES
    dtype = np.dtype(np.float32)

    def shape(self, recorded: tuple[int, ...]) -> tuple[int, ...]:
        if self.turned:
            recorded = (*recorded[1:], recorded[0])
        return (prod(recorded[:-1]), recorded[-1])

    def __call__(self, values: NDArray[Any], /) -> NDArray[np.float32]:
        count, shape = len(values), self.shape(values.shape[1:])
        rows = np.moveaxis(values, 1, -1) if self.turned else values
        rows = rows.reshape(count, *shape)
        found = rows.astype(np.float32)
        found[..., :3] = scaled(rows[..., :3], self.per_metre)
        found[~np.isfinite(found).all(axis=-1)] = 0
        return found


def turned_map(shape: tuple[int, ...]) -> bool | None:
    """Whether a map of places has them along its first axis, and not its last; None for no map."""
    if len(shape) != 3:
        return None
    if shape[2] in COLUMNS and min(shape[:2]) >= SMALLEST_IMAGE:
        return False
    return True if shape[0] in COLUMNS and min(shape[1:]) >= SMALLEST_IMAGE else None


def columns_first(shape: tuple[int, ...]) -> bool:
    """Whether a table of points (rows, columns) has the numbers of a point along its first axis."""
    first, last = shape[0], shape[-1]
    if (first in COLUMNS) != (last in COLUMNS):
        return first in COLUMNS
    return first < last
