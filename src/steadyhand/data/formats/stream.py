"""Reading a feature from beginning to end in pieces of one size, for writers."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes

PIECE_BYTES = 16_000_000
"""About as much is read and written at once."""


def piece_steps(episodes: Episodes, key: str) -> int:
    """How many steps of a feature make a piece."""
    array = episodes.arrays[key]
    step = max(int(np.prod(array.shape[1:])) * np.dtype(array.dtype).itemsize, 1)
    return int(np.clip(PIECE_BYTES // step, 1, max(episodes.steps, 1)))


def pieces(episodes: Episodes, key: str) -> Iterator[tuple[int, NDArray[Any]]]:
    """(first step, values), all of `piece_steps` steps but the last; only pictures come lazily."""
    size, steps = piece_steps(episodes, key), episodes.steps
    whole = episodes.read(key) if len(episodes.arrays[key].shape) < 4 else None
    for first in range(0, steps, size):
        end = min(first + size, steps)
        yield first, episodes.read(key, first, end) if whole is None else whole[first:end]
