"""The replay buffer of the Diffusion Policy code: zarr v2 (or v3), a folder or a `.zarr.zip`.

`data/<key>` are arrays with time first, in groups or not; `meta/episode_ends` the cumulative ends.
The format has no place for the rate: it is written as the attribute `rate_hz`, and 10 Hz where that
is missing. Reading needs no zarr, and believes nothing that an array says before it is checked.
"""

import math
import zipfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from steadyhand.data.episodes import Episodes
from steadyhand.data.formats import limits
from steadyhand.data.formats.bounds import bounds_of
from steadyhand.data.formats.format import Format, Watch
from steadyhand.data.formats.noted import noted, with_noted
from steadyhand.data.formats.npz.plain_arrays import RATES, SUCCESS, Sorted, sorted_out
from steadyhand.data.formats.stream import piece_steps, pieces
from steadyhand.data.formats.zarr.array import CHECKSUM, ZarrArray, checksum
from steadyhand.data.formats.zarr.group import array_at, held_in
from steadyhand.data.formats.zarr.store import Archive, Folder, Store, read_description
from steadyhand.data.formats.zarr.words import read_words
from steadyhand.data.lazy import LazyArray
from steadyhand.data.problem import Problem
from steadyhand.errors import DataError, library

__all__ = ["FORMAT", "array_at", "matches", "read", "write"]

NOTED = "noted"
"""The attribute that holds what there is no place for in arrays."""
SHOWN = 8


def matches(path: Path) -> bool:
    if path.is_dir():
        described = any((path / name).exists() for name in (".zgroup", ".zmetadata", "zarr.json"))
        return described or (path / "meta" / "episode_ends").is_dir()
    return path.is_file() and path.name.endswith(".zarr.zip")


def read(path: Path, skip: frozenset[int] = frozenset()) -> Episodes:
    """Raises `DataError` where the buffer is damaged or has no episode ends.

    An array that is not what may be (`limits.py`) or lies elsewhere is left out.
    """
    try:
        store = Folder(path) if path.is_dir() else Archive(path)
        root = read_description(store, "zarr.json")
        described = root.get("attributes", {}) if root else read_description(store, ".zattrs")
        described = described if isinstance(described, dict) else {}
        found, left_out = _features(store, path)
        rate = _rate(described)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} is not a whole replay buffer ({error}). It needs arrays of numbers "
            "under data/ and meta/episode_ends; check how it was written."
        ) from error
    if not found.arrays:
        said = "".join(f" '{name}' is left out: {why}." for name, why in left_out.items())
        raise DataError(f"{path} has no arrays under data/.{said[:500]}")
    episodes = Episodes(
        found.arrays,
        found.ends,
        rate or 10.0,
        path,
        version=f"v{3 if root else 2}",
        rate_assumed=rate is None,
        numbers=found.numbers,
        tasks=_texts(described) or found.tasks,
        left_out=left_out,
        success=found.success,
        remarks=(*found.remarks, *_unstored(found.arrays)),
    )
    try:
        return with_noted(episodes, described.get(NOTED) or {})
    except ValueError as error:
        raise DataError(f"{path}: what is noted of it cannot be read: {error}.") from error


def _features(store: Store, path: Path) -> tuple[Sorted, dict[str, str]]:
    """(features and what is said of episodes, what is left out). Raises `OSError`, `ValueError`."""
    data, beside = held_in(store, path)
    for name in limits.NEEDED:
        if (why := data.left_out.get(name) or beside.left_out.get(f"meta/{name}")) is not None:
            raise ValueError(f"'{name}' cannot be read: {why}")
    every = {**beside.arrays, **data.arrays}
    bounds = bounds_of(every)
    if bounds is None:
        raise ValueError(
            "there is no array meta/episode_ends, nor lengths, starts or flags of where they end"
        )
    for name in bounds.by:
        if (absent := every[name].unstored()) is not None:
            raise ValueError(f"{name} is not whole: {absent} are not there")
    for name in beside.arrays.keys() - {*bounds.by}:
        if name.removeprefix("meta/") not in SUCCESS:
            beside.left_out[name] = "it is not below data/"
            del every[name]
    keys = {**data.words, **beside.words}
    words = {name: partial(read_words, store, key) for name, key in keys.items()}
    found = sorted_out(every, bounds, words)
    left_out = {**data.left_out, **beside.left_out, **found.left_out}
    left_out.pop(found.words, None)
    return found, left_out


