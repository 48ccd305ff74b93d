"""Pictures of a small choice of episodes, by themselves: only these are decoded and kept.

Of a large choice the views of the whole set stay, so that what was decoded of it serves any.
"""

import zlib
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.data.lazy import Formed, LazyArray, Rows, take
from steadyhand.data.pictures.footage import Footage

BLOCK = 256
"""Pictures read in one go, at most."""


class Few:
    """Some rows of an array in a file, as an array of its own; `ends` are those of episodes."""

    def __init__(self, source: LazyArray, rows: NDArray[np.int64], ends: NDArray[np.int64]) -> None:
        self.source, self.rows = source, rows
        self.shape, self.dtype = (len(rows), *source.shape[1:]), source.dtype
        self.blocks = np.union1d(ends, np.arange(BLOCK, len(rows), BLOCK))
        """Where what is best read in one go ends: never across episodes."""

    def __getitem__(self, key: Any, /) -> Any:
        wanted = self.rows[key]
        flat = np.atleast_1d(wanted).reshape(-1)
        return take(self.source, flat).reshape(*np.shape(wanted), *self.shape[1:])

    def fingerprint(self) -> list[Any]:
        """Changes when the file does, or the choice."""
        return [self.source.fingerprint(), zlib.crc32(self.rows.tobytes())]  # type: ignore[attr-defined]


def by_themselves(episodes: Episodes) -> Episodes:
    """The same episodes, the pictures of each array of rows by themselves where they lie in files.

    `episodes` are what `subset` has made of a set.
    """
    pictures = [key for key in episodes.arrays if episodes.kind(key) in ("image", "depth")]
    changed = {key: _alone(episodes.arrays[key], episodes.ends) for key in pictures}
    return replace(episodes, arrays={**episodes.arrays, **changed})


def _alone(array: LazyArray, ends: NDArray[np.int64]) -> LazyArray:
    if not isinstance(array, Rows):
        return array
    source, rows = array.source, array.rows
    if isinstance(source, Formed):
        return Formed(_alone(Rows(source.source, rows), ends), source.form)
    if isinstance(source, Footage):
        return _films(source, rows, ends) or array
    return Few(source, rows, ends) if hasattr(source, "fingerprint") else array


def _films(footage: Footage, rows: NDArray[np.int64], ends: NDArray[np.int64]) -> Footage | None:
    """The whole clips that these rows are, one an episode; None where they are none."""
    clips, start = [], 0
    for end in ends.tolist():
        place = int(np.searchsorted(footage.blocks, rows[start], side="right"))
        clip = footage.clips[place]
        first = int(footage.blocks[place]) - clip.steps
        if not np.array_equal(rows[start:end], first + np.arange(clip.steps)):
            return None
        clips.append(clip)
        start = end
    return Footage(clips)
