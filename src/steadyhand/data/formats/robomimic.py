"""robomimic HDF5: a group `data/demo_<i>` an episode, with obs/<key> and actions (h5py).

`actions` is read as `action`, obs/<key> as the key, and what lies in groups under its path, as
`states/joint_pos`; `next_obs` repeats obs and is not read.
"""

import math
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import SKIP, Episodes
from steadyhand.data.files import stamp
from steadyhand.data.formats.format import Format
from steadyhand.data.formats.hdf5 import Found, arrays_in, attribute, child
from steadyhand.data.formats.limits import bytes_of, require_stored
from steadyhand.data.lazy import damage_told, gathered
from steadyhand.disk import parse_json, regular
from steadyhand.errors import DataError, SteadyhandError, library, plain

_NUMBERED = re.compile(r"demo_[0-9]{1,18}")
MAGIC = b"\x89HDF\r\n\x1a\n"


def matches(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return path.suffix in (".hdf5", ".h5") or file.read(8) == MAGIC


def read(path: Path, skip: frozenset[int] = frozenset()) -> Episodes:
    """The set without the episodes of the numbers `skip`.

    What is no array of numbers with the demonstration's length, or is not in the file itself, is
    left out. Raises `DataError` where the file is damaged, or its episodes differ in what they
    hold.
    """
    with _opened(path) as (file, size):
        group, names = _demos(path, file)
        demos = [name for name in names if _index(name) not in skip]
        held = {name: _held(path, group, name, size) for name in demos}
        counted = {name: attribute(group[name], "num_samples") for name in demos}
        total, said = attribute(group, "total"), attribute(group, "env_args")
    if not demos:
        raise DataError(f"{path} has no episode that could be read.")
    found, left_out = _understood(path, held)
    lengths = [_length(path, name, found[name], counted[name]) for name in demos]
    if total is not None and total != sum(lengths) and not skip:
        raise DataError(
            f"{path} counts {total} steps (the attribute total of data) and has {sum(lengths)}: "
            "demonstrations are missing, or were taken out. If it is whole, set total to that."
        )
    _check_alike(path, found)
    arrays = [array for inside in found.values() for array in inside.values()]
    try:
        require_stored(sum(bytes_of(array.shape, array.dtype) for array in arrays), size)
    except ValueError as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
    rate = _rate(said)
    return Episodes(
        {key: _Feature(path, key, found) for key in found[demos[0]]},
        np.cumsum(lengths),
        rate or 10.0,
        path,
        version="1",
        rate_assumed=rate is None,
        numbers=tuple(_index(name) for name in demos),
        left_out=left_out,
    )


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, int]]:
    """(the file, its size); whatever is wrong with it is told with its name."""
    try:
        size = regular(path)
        with library("h5py").File(path, "r") as file:
            yield file, size
    except SteadyhandError:
        raise
    except ValueError as error:
        raise DataError(
            f"{path} cannot be read ({error}). It needs data/demo_<i>/actions and obs/, and "
            "attributes that are numbers and text; check how it was written."
        ) from error
    except Exception as error:  # a damaged file can raise nearly anything
        raise DataError(
            f"{path} is not a whole HDF5 file ({error}). It needs data/demo_<i>/actions and obs/; "
            "copy it again."
        ) from error


def _broken(path: Path, name: str, why: str) -> DataError:
    """What to say of a demonstration without which the others can be read."""
    said = f"{path}: {why}. Leave such episodes out: {SKIP}."
    return DataError(said, episode=_index(name), file=path)


def _check_alike(path: Path, found: dict[str, dict[str, Found]]) -> None:
    """Raise `DataError` for the first demonstration that is not like most of them."""
    kinds = {
        name: {key: array.shape[1:] for key, array in inside.items()}
        for name, inside in found.items()
    }
    usual = max(kinds.values(), key=lambda kind: list(kinds.values()).count(kind))
    for name, kind in kinds.items():
        if kind != usual:
            key = min(key for key in kind.keys() | usual.keys() if kind.get(key) != usual.get(key))
            has, most = (k.get(key, "none") for k in (kind, usual))
            what = f"the shape of '{key}' at each step is {has} in {name}"
            raise _broken(path, name, f"{what} and {most} in most others")


def _demos(path: Path, file: Any) -> tuple[Any, list[str]]:
    """(the group of the demonstrations, their names by number)."""
    try:
        group: Any = child(file, "data") if "data" in list(file) else None
    except ValueError as error:
        raise DataError(f"{path}: 'data' cannot be read: {error}.") from error
    inside = group if isinstance(group, library("h5py").Group) else ()
    names = [name for name in inside if name.startswith("demo_")]
    if not names or not all(_NUMBERED.fullmatch(name) for name in names):
        raise DataError(
            f"{path} has no groups data/demo_<i>, as robomimic's files do; it holds: "
            f"{', '.join(file) or 'nothing'}."
        )
    return group, sorted(names, key=_index)


