"""The replay buffer of the Diffusion Policy code: zarr v2 (or v3), a folder or a `.zarr.zip`.

`data/<key>` are arrays with time first, in groups or not; `meta/episode_ends` the cumulative ends.
The format has no place for the rate: it is written as the attribute `rate_hz`, and 10 Hz where that
is missing. Reading needs no zarr, and believes nothing that an array says before it is checked.
"""

import math
import zipfile
import zlib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.data.formats import limits
from steadyhand.data.formats.format import Format, Watch
from steadyhand.data.formats.stream import piece_steps, pieces
from steadyhand.data.formats.zarr_layout import Layout, read_layout
from steadyhand.data.formats.zarr_store import Archive, Folder, Store, read_description
from steadyhand.data.lazy import LazyArray, damage_told
from steadyhand.disk import regular
from steadyhand.errors import DataError, library, plain

TOGETHER = 128
"""Steps that are read at once at least, where chunks are smaller."""
CHECKSUM = "crc32"
"""The attribute of an array that holds its checksum, where this project wrote it."""
DEPTH = 8
"""Groups within each other that are looked into."""


def matches(path: Path) -> bool:
    if path.is_dir():
        return (path / ".zgroup").exists() or (path / "meta" / "episode_ends").is_dir()
    return path.is_file() and path.name.endswith(".zarr.zip")


def read(path: Path, skip: frozenset[int] = frozenset()) -> Episodes:
    """Raises `DataError` where the buffer is damaged or has no episode ends.

    An array that is not what may be (`limits.py`) or lies elsewhere is left out.
    """
    left_out: dict[str, str] = {}
    try:
        store = Folder(path) if path.is_dir() else Archive(path)
        root = read_description(store, "zarr.json")
        described = root.get("attributes", {}) if root else read_description(store, ".zattrs")
        arrays = _arrays(store, path, left_out)
        ends = array_at(store, path, "meta/episode_ends")
        if ends is None:
            raise ValueError("there is no array meta/episode_ends")
        _require_stored_together(path, [*arrays.values(), ends])
        rate = described.get("rate_hz") if isinstance(described, dict) else None
        if rate is not None and (isinstance(rate, bool) or not isinstance(rate, int | float)):
            raise ValueError(f"its rate_hz is {repr(rate)[:40]!a}, which is no number")
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} is not a whole replay buffer ({error}). It needs arrays of numbers "
            "under data/ and meta/episode_ends; check how it was written."
        ) from error
    if not arrays:
        said = "".join(f" '{name}' is left out: {why}." for name, why in left_out.items())
        raise DataError(f"{path} has no arrays under data/.{said[:500]}")
    return Episodes(
        arrays,
        ends[:],
        10.0 if rate is None else float(rate),
        path,
        version=f"v{3 if root else 2}",
        rate_assumed=rate is None,
        tasks=_texts(described),
        left_out=left_out,
    )


def _texts(described: Any) -> tuple[str, ...]:
    """What was to be done, in words, where a buffer says it as this project does."""
    said = described.get("tasks") if isinstance(described, dict) else None
    listed: list[Any] = said if isinstance(said, list) else []
    return tuple(listed) if all(isinstance(text, str) for text in listed) else ()


def _arrays(store: Store, path: Path, left_out: dict[str, str]) -> "dict[str, _WholeArray]":
    """By path below data/; what cannot be read goes to `left_out`. Raises for what is needed."""
    arrays, waiting = {}, store.children("data")
    while waiting:
        limits.require_few(len(arrays) + len(waiting))
        name = waiting.pop(0)
        try:
            limits.require_name(name)
            if found := array_at(store, path, f"data/{name}"):
                arrays[name] = found
            elif name.count("/") < DEPTH:
                waiting += [f"{name}/{part}" for part in store.children(f"data/{name}")]
            else:
                raise ValueError("it is a group within too many others")
        except (OSError, ValueError) as error:
            if name in limits.NEEDED:
                raise ValueError(f"'{name}' cannot be read: {error}") from error
            left_out[plain(name)] = str(error)
    return arrays


def array_at(store: Store, path: Path, key: str) -> "_WholeArray | None":
    """None where there is no array. Raises `OSError`, `ValueError`."""
    layout = read_layout(store, key)
    if layout is None:
        return None
    limits.require_chunks(layout.chunks, layout.shape, layout.dtype)
    array = _WholeArray(store, layout, path, key)
    if 8 * layout.shape[0] > limits.FREE:  # what counting its steps takes
        limits.require_stored(8 * layout.shape[0], array.stored)
    return array


def _require_stored_together(path: Path, arrays: "list[_WholeArray]") -> None:
    """All flat arrays are read whole: what they take together is held against what is there."""
    flat = [array for array in arrays if len(array.shape) < 4]
    stored = sum(array.stored for array in flat)
    if path.is_file():
        stored = min(stored, regular(path))
    limits.require_stored(sum(limits.bytes_of(array.shape, array.dtype) for array in flat), stored)


