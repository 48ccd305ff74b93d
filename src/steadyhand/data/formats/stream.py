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
    """(first step, values), all of `piece_steps` steps but the last; read episode by episode."""
    size, held, start = piece_steps(episodes, key), [], 0
    if len(episodes.arrays[key].shape) < 4:
        values = episodes.read(key)
        for first in range(0, len(values), size):
            yield first, values[first : first + size]
        return
    for first, end in zip(episodes.starts, episodes.ends, strict=True):
        for here in range(int(first), int(end), size):
            held.append(episodes.read(key, here, min(here + size, int(end))))
            while sum(map(len, held)) >= size:
                joined = np.concatenate(held)
                yield start, joined[:size]
                start += size
                held = [joined[size:]]
    if sum(map(len, held)):
        yield start, np.concatenate(held)
