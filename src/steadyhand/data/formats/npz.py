"""The plain format: one `.npz` with an array a feature, `episode_ends` and, if known, `rate_hz`.

`tasks`, if there are any, are texts; the feature `task_index` counts in them.
"""

import os
import zipfile
import zlib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.data.files import stamp
from steadyhand.data.formats import limits
from steadyhand.data.formats.format import Format, Watch
from steadyhand.data.formats.stream import pieces
from steadyhand.data.lazy import damage_told
from steadyhand.disk import regular
from steadyhand.errors import DataError, plain

DAMAGE = (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What the libraries say of a damaged archive."""


def matches(path: Path) -> bool:
    return path.is_file() and (path.suffix == ".npz" or zipfile.is_zipfile(path))


def read(path: Path, skip: frozenset[int] = frozenset()) -> Episodes:
    """Raises `DataError` where the file is damaged or has no episode ends. Never unpickles.

    An array that is not what may be (`limits.py`) is left out.
    """
    try:
        arrays, left_out = members(path)
        if "episode_ends" not in arrays and "episode_ends" not in left_out:
            raise DataError(
                f"{path} has no 'episode_ends' (cumulative, one an episode); it holds: "
                f"{', '.join(sorted([*arrays, *left_out])) or 'nothing'}."
            )
        for name in limits.NEEDED:
            if name in left_out:
                raise DataError(f"{path}: '{name}' cannot be read: {left_out[name]}.")
        needed = sum(member.needed for member in arrays.values())
        limits.require_stored(needed, regular(path))
        ends = arrays.pop("episode_ends")[:]
        said = arrays.pop("rate_hz", None)
        words = arrays.get("tasks")
        tasks = tuple(map(str, arrays.pop("tasks")[:])) if _is_text(words) else ()
        if said is not None and (said.shape or said.dtype.kind == "b"):
            what = f"an array of shape {said.shape}" if said.shape else "no number"
            raise DataError(f"{path}: rate_hz is {what}; save one number.")
        rate = 10.0 if said is None else float(said[()])
    except DataError:
        raise
    except DAMAGE as error:
        raise DataError(
            f"{path} is not a whole .npz file ({error}). If it was cut short, "
            "copy or write it again."
        ) from error
    return Episodes(
        arrays,
        ends,
        rate,
        path,
        version="1",
        rate_assumed=said is None,
        tasks=tasks,
        left_out=left_out,
    )


def _is_text(member: "_Member | None") -> bool:
    return member is not None and member.dtype.kind == "U"


def write(path: Path, episodes: Episodes, watch: Watch) -> None:
    """Every feature and the episode ends, compressed. `write_episodes` is what users call."""
    extra: dict[str, Any] = {"episode_ends": episodes.ends}
    if not episodes.rate_assumed:
        extra["rate_hz"] = np.float64(episodes.rate_hz)
    if episodes.tasks:
        extra["tasks"] = np.array(episodes.tasks)
    with path.open("wb") as file:
        # Not np.savez, which takes features named as its own arguments for those.
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for key, array in episodes.arrays.items():
                header = {
                    "descr": np.lib.format.dtype_to_descr(np.dtype(array.dtype)),
                    "fortran_order": False,
                    "shape": (episodes.steps, *array.shape[1:]),
                }
                with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array_header_1_0(member, header)
                    for _, values in pieces(episodes, key):
                        member.write(np.ascontiguousarray(values).tobytes())
                        watch(len(values))
            for key, value in extra.items():
                with archive.open(f"{key}.npy", "w") as member:
                    np.lib.format.write_array(member, np.asanyarray(value), allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())


def members(path: Path) -> "tuple[dict[str, _Member], dict[str, str]]":
    """The arrays inside an `.npz`, and what in it is none or cannot be read, with why."""
    arrays: dict[str, _Member] = {}
    left_out: dict[str, str] = {}
    with zipfile.ZipFile(path) as archive:
        limits.require_few(len(archive.infolist()))
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            try:
                if name == info.filename:
                    raise ValueError("it is no array")
                limits.require_name(name)
                arrays[name] = _Member(path, name, archive, info)
            except (zipfile.BadZipFile, zlib.error, EOFError):
                raise  # the archive itself is damaged
            except Exception as error:  # a damaged header can raise nearly anything
                left_out[plain(name)] = str(error) or type(error).__name__
    return arrays, left_out


class _Member:
    """One array of the file: its header at once, its numbers as a whole at their first use."""

    def __init__(
        self, path: Path, name: str, archive: zipfile.ZipFile, info: zipfile.ZipInfo
    ) -> None:
        self._path, self._name, self._info = path, name, info
        limits.require_unlocked(info)
        with archive.open(info) as file:
            old = np.lib.format.read_magic(file) == (1, 0)
            headers = np.lib.format.read_array_header_1_0, np.lib.format.read_array_header_2_0
            shape, _, dtype = headers[0 if old else 1](file)
            there = info.file_size - file.tell()
        if not (name == "tasks" and dtype.kind == "U" and len(shape) == 1):
            limits.require_numbers(dtype)
        self.shape, self.dtype = limits.whole_numbers(shape), dtype
        self.needed = limits.bytes_of(self.shape, dtype)
        if self.needed != there:
            what = f"its shape {self.shape} takes {self.needed} bytes"
            raise ValueError(f"{what}, and {there} are in the file")
        limits.require_stored(self.needed, info.compress_size)

    @cached_property
    def _values(self) -> NDArray[Any]:
        with zipfile.ZipFile(self._path) as archive, archive.open(self._info) as file:
            values = np.lib.format.read_array(file, allow_pickle=False)
            file.read(1)  # up to its end, where the checksum is looked at
            return values

    def fingerprint(self) -> list[Any]:
        return [stamp(self._path), self._name]

    def __getitem__(self, key: Any) -> Any:
        with damage_told(self._path, self._name):
            return self._values[key]


FORMAT = Format(
    name="npz",
    looks_like="an .npz file with time-first arrays and episode_ends",
    matches=matches,
    read=read,
    write=write,
    ending="npz",
    reserved=("episode_ends", "rate_hz", "tasks"),
)
