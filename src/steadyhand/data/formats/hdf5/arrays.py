"""The datasets of many episodes as one array: numbers, or pictures, decoded when asked for.

Episodes lie in groups of one file, or in a file each. What was not looked at when the set was
opened is looked at when it is read.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.files import stamp
from steadyhand.data.formats.hdf5.bytes import Pictures, bytes_at, decoded, row
from steadyhand.data.formats.hdf5.heaps import read_only
from steadyhand.data.formats.hdf5.inside import array_at, attribute, child
from steadyhand.data.formats.limits import FREE, bytes_of, require_stored
from steadyhand.data.kinds.depth import SAID
from steadyhand.data.lazy import DENSE, damage_told, gathered, grouped
from steadyhand.disk import regular
from steadyhand.errors import DataError, MissingExtraError

TOGETHER = 1 << 25
"""Bytes of pictures that are about read in one go."""


@dataclass(frozen=True)
class Spot:
    """Where an episode is: a group of a file, "" for all of it, and what it is called."""

    number: int
    file: Path
    group: str
    name: str


@dataclass(frozen=True)
class Part:
    """A dataset of one episode, and how many of its rows are steps."""

    spot: Spot
    place: str
    """Below the group of the episode."""
    steps: int
    looked_at: bool = True


class Reader(Protocol):
    """What is made of the rows of a dataset."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a step."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]: ...
    def require(self, dataset: Any, part: Part, size: int) -> None:
        """Raise `ValueError` for a dataset that is not like the others."""
        ...

    def read(self, dataset: Any, steps: NDArray[np.int64]) -> NDArray[Any]:
        """(n,) → (n, *shape)."""
        ...


@dataclass(frozen=True)
class Numbers:
    """Rows of numbers."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def require(self, dataset: Any, part: Part, size: int) -> None:
        found = array_at(part.place, dataset, size)
        if found.shape[1:] != self.shape or found.shape[0] < part.steps:
            raise ValueError(f"its shape is {found.shape}, not {(part.steps, *self.shape)}")
        if not np.can_cast(found.dtype, self.dtype, "same_kind"):
            raise ValueError(f"it holds {found.dtype}, and others {self.dtype}")

    def read(self, dataset: Any, steps: NDArray[np.int64]) -> NDArray[Any]:
        first, last = int(steps.min()), int(steps.max())
        if last - first >= DENSE * len(steps):
            return np.stack([dataset[step] for step in steps.tolist()])
        return dataset[first : last + 1][steps - first]


@dataclass(frozen=True)
class Encoded:
    """Rows of bytes, which are pictures."""

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]

    def require(self, dataset: Any, part: Part, size: int) -> None:
        found = bytes_at(part.place, dataset, size)
        if not isinstance(found, Pictures) or found.rows < part.steps:
            raise ValueError("it holds no pictures, or fewer than there are steps")

    def read(self, dataset: Any, steps: NDArray[np.int64]) -> NDArray[Any]:
        rows = (row(dataset, step) for step in steps.tolist())
        return np.stack([decoded(content, self.shape, self.dtype) for content in rows])


class Series:
    """The datasets of all episodes, one after the other; flat numbers can be kept once read."""

    def __init__(self, key: str, parts: Sequence[Part], reader: Reader, *, keep: bool) -> None:
        self._key, self._parts, self._reader, self._keep = key, tuple(parts), reader, keep
        self._ends = np.cumsum([part.steps for part in parts])
        self.shape, self.dtype = (int(self._ends[-1]), *reader.shape), reader.dtype

    @property
    def said(self) -> dict[str, Any]:
        """What the file says of the numbers of the first, as the unit of depth."""
        part = self._parts[0]
        try:
            with read_only(part.spot.file) as file:
                dataset = child(file, f"{part.spot.group}/{part.place}".strip("/"))
                return {name: attribute(dataset, name) for name in SAID if name in dataset.attrs}
        except MissingExtraError:
            raise
        except Exception:  # a damaged file can raise nearly anything, and is told where it is read
            return {}

    def fingerprint(self) -> list[Any]:
        """Changes when a file does."""
        files = dict.fromkeys(part.spot.file for part in self._parts)
        return [*map(stamp, files), self._key]

    @cached_property
    def blocks(self) -> NDArray[np.int64]:
        """Where each stretch ends that is read in one go: within episodes, of bounded size."""
        size = max(int(np.prod(self.shape[1:])) * self.dtype.itemsize, 1)
        most, ends, start = max(TOGETHER // size, 1), list[int](), 0
        for end in self._ends.tolist():
            ends += [*range(start + most, end, most), end]
            start = end
        return np.array(ends)

    def __getitem__(self, key: Any, /) -> Any:
        kept = self._values if self._keep and len(self.shape) < 4 else None
        return gathered(self, key, self._read) if kept is None else kept[key]

    @cached_property
    def _values(self) -> NDArray[Any] | None:
        """All of it; None where a part cannot be read, which does not cost the others."""
        try:
            return gathered(self, slice(None), self._read)
        except DataError:
            return None

    @cached_property
    def stored(self) -> int:
        """Bytes of all that is stored beside it, too."""
        return sum(regular(file) for file in {part.spot.file for part in self._parts})

    def _read(self, rows: NDArray[np.int64]) -> Iterator[tuple[Any, Any]]:
        places = np.searchsorted(self._ends, rows, side="right")
        if (needed := bytes_of((len(rows), *self.shape[1:]), self.dtype)) > FREE:
            with damage_told(self._parts[0].spot.file, self._key):
                require_stored(needed, self.stored)
        with ExitStack() as stack:
            file, opened, size = None, None, 0
            for place, here in grouped(places):
                part = self._parts[place]
                steps = rows[here] - (self._ends[place] - part.steps)
                where = f"{part.spot.group}/{part.place}".strip("/")
                with damage_told(part.spot.file, where, part.spot.number):
                    if file != part.spot.file:
                        stack.close()
                        file, size = part.spot.file, regular(part.spot.file)
                        opened = stack.enter_context(read_only(file))
                    dataset = child(opened, where)
                    if not part.looked_at:
                        self._reader.require(dataset, part, size)
                    values = self._reader.read(dataset, steps)
                yield here, values
