"""Reading a feature from beginning to end in pieces of one size, for writers."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.data.formats.limits import FREE, bytes_of

PIECE_BYTES = 16_000_000
"""About as much is read and written at once."""


def piece_steps(episodes: Episodes, key: str) -> int:
    """How many steps of a feature make a piece."""
    array = episodes.arrays[key]
    step = max(int(np.prod(array.shape[1:])) * np.dtype(array.dtype).itemsize, 1)
    return int(np.clip(PIECE_BYTES // step, 1, max(episodes.steps, 1)))


def pieces(episodes: Episodes, key: str) -> Iterator[tuple[int, NDArray[Any]]]:
    """(first step, values), all of `piece_steps` steps but the last.

    Pictures come lazily, and numbers that are more than is held at once.
    """
    size, steps, array = piece_steps(episodes, key), episodes.steps, episodes.arrays[key]
    lazy = len(array.shape) > 3 or bytes_of((steps, *array.shape[1:]), array.dtype) > FREE
    whole = None if lazy else episodes.read(key)
    for first in range(0, steps, size):
        end = min(first + size, steps)
        yield first, episodes.read(key, first, end) if whole is None else whole[first:end]
