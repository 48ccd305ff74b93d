"""One array of a zarr store: rows read when they are asked for, chunk by chunk.

A chunk that is not stored holds the array's fill value, as zarr has it; but in what this project
wrote, which stores every chunk and a checksum of them all, one that is not there is damage.
"""

import math
import zlib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.formats import limits
from steadyhand.data.formats.zarr.layout import Layout
from steadyhand.data.formats.zarr.store import Store
from steadyhand.data.kinds.depth import SAID
from steadyhand.data.lazy import LazyArray, damage_told, grouped, rows_of
from steadyhand.errors import DataError

TOGETHER = 128
"""Steps that are read at once at least, where chunks are smaller."""
CHECKSUM = "crc32"
"""The attribute of an array that holds its checksum, where this project wrote it."""
LOOKED_FOR = 1000
"""Chunks of an array that are looked for when it is opened, evenly spread."""


def checksum(values: NDArray[Any], array: LazyArray, before: int | None = None) -> int:
    """The checksum of an array's shape, its kind and, piece by piece, its numbers."""
    if before is None:
        before = zlib.crc32(f"{tuple(array.shape)} {np.dtype(array.dtype).str}".encode())
    return zlib.crc32(np.ascontiguousarray(values).data, before)


class ZarrArray:
    """A zarr array that reads what is stored, and its fill value only where that is meant."""

    def __init__(self, store: Store, layout: Layout, path: Path, key: str) -> None:
        self._store, self._layout, self._path, self._place = store, layout, path, key
        self._key = key.rpartition("/")[2]
        self.shape, self.dtype = layout.shape, layout.dtype
        said = layout.attributes.get(CHECKSUM)
        # Others may keep something else under that name.
        self._expected = said if type(said) is int else None

    @property
    def said(self) -> dict[str, Any]:
        """What its attributes say of its numbers, as the unit of depth."""
        known = self._layout.attributes
        return {name: known[name] for name in SAID if name in known}

    @cached_property
    def _sizes(self) -> dict[str, int]:
        return self._store.sizes(self._place)

    @property
    def stored(self) -> int:
        """Bytes that are stored of it."""
        return sum(self._sizes.values())

    @cached_property
    def _missing(self) -> int:
        chunks, known = math.prod(self._layout.grid), self._sizes
        if chunks > len(known):  # a stranger can declare more chunks than could ever be counted
            return chunks - sum(1 for key in known if key[-1:].isdecimal())
        return sum(self._layout.key(place) not in known for place in np.ndindex(*self._layout.grid))

    def unstored(self) -> str | None:
        """What is to be said of chunks that are read as the fill value, if there are any."""
        if self._expected is not None or self._layout.fill is None:
            return None  # such are damage, and told where they are read
        chunks = math.prod(self._layout.grid)
        count = min(chunks, LOOKED_FOR)
        numbers = (number * chunks // count for number in range(count))
        places = (np.unravel_index(number, self._layout.grid) for number in numbers)
        keys = (self._layout.key(tuple(map(int, place))) for place in places)
        absent = sum(not self._store.has(f"{self._place}/{key}") for key in keys)
        looked = f"{count} chunks" if count == chunks else f"{count} chunks that were looked for"
        return f"{absent} of {looked} ({self._layout.fill})" if absent else None

    @property
    def blocks(self) -> NDArray[np.int64]:
        """Where each stretch of time ends that is stored, and so read, in one piece."""
        steps, chunk = self.shape[0], self._layout.chunks[0]
        stretch = chunk * -(-TOGETHER // chunk)
        return np.append(np.arange(stretch, steps, stretch), steps)

    def fingerprint(self) -> list[Any]:
        """Changes when what is stored does."""
        return self._store.fingerprint(self._place)

    def __getitem__(self, key: Any, /) -> Any:
        with damage_told(self._path, self._key):
            if self._expected is not None and self._missing:
                raise DataError(
                    f"{self._missing} of {math.prod(self._layout.grid)} chunks are not there, all "
                    "of which were written"
                )
            wanted = rows_of(key, self.shape[0])
            values = self._rows(np.atleast_1d(wanted).reshape(-1))
            values = values.reshape((*np.shape(wanted), *self.shape[1:]))
            whole = isinstance(key, slice) and key.indices(self.shape[0]) == (0, self.shape[0], 1)
            if whole and self._expected not in (None, checksum(values, self)):
                raise DataError("its numbers are not those that were written")
            return values

    def _rows(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """The rows of those numbers, in their order; each chunk is unpacked once."""
        layout, (size, *sizes) = self._layout, self._layout.chunks
        shape = (len(rows), *self.shape[1:])
        if (needed := limits.bytes_of(shape, self.dtype)) > limits.FREE:
            limits.require_stored(needed, self.stored)
        values = np.empty(shape, self.dtype)
        for first, here in grouped(rows // size):
            inside = _span(rows[here] - first * size)
            for rest in np.ndindex(*layout.grid[1:]):
                spans = [slice(i * n, (i + 1) * n) for i, n in zip(rest, sizes, strict=True)]
                window = values[(slice(None), *spans)]
                if (chunk := self._chunk((first, *rest))) is None:
                    window[_span(here)] = layout.fill
                else:
                    window[_span(here)] = chunk[(inside, *map(slice, window.shape[1:]))]
        return values

    def _chunk(self, place: tuple[int, ...]) -> NDArray[Any] | None:
        """The numbers of a chunk; None where it is not stored, and holds the fill value."""
        key, most = self._layout.key(place), limits.most_stored(self._layout.chunk_bytes)
        try:
            data = self._store.read(f"{self._place}/{key}", most)
        except FileNotFoundError:
            if self._layout.fill is None:
                raise DataError(
                    f"the chunk {key} is not there, and no fill value says what it holds"
                ) from None
            return None
        limits.require_stored(self._layout.chunk_bytes, len(data))
        starts = (i * n for i, n in zip(place, self._layout.chunks, strict=True))
        extent = tuple(end - start for end, start in zip(self.shape, starts, strict=True))
        return self._layout.decode(data, extent)


def _span(rows: NDArray[np.int64]) -> NDArray[np.int64] | slice:
    """The same rows, as a slice where they follow one another: no copy of them is then made."""
    start, count = int(rows[0]), len(rows)
    return slice(start, start + count) if np.all(np.diff(rows) == 1) else rows
