"""The replay buffer of the Diffusion Policy code: zarr v2 (or v3), a folder or a `.zarr.zip`.

`data/<key>` are arrays with time first, in groups or not; `meta/episode_ends` the cumulative ends.
The format has no place for the rate: it is written as the attribute `rate_hz`, and 10 Hz where that
is missing. Reading needs no zarr, and believes nothing that an array says before it is checked.
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from steadyhand.data.episodes import Episodes
from steadyhand.data.formats import limits
from steadyhand.data.formats.empty import without_empty
from steadyhand.data.formats.format import Format, Watch
from steadyhand.data.formats.stream import piece_steps, pieces
from steadyhand.data.formats.zarr_array import CHECKSUM, ZarrArray, checksum
from steadyhand.data.formats.zarr_layout import read_layout
from steadyhand.data.formats.zarr_store import Archive, Folder, Store, read_description
from steadyhand.data.problem import Problem
from steadyhand.errors import DataError, library, plain

DEPTH = 8
"""Groups within each other that are looked into."""
SHOWN = 8


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
        if (absent := ends.unstored()) is not None:
            raise ValueError(f"meta/episode_ends is not whole: {absent} are not there")
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
    whole, numbers, remarks = without_empty(ends[:])
    return Episodes(
        arrays,
        whole,
        10.0 if rate is None else float(rate),
        path,
        version=f"v{3 if root else 2}",
        rate_assumed=rate is None,
        numbers=numbers,
        tasks=_texts(described),
        left_out=left_out,
        remarks=(*remarks, *_unstored(arrays)),
    )


def _unstored(arrays: dict[str, ZarrArray]) -> Iterator[Problem]:
    """What is to be known of chunks that are not there, and by zarr's rules hold a fill value."""
    found = {name: array.unstored() for name, array in arrays.items()}
    told = [f"'{name}' {what}" for name, what in found.items() if what is not None]
    if told:
        shown = ", ".join(told[:SHOWN]) + ", …" * (len(told) > SHOWN)
        message = (
            f"Chunks that are not stored are read as the fill value, as zarr has it: {shown}. If "
            "the data was copied, see whether all of it was."
        )
        yield Problem("fill-value", message)


def _texts(described: Any) -> tuple[str, ...]:
    """What was to be done, in words, where a buffer says it as this project does."""
    said = described.get("tasks") if isinstance(described, dict) else None
    listed: list[Any] = said if isinstance(said, list) else []
    return tuple(listed) if all(isinstance(text, str) for text in listed) else ()


def _arrays(store: Store, path: Path, left_out: dict[str, str]) -> dict[str, ZarrArray]:
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


def array_at(store: Store, path: Path, key: str) -> ZarrArray | None:
    """None where there is no array. Raises `OSError`, `ValueError`."""
    layout = read_layout(store, key)
    if layout is None:
        return None
    limits.require_chunks(layout.chunks, layout.shape, layout.dtype)
    array = ZarrArray(store, layout, path, key)
    if 8 * layout.shape[0] > limits.FREE:  # what counting its steps takes
        limits.require_stored(8 * layout.shape[0], array.stored)
    return array


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