def _index(name: str) -> int:
    return int(name.removeprefix("demo_"))


def _held(path: Path, group: Any, name: str, size: int) -> dict[str, Found | str]:
    """By path: the arrays of a demonstration, or why one is not read; without `next_obs`."""
    try:
        demo = child(group, name)
        if not isinstance(demo, library("h5py").Group):
            raise ValueError("it is no group")
    except ValueError as error:
        raise _broken(path, name, f"{name} cannot be read: {error}") from error
    held = arrays_in(demo, size)
    return {place: what for place, what in held.items() if place.split("/")[0] != "next_obs"}


def _named(places: Iterable[str]) -> dict[str, str]:
    """Feature → path in the demonstration."""
    named: dict[str, str] = {}
    for place in sorted(places, key=lambda place: (place.startswith("obs/"), place != "actions")):
        name = "action" if place == "actions" else place.removeprefix("obs/")
        # `obs/action` beside `actions` is obs_action, and `action` demo_action.
        other = f"{'obs' if place.startswith('obs/') else 'demo'}_{name}"
        named[name if name not in named else other] = place
    return named


def _understood(
    path: Path, held: dict[str, dict[str, Found | str]]
) -> tuple[dict[str, dict[str, Found]], dict[str, str]]:
    """(by demonstration: feature → its array, what is left out of all and why).

    What cannot be used in most demonstrations is left out; in fewer, those are what is broken.
    """
    found: dict[str, dict[str, Found]] = {}
    faults: dict[str, dict[str, str]] = {}
    for name, inside in held.items():
        named = {key: inside[place] for key, place in _named(inside).items()}
        action = named.get("action")
        steps = action.shape[0] if isinstance(action, Found) else None
        found[name] = {}
        for key, what in named.items():
            if isinstance(what, Found) and steps is not None and what.shape[0] != steps:
                what = f"it has the shape {what.shape} in {name}, which has {steps} actions"
            if isinstance(what, Found):
                found[name][key] = what
            else:
                faults.setdefault(key, {})[name] = what
    left_out = {
        key: next(iter(whys.values())) for key, whys in faults.items() if 2 * len(whys) > len(held)
    }
    if "action" in left_out:
        raise DataError(f"{path}: 'action' cannot be read: {left_out['action']}.", file=path)
    for key, whys in faults.items():
        if key not in left_out:
            name, why = next(iter(whys.items()))
            raise _broken(path, name, f"'{key}' of {name} cannot be used: {why}")
    for inside in found.values():
        for key in left_out.keys() & inside.keys():
            del inside[key]
    return found, {plain(key): why for key, why in left_out.items()}


def _length(path: Path, name: str, found: dict[str, Found], said: Any) -> int:
    if "action" not in found:
        raise DataError(f"{path}: {name} has no actions.", episode=_index(name), file=path)
    steps = found["action"].shape[0]
    if (said is not None and said != steps) or steps < 1:
        raise _broken(path, name, f"{name} has {steps} actions, and num_samples says {said}")
    return steps


def _rate(env_args: Any) -> float | None:
    try:
        rate = parse_json(env_args)["env_kwargs"]["control_freq"]
    except (ValueError, KeyError, TypeError):
        return None
    return float(rate) if type(rate) in (int, float) and 0 < rate < math.inf else None


class _Feature:
    """The datasets of all episodes as one; flat numbers are kept once they were read."""

    def __init__(self, path: Path, key: str, found: dict[str, dict[str, Found]]) -> None:
        self._path, self._key = path, key
        self._arrays = [(name, inside[key]) for name, inside in found.items()]
        arrays = [array for _, array in self._arrays]
        self.blocks = np.cumsum([array.shape[0] for array in arrays])
        self.shape = (int(self.blocks[-1]), *arrays[0].shape[1:])
        self.dtype = np.result_type(*{array.dtype for array in arrays})

    def fingerprint(self) -> list[Any]:
        return [stamp(self._path), self._key]

    def __getitem__(self, key: Any, /) -> Any:
        return gathered(self, key, self._read) if len(self.shape) > 3 else self._values[key]

    @cached_property
    def _values(self) -> NDArray[Any]:
        return gathered(self, slice(None), self._read)

    def _read(self, rows: NDArray[np.int64]) -> Iterator[tuple[Any, Any]]:
        blocks = np.searchsorted(self.blocks, rows, side="right")
        with damage_told(self._path, self._key), library("h5py").File(self._path, "r") as file:
            for block in np.unique(blocks):
                name, array = self._arrays[block]
                place = f"data/{name}/{array.place}"
                here = blocks == block
                steps = rows[here] - (self.blocks[block - 1] if block else 0)
                first, last = int(steps.min()), int(steps.max())
                with damage_told(self._path, place, _index(name)):
                    found = file[place][first : last + 1]
                yield here, found[steps - first]


FORMAT = Format(
    name="robomimic-hdf5", looks_like="an .hdf5 file with data/demo_<i>", matches=matches, read=read
)
