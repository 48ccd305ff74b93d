"""Draws what lies in a plane as pixels, smooth at the edges, with numpy alone."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Colour = NDArray[np.float32]
Place = Sequence[float] | NDArray[np.floating]
"""x, y."""
PIXELS = 300
"""Per metre."""
FLOOR, BLOCK, GOAL, TRAIL, ROBOT = (
    np.array(colour, dtype=np.float32)
    for colour in ((247, 247, 245), (68, 71, 78), (140, 199, 143), (158, 187, 226), (45, 100, 180))
)


class FlatPicture:
    """An empty floor at first, with y upwards; `arena` is x from, x to, y from, y to, metres."""

    def __init__(self, arena: tuple[float, float, float, float]) -> None:
        self._left, x_to, y_from, self._top = arena
        width = round((x_to - self._left) * PIXELS)
        height = round((self._top - y_from) * PIXELS)
        self._x = self._left + (np.arange(width) + 0.5) / PIXELS
        self._y = self._top - (np.arange(height)[:, None] + 0.5) / PIXELS
        self._picture = np.broadcast_to(FLOOR, (height, width, 3)).copy()

    def disc(self, place: Place, radius: float, colour: Colour) -> None:
        x, y = place
        column, row = round((x - self._left) * PIXELS), round((self._top - y) * PIXELS)
        reach = int(radius * PIXELS) + 2
        rows = slice(max(row - reach, 0), max(row + reach, 0))
        columns = slice(max(column - reach, 0), max(column + reach, 0))
        far = np.hypot(self._x[columns] - x, self._y[rows] - y) - radius
        self._paint((rows, columns), far, colour)

    def rectangle(self, x_from: float, x_to: float, y_from: float, y_to: float) -> None:
        """A block."""
        beside = np.maximum(x_from - self._x, self._x - x_to)
        beyond = np.maximum(y_from - self._y, self._y - y_to)
        self._paint((slice(None), slice(None)), np.maximum(beside, beyond), BLOCK)

    def pixels(self) -> NDArray[np.uint8]:
        """(height, width, 3)."""
        return self._picture.round().astype(np.uint8)

    def _paint(
        self, part: tuple[slice, slice], distance: NDArray[np.floating], colour: Colour
    ) -> None:
        cover = np.clip(0.5 - distance * PIXELS, 0, 1)[..., None].astype(np.float32)
        self._picture[part] += cover * (colour - self._picture[part])
