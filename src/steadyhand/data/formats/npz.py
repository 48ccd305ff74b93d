"""The plain format: one `.npz` with an array a feature, `episode_ends` and, if known, `rate_hz`."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.data.files import stamp
from steadyhand.data.formats.stream import pieces
from steadyhand.data.lazy import damage_told
from steadyhand.errors import DataError

NAME = "npz"
Watch = Callable[[int], object]
RESERVED = ("episode_ends", "rate_hz")
"""Names that no feature can have."""
LOOKS_LIKE = "an .npz file with time-first arrays and episode_ends"


def matches(path: Path) -> bool:
    return path.is_file() and (path.suffix == ".npz" or zipfile.is_zipfile(path))


def read(path: Path, skip: frozenset[int] = frozenset()) -> Episodes:
    """Raises `DataError` where the file is damaged or has no episode ends. Never unpickles."""
    try:
        members = _Members(path)
        headers = {name: members.header(name) for name in members.names}
        if "episode_ends" not in headers:
            raise DataError(
                f"{path} has no 'episode_ends' (cumulative, one an episode); "
                f"it holds: {', '.join(sorted(headers)) or 'nothing'}."
            )
        if headers["episode_ends"][1].hasobject:
            raise DataError(f"{path}: episode_ends hold objects. Save them as a list of integers.")
        ends = members.load("episode_ends")
        if headers.get("rate_hz", ((), None))[0] != ():
            shape = headers["rate_hz"][0]
            raise DataError(f"{path}: rate_hz is an array of shape {shape}; save one number.")
        rate = float(members.load("rate_hz")) if "rate_hz" in headers else 10.0
    except DataError:
        raise
    except Exception as error:  # a damaged archive can raise nearly anything
        raise DataError(
            f"{path} is not a whole .npz file ({error}). If it was cut short, "
            "copy or write it again."
        ) from error
    arrays = {
        name: _Member(members, name, *header)
        for name, header in headers.items()
        if name not in RESERVED
    }
    assumed = "rate_hz" not in headers
    return Episodes(
        arrays,
        ends,
        rate,
        path,
        format=NAME,
        version="1",
        rate_assumed=assumed,
        left_out=dict.fromkeys(members.others, "it is no array"),
    )


def write(path: Path, episodes: Episodes, watch: Watch = lambda steps: None) -> None:
    """Every feature and the episode ends, compressed. `write_episodes` is what users call."""
    extra: dict[str, Any] = {"episode_ends": episodes.ends}
    if not episodes.rate_assumed:
        extra["rate_hz"] = np.float64(episodes.rate_hz)
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


class _Members:
    """The arrays inside an `.npz`: headers at once, contents when asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with zipfile.ZipFile(path) as archive:
            inside = archive.namelist()
        self.names = [name.removesuffix(".npy") for name in inside if name.endswith(".npy")]
        self.others = [name for name in inside if not name.endswith(".npy")]

    def header(self, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        with zipfile.ZipFile(self.path) as archive, archive.open(f"{name}.npy") as file:
            version = np.lib.format.read_magic(file)
            read_header = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read_header(file)
            return shape, dtype

    def load(self, name: str) -> NDArray[Any]:
        with np.load(self.path, allow_pickle=False) as archive:
            return archive[name]


class _Member:
    """One array of the file, loaded whole at its first use."""

    def __init__(
        self, members: _Members, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        self._members, self._name = members, name
        self.shape, self.dtype = shape, dtype
        self._values: NDArray[Any] | None = None

    def fingerprint(self) -> list[Any]:
        return [stamp(self._members.path), self._name]

    def __getitem__(self, key: Any) -> Any:
        if self._values is None:
            with damage_told(self._members.path, self._name):
                self._values = self._members.load(self._name)
        return self._values[key]