def write(path: Path, episodes: Episodes, watch: Watch) -> None:
    """A folder in zarr v2. `write_episodes` is what users call.

    Chunks carry checksums, and so does what they make up: damage is found when it is read.
    """
    zarr = library("zarr")
    said: dict[str, Any] = {} if episodes.rate_assumed else {"rate_hz": episodes.rate_hz}
    said |= {"tasks": list(episodes.tasks)} if episodes.tasks else {}
    root = zarr.open_group(path, mode="w-", zarr_format=2, attributes=said)
    data, meta = root.create_group("data"), root.create_group("meta")
    for key, source in episodes.arrays.items():
        size = piece_steps(episodes, key)
        array = _array(data, key, (episodes.steps, *source.shape[1:]), source.dtype, size)
        checksum = None
        for start, values in pieces(episodes, key):
            array[start : start + len(values)] = values
            checksum = _sum(values, array, checksum)
            watch(len(values))
        array.attrs[CHECKSUM] = checksum
    ends = _array(meta, "episode_ends", episodes.ends.shape, episodes.ends.dtype, len(episodes))
    ends[...] = episodes.ends
    ends.attrs[CHECKSUM] = _sum(episodes.ends, ends)


def _array(group: Any, key: str, shape: tuple[int, ...], dtype: Any, steps: int) -> Any:
    codecs = library("numcodecs")
    return group.create_array(
        key,
        shape=shape,
        dtype=dtype,
        chunks=(steps, *(max(size, 1) for size in shape[1:])),
        compressors=codecs.Zstd(level=3, checksum=True),
        # A chunk of nothing but zeros is written, too: a missing one is taken for damage.
        config={"write_empty_chunks": True},
    )


def _sum(values: NDArray[Any], array: LazyArray, before: int | None = None) -> int:
    """The checksum of an array's shape, its kind and, piece by piece, its numbers."""
    if before is None:
        before = zlib.crc32(f"{tuple(array.shape)} {np.dtype(array.dtype).str}".encode())
    return zlib.crc32(np.ascontiguousarray(values).data, before)


class _WholeArray:
    """A zarr array that does not pass a missing chunk off as zeros."""

    def __init__(self, store: Store, layout: Layout, path: Path, key: str) -> None:
        self._store, self._layout, self._path, self._place = store, layout, path, key
        self._key = key.rpartition("/")[2]
        self.shape, self.dtype = layout.shape, layout.dtype

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
            if self._missing:
                raise DataError(
                    f"{self._missing} of {math.prod(self._layout.grid)} chunks are not there, and "
                    "would be read as zeros; if that is what they hold, write empty chunks, too"
                )
            wanted = np.arange(self.shape[0])[key]
            values = self._rows(np.atleast_1d(wanted).reshape(-1))
            values = values.reshape(*np.shape(wanted), *self.shape[1:])
            expected = self._layout.attributes.get(CHECKSUM)
            whole = isinstance(key, slice) and key.indices(self.shape[0]) == (0, self.shape[0], 1)
            # Others may keep something else under that name.
            if whole and isinstance(expected, int) and expected != _sum(values, self):
                raise DataError("its numbers are not those that were written")
            return values

    def _rows(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """The rows of those numbers, in their order; each chunk is unpacked once."""
        layout, (size, *sizes) = self._layout, self._layout.chunks
        shape = (len(rows), *self.shape[1:])
        limits.require_stored(limits.bytes_of(shape, self.dtype), self.stored)
        values = np.empty(shape, self.dtype)
        for first in np.unique(rows // size):
            here = np.flatnonzero(rows // size == first)
            inside = _span(rows[here] - first * size)
            for rest in np.ndindex(*layout.grid[1:]):
                chunk = self._chunk((int(first), *rest))
                spans = [slice(i * n, (i + 1) * n) for i, n in zip(rest, sizes, strict=True)]
                window = values[(slice(None), *spans)]
                window[_span(here)] = chunk[(inside, *map(slice, window.shape[1:]))]
        return values

    def _chunk(self, place: tuple[int, ...]) -> NDArray[Any]:
        key, most = self._layout.key(place), limits.most_stored(self._layout.chunk_bytes)
        limits.require_stored(self._layout.chunk_bytes, self._sizes[key])
        starts = (i * n for i, n in zip(place, self._layout.chunks, strict=True))
        extent = tuple(end - start for end, start in zip(self.shape, starts, strict=True))
        return self._layout.decode(self._store.read(f"{self._place}/{key}", most), extent)


def _span(rows: NDArray[np.int64]) -> NDArray[np.int64] | slice:
    """The same rows, as a slice where they follow one another: no copy of them is then made."""
    start, count = int(rows[0]), len(rows)
    return slice(start, start + count) if np.all(np.diff(rows) == 1) else rows


FORMAT = Format(
    name="diffusion-policy-zarr",
    looks_like="a folder or .zarr.zip with data/ and meta/episode_ends",
    matches=matches,
    read=read,
    write=write,
    ending="zarr",
    needs=("zarr",),
)