def _rate(described: dict[str, Any]) -> float | None:
    """Steps a second, as the attributes say; None where they do not."""
    rate = described.get("rate_hz")
    if rate is not None and type(rate) not in (int, float):
        raise ValueError(f"its rate_hz is {repr(rate)[:40]!a}, which is no number")
    others = [described.get(name) for name in RATES] if rate is None else [rate]
    sound = (said for said in others if isinstance(said, int | float))
    numbers = (float(said) for said in sound if not isinstance(said, bool))
    return next((n for n in numbers if rate is not None or 0 < n < math.inf), None)


def _unstored(arrays: Mapping[str, LazyArray]) -> Iterator[Problem]:
    """What is to be known of chunks that are not there, and by zarr's rules hold a fill value."""
    stored = ((name, array) for name, array in arrays.items() if isinstance(array, ZarrArray))
    found = {name: array.unstored() for name, array in stored}
    told = [f"'{name}' {what}" for name, what in found.items() if what is not None]
    if told:
        shown = ", ".join(told[:SHOWN]) + ", …" * (len(told) > SHOWN)
        message = (
            f"Chunks that are not stored are read as the fill value, as zarr has it: {shown}. If "
            "the data was copied, see whether all of it was."
        )
        yield Problem("fill-value", message)


def _texts(described: dict[str, Any]) -> tuple[str, ...]:
    """What was to be done, in words, where a buffer says it as this project does."""
    said = described.get("tasks")
    listed: list[Any] = said if isinstance(said, list) else []
    return tuple(listed) if all(isinstance(text, str) for text in listed) else ()


def write(path: Path, episodes: Episodes, watch: Watch) -> None:
    """A folder in zarr v2. `write_episodes` is what users call.

    Chunks carry checksums, and so does what they make up: damage is found when it is read.
    """
    zarr = library("zarr")
    said: dict[str, Any] = {} if episodes.rate_assumed else {"rate_hz": episodes.rate_hz}
    said |= {"tasks": list(episodes.tasks)} if episodes.tasks else {}
    said |= {NOTED: beside} if (beside := noted(episodes)) else {}
    root = zarr.open_group(path, mode="w-", zarr_format=2, attributes=said)
    data, meta = root.create_group("data"), root.create_group("meta")
    for key, source in episodes.arrays.items():
        size = piece_steps(episodes, key)
        array = _array(data, key, (episodes.steps, *source.shape[1:]), source.dtype, size)
        total = None
        for start, values in pieces(episodes, key):
            array[start : start + len(values)] = values
            total = checksum(values, array, total)
            watch(len(values))
        array.attrs[CHECKSUM] = total
    ends = _array(meta, "episode_ends", episodes.ends.shape, episodes.ends.dtype, len(episodes))
    ends[...] = episodes.ends
    ends.attrs[CHECKSUM] = checksum(episodes.ends, ends)


def _array(group: Any, key: str, shape: tuple[int, ...], dtype: Any, steps: int) -> Any:
    codecs = library("numcodecs")
    return group.create_array(
        key,
        shape=shape,
        dtype=dtype,
        chunks=(steps, *(max(size, 1) for size in shape[1:])),
        compressors=codecs.Zstd(level=3, checksum=True),
        # A chunk of nothing but zeros is written, too: one of ours that is missing is damage.
        config={"write_empty_chunks": True},
    )


FORMAT = Format(
    name="diffusion-policy-zarr",
    looks_like="a folder or .zarr.zip with data/ and meta/episode_ends",
    matches=matches,
    read=read,
    write=write,
    ending="zarr",
    needs=("zarr",),
)
