"""The replay buffer of the Diffusion Policy code: zarr v2, a folder or a `.zarr.zip`.

`data/<key>` are arrays with time first and `meta/episode_ends` the cumulative ends. The format has
no place for the rate: it is written as the attribute `rate_hz`, and 10 Hz where that is missing.
"""

import importlib
import zlib
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.data.files import stamp
from steadyhand.data.formats.stream import piece_steps, pieces
from steadyhand.data.lazy import damage_told
from steadyhand.errors import DataError, MissingExtraError

NAME = "diffusion-policy-zarr"
TOGETHER = 128
"""Steps that are read at once at least, where chunks are smaller."""
CHECKSUM = "crc32"
"""The attribute of an array that holds its checksum, where this project wrote it."""
Watch = Callable[[int], object]
RESERVED: tuple[str, ...] = ()
"""Names that no feature can have."""
LOOKS_LIKE = "a folder or .zarr.zip with data/ and meta/episode_ends"


def matches(path: Path) -> bool:
    if path.is_dir():
        return (path / ".zgroup").exists() or (path / "meta" / "episode_ends").is_dir()
    return path.name.endswith(".zarr.zip")


def read(path: Path, skip: frozenset[int] = frozenset()) -> Episodes:
    """Raises `DataError` where the buffer is damaged or has no episode ends."""
    zarr = _zarr()
    try:
        store = zarr.storage.ZipStore(path, mode="r") if path.is_file() else path
        root = zarr.open_group(store, mode="r")
        arrays = {key: _WholeArray(array, path, key) for key, array in root["data"].arrays()}
        ends = _WholeArray(root["meta"]["episode_ends"], path, "episode_ends")[:]
        rate = float(root.attrs.get("rate_hz", 10.0))
    except Exception as error:  # a damaged store can raise nearly anything
        raise DataError(
            f"{path} is not a whole replay buffer ({type(error).__name__}: {error}). It needs "
            "arrays under data/ and meta/episode_ends; copy it again or check how it was written."
        ) from error
    if not arrays:
        raise DataError(f"{path} has no arrays under data/.")
    version = f"v{root.metadata.zarr_format}"
    assumed = "rate_hz" not in root.attrs
    return Episodes(arrays, ends, rate, path, format=NAME, version=version, rate_assumed=assumed)


def write(path: Path, episodes: Episodes, watch: Watch = lambda steps: None) -> None:
    """A folder in zarr v2. `write_episodes` is what users call.

    Chunks carry checksums, and so does what they make up: damage is found when it is read.
    """
    zarr = _zarr()
    said = {} if episodes.rate_assumed else {"rate_hz": episodes.rate_hz}
    root = zarr.open_group(path, mode="w-", zarr_format=2, attributes=said)
    data, meta = root.create_group("data"), root.create_group("meta")
    for key, source in episodes.arrays.items():
        size = piece_steps(episodes, key)
        array = _array(data, key, (episodes.steps, *source.shape[1:]), source.dtype, size)
        checksum = _begin(array.shape, array.dtype)
        for start, values in pieces(episodes, key):
            array[start : start + len(values)] = values
            checksum = _sum(values, checksum)
            watch(len(values))
        array.attrs[CHECKSUM] = checksum
    ends = _array(meta, "episode_ends", episodes.ends.shape, episodes.ends.dtype, len(episodes))
    ends[...] = episodes.ends
    ends.attrs[CHECKSUM] = _sum(episodes.ends, _begin(ends.shape, ends.dtype))


def _array(group: Any, key: str, shape: tuple[int, ...], dtype: Any, steps: int) -> Any:
    codecs = importlib.import_module("numcodecs")
    return group.create_array(
        key,
        shape=shape,
        dtype=dtype,
        chunks=(steps, *(max(size, 1) for size in shape[1:])),
        compressors=codecs.Zstd(level=3, checksum=True),
        # A chunk of nothing but zeros is written, too: a missing one is taken for damage.
        config={"write_empty_chunks": True},
    )


def _begin(shape: tuple[int, ...], dtype: Any) -> int:
    """The checksum before the first number: of shape and kind."""
    return zlib.crc32(f"{tuple(shape)} {np.dtype(dtype).str}".encode())


def _sum(values: NDArray[Any], before: int) -> int:
    return zlib.crc32(np.ascontiguousarray(values).data, before)


def _zarr() -> Any:
    try:
        return importlib.import_module("zarr")
    except ImportError as error:
        raise MissingExtraError("zarr", "data") from error


class _WholeArray:
    """A zarr array that does not pass a missing chunk off as zeros."""

    def __init__(self, array: Any, path: Path, key: str) -> None:
        self._array, self._path, self._key = array, path, key
        self.shape, self.dtype = tuple(array.shape), array.dtype

    @cached_property
    def _missing(self) -> int:
        return self._array.nchunks - self._array.nchunks_initialized

    @property
    def blocks(self) -> NDArray[np.int64]:
        """Where each stretch of time ends that is stored, and so read, in one piece."""
        steps, chunk = self.shape[0], max(self._array.chunks[0], 1)
        stretch = chunk * -(-TOGETHER // chunk)
        return np.append(np.arange(stretch, steps, stretch), steps)

    def fingerprint(self) -> list[Any]:
        """Changes when what is stored does."""
        if self._path.is_file():
            return [stamp(self._path), self._key]
        folder = self._path / "data" / self._key
        return [[str(file.relative_to(folder)), *stamp(file)] for file in sorted(folder.rglob("*"))]

    def __getitem__(self, key: Any, /) -> Any:
        with damage_told(self._path, self._key):
            return self._read(key)

    def _read(self, key: Any) -> Any:
        missing = self._missing
        if missing:
            raise DataError(
                f"{missing} of {self._array.nchunks} chunks are not there, and would be read as "
                f"{self._array.fill_value}; if that is what they hold, write empty chunks, too"
            )
        values = self._array.oindex[key] if isinstance(key, np.ndarray) else self._array[key]
        expected = self._array.attrs.get(CHECKSUM)
        whole = isinstance(key, slice) and key.indices(self.shape[0]) == (0, self.shape[0], 1)
        if whole and expected is not None:
            found = _sum(values, _begin(self.shape, self.dtype))
            if found != expected:
                raise DataError("its numbers are not those that were written")
        return values
