"""Numbers that were read last are kept, up to so many bytes for all files together.

Whoever reads a column part by part, episode by episode, would else read each part many times.
"""

from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Kept:
    """By whatever says which they are; the first to go are those not asked for the longest."""

    def __init__(self, most: int) -> None:
        self._most, self._bytes = most, 0
        self._arrays: dict[Any, NDArray[np.generic]] = {}

    def get(self, key: Any) -> NDArray[np.generic] | None:
        found = self._arrays.pop(key, None)
        if found is not None:
            self._arrays[key] = found  # the last to go
        return found

    def put(self, key: Any, values: NDArray[np.generic]) -> None:
        before = self._arrays.pop(key, None)
        self._arrays[key] = values
        self._bytes += values.nbytes - (0 if before is None else before.nbytes)
        with suppress(KeyError, RuntimeError):  # another thread was at it, too
            while self._bytes > self._most and len(self._arrays) > 1:
                oldest = next(iter(self._arrays))
                self._bytes -= self._arrays.pop(oldest).nbytes


KEPT = Kept(1 << 27)
