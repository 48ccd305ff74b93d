"""robomimic HDF5: a group `data/demo_<i>` an episode, with obs/<key> and actions (h5py).

`actions` is read as `action` and obs/<key> as the key; `next_obs` repeats obs and is left out.
"""

import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.data.files import stamp
from steadyhand.data.lazy import LazyArray, Parts, damage_told
from steadyhand.errors import DataError, MissingExtraError

NAME = "robomimic-hdf5"
LOOKS_LIKE = "an .hdf5 file with data/demo_<i>"
MAGIC = b"\x89HDF\r\n\x1a\n"


def matches(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return path.suffix in (".hdf5", ".h5") or file.read(8) == MAGIC


def read(path: Path, skip: frozenset[int] = frozenset()) -> Episodes:
    """The set without the episodes of the numbers `skip`.

    Raises `DataError` where the file is damaged, or its episodes differ in what they hold.
    """
    try:
        library = importlib.import_module("h5py")
    except ImportError as error:
        raise MissingExtraError("h5py", "data") from error
    try:
        with library.File(path, "r") as file:
            demos = [name for name in _demos(path, file) if _index(name) not in skip]
            found = {name: _datasets(file["data"][name]) for name in demos}
            attributes = [_number(file["data"][name].attrs.get("num_samples")) for name in demos]
            total = _number(file["data"].attrs.get("total"))
            said = file["data"].attrs.get("env_args", "{}")
    except DataError:
        raise
    except Exception as error:  # a damaged file can raise nearly anything
        raise DataError(
            f"{path} is not a whole HDF5 file ({error}). It needs data/demo_<i>/actions and obs/; "
            "copy it again."
        ) from error
    lengths = [_length(path, name, found[name], attributes[i]) for i, name in enumerate(demos)]
    if not demos:
        raise DataError(f"{path} has no episode that could be read.")
    if total is not None and total != sum(lengths) and not skip:
        raise DataError(f"{path} counts {total} steps and has {sum(lengths)}. Copy it again.")
    _check_alike(path, found)
    arrays = {key: _feature(path, library, key, found, demos) for key in found[demos[0]]}
    rate = _rate(said)
    return Episodes(
        arrays,
        np.cumsum(lengths),
        rate or 10.0,
        path,
        format=NAME,
        version="1",
        rate_assumed=rate is None,
        numbers=tuple(_index(name) for name in demos),
    )


def _check_alike(path: Path, found: dict[str, dict[str, Any]]) -> None:
    """Raise `DataError` for the first demonstration that is not like most of them."""
    kinds = {
        name: {key: shape[1:] for key, (_, shape, _) in inside.items()}
        for name, inside in found.items()
    }
    usual = max(kinds.values(), key=lambda kind: list(kinds.values()).count(kind))
    for name, kind in kinds.items():
        if kind != usual:
            key = min(key for key in kind.keys() | usual.keys() if kind.get(key) != usual.get(key))
            has, most = (k.get(key, "none") for k in (kind, usual))
            raise DataError(
                f"{path}: the shape of '{key}' at each step is {has} in {name} and {most} in most "
                "others. Leave such episodes out: --skip-broken-episodes.",
                episode=_index(name),
                file=path,
            )


def _demos(path: Path, file: Any) -> list[str]:
    names = [name for name in _inside(file, "data") if name.startswith("demo_")]
    if not names or not all(name.removeprefix("demo_").isdecimal() for name in names):
        raise DataError(
            f"{path} has no groups data/demo_<i>, as robomimic's files do; it holds: "
            f"{', '.join(file) or 'nothing'}."
        )
    return sorted(names, key=_index)


def _inside(parent: Any, name: str) -> list[str]:
    # Not parent.get, which passes damage off as nothing.
    return list(parent[name]) if name in parent else []


def _index(name: str) -> int:
    return int(name.removeprefix("demo_"))


def _datasets(demo: Any) -> dict[str, tuple[str, tuple[int, ...], np.dtype[Any]]]:
    """Feature → (path in the demo, shape, dtype)."""
    inside = {
        "action" if key == "actions" else key: key for key in demo if key not in ("obs", "next_obs")
    }
    for key in _inside(demo, "obs"):
        inside[key if key not in inside else f"obs_{key}"] = f"obs/{key}"
    return {
        name: (place, tuple(demo[place].shape), demo[place].dtype)
        for name, place in inside.items()
        if hasattr(demo[place], "shape")
    }


def _length(path: Path, name: str, found: dict[str, Any], said: int | None) -> int:
    episode = _index(name)
    if "action" not in found:
        raise DataError(f"{path}: {name} has no actions.", episode=episode, file=path)
    steps = found["action"][1][0]
    short = [key for key, (_, shape, _) in found.items() if not shape or shape[0] != steps]
    if short or (said is not None and said != steps) or steps < 1:
        what = f"'{short[0]}' has {found[short[0]][1]}" if short else f"num_samples says {said}"
        raise DataError(
            f"{path}: {name} has {steps} actions, and {what}. Leave such episodes out: "
            "--skip-broken-episodes.",
            episode=episode,
            file=path,
        )
    return steps


def _feature(
    path: Path, library: Any, key: str, found: dict[str, Any], demos: Sequence[str]
) -> LazyArray:
    parts = [
        _Dataset(path, library, f"data/{name}/{found[name][key][0]}", *found[name][key][1:])
        for name in demos
    ]
    return _Whole(parts, path, key)


def _rate(env_args: Any) -> float | None:
    try:
        rate = json.loads(env_args).get("env_kwargs", {}).get("control_freq")
    except (ValueError, AttributeError, TypeError):
        return None
    return float(rate) if isinstance(rate, int | float) and rate > 0 else None


def _number(value: Any) -> int | None:
    return None if value is None else int(value)


class _Dataset:
    """One dataset of the file, read when asked for."""

    def __init__(
        self, path: Path, library: Any, place: str, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        self._path, self._library, self._place = path, library, place
        self.shape, self.dtype = shape, dtype

    def __getitem__(self, key: Any, /) -> NDArray[Any]:
        episode = _index(self._place.split("/")[1])
        with (
            damage_told(self._path, self._place, episode),
            self._library.File(self._path, "r") as file,
        ):
            dataset = file[self._place]
            if isinstance(key, np.ndarray):
                return dataset[int(key.min()) : int(key.max()) + 1][key - int(key.min())]
            return dataset[key]


class _Whole(Parts):
    """The datasets of all episodes as one; flat numbers are kept once they were read."""

    def __init__(self, parts: Sequence[_Dataset], path: Path, key: str) -> None:
        super().__init__(parts)
        self._path, self._key = path, key
        self._values: NDArray[Any] | None = None

    @property
    def blocks(self) -> NDArray[np.int64]:
        return self.ends

    def fingerprint(self) -> list[Any]:
        return [stamp(self._path), self._key]

    def __getitem__(self, key: Any, /) -> Any:
        if len(self.shape) > 3:
            return super().__getitem__(key)
        if self._values is None:
            self._values = np.asarray(super().__getitem__(slice(None)))
        return self._values[key]
