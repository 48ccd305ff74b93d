"""Episodes as numbered groups of one HDF5 file: data/demo_0, traj_0, episode_0, and so on."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from steadyhand.data.formats.hdf5 import array_at, child
from steadyhand.data.formats.hdf5_arrays import Spot
from steadyhand.data.formats.hdf5_bytes import Words, bytes_at, words
from steadyhand.data.formats.hdf5_episodes import Around
from steadyhand.data.formats.hdf5_look import opened
from steadyhand.data.formats.hdf5_said import said_by
from steadyhand.data.formats.limits import ARRAYS
from steadyhand.disk import regular
from steadyhand.errors import DataError, MissingExtraError, library

MAGIC = b"\x89HDF\r\n\x1a\n"
ENDINGS = (".hdf5", ".h5")
PARENTS = ("data", "episodes", "demos", "trajectories", "")
"""Groups in which they are looked for first; the last one is the file itself."""
FEW = 32
"""Other groups in which they are looked for."""
NUMBERED = re.compile(r"([A-Za-z]*[_-]?)([0-9]{1,18})")
MASK = "mask"
OBSERVED = ("obs/", "observations/images/", "observations/", "observation/")
"""Groups of what was seen."""
MOST_NAMES = 1 << 17
"""Episodes that a list names."""


def is_hdf5(path: Path) -> bool:
    """Whether a file says, or is said by its name, to be one of HDF5."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return path.suffix in ENDINGS or file.read(8) == MAGIC


def root_names(path: Path) -> frozenset[str]:
    """What lies at the root of a file; nothing where it is no HDF5 that can be opened."""
    try:
        if not is_hdf5(path):
            return frozenset()
        regular(path)
        with library("h5py").File(path, "r") as file:
            return frozenset(file)
    except MissingExtraError:
        raise
    except Exception:  # what is damaged is told where it is read
        return frozenset()


def groups_of(path: Path, looks_like: str) -> tuple[list[Spot], Around]:
    """(the episodes by number, what is said around them).

    Raises `DataError` where there are none, or two of the same number.
    """
    with opened(path, looks_like) as (file, size):
        place, numbered = _numbered(path, file)
        group = child(file, place)
        names = sorted(numbered, key=lambda name: numbered[name])
        if twice := [n for n, often in Counter(numbered.values()).items() if often > 1]:
            raise DataError(f"{path} has two episodes of the number {twice[0]}. Rename one.")
        spots = [Spot(numbered[name], path, f"{place}/{name}".strip("/"), name) for name in names]
        beside = [name for name in group if name not in numbered] if place else []
        others = [name for name in file if name not in (place, MASK, *(() if place else numbered))]
        left_out = {
            **{f"{place}/{name}": f"it is no episode as {names[0]} is" for name in beside},
            **dict.fromkeys(others, "it is in no episode"),
        }
        sayings = [said_by(each) for each in ((group, file) if place else (file,))]
        masks = _masks(file, size)
    around = Around(
        said=[said for said, _ in sayings],
        whys=[why for _, whys in sayings for why in whys],
        left_out={name: left_out[name] for name in list(left_out)[:ARRAYS]},
        masks=masks,
    )
    return spots, around


def _numbered(path: Path, file: Any) -> tuple[str, Mapping[str, int]]:
    """(the group of the episodes, their names and numbers), of the word that most are called by."""
    held = list(file)
    others = [name for name in held[:FEW] if name not in (*PARENTS, MASK)]
    for place in (*PARENTS, *others):
        if place and place not in held:
            continue
        try:
            group: Any = child(file, place)
        except ValueError as error:
            if place in others:
                continue
            raise DataError(f"{path}: '{place}' cannot be read: {error}.", file=path) from error
        found = dict[str, dict[str, int]]()
        for name in group if isinstance(group, library("h5py").Group) else ():
            if match := NUMBERED.fullmatch(name):
                found.setdefault(match[1], {})[name] = int(match[2])
        for names in sorted(found.values(), key=len, reverse=True):
            if any(_is_group(group, name) for name in list(names)[:FEW]):
                return place, names
    raise DataError(
        f"{path} has no groups data/demo_<i>, nor other numbered ones, an episode each; it holds: "
        f"{', '.join(held[:20]) or 'nothing'}.",
        file=path,
    )


def _is_group(parent: Any, name: str) -> bool:
    try:
        return isinstance(child(parent, name), library("h5py").Group)
    except (KeyError, ValueError):
        return False


def _masks(file: Any, size: int) -> dict[str, Sequence[str | int]]:
    """The lists of episodes that a file has, as robomimic's filter keys."""
    masks = dict[str, Sequence[str | int]]()
    group: Any = None
    with suppress(KeyError, ValueError):
        group = child(file, MASK) if MASK in list(file) else None
    for name in list(group)[:ARRAYS] if isinstance(group, library("h5py").Group) else ():
        with suppress(KeyError, ValueError, TypeError):  # what is no list of names is no mask
            dataset = child(group, name)
            if dataset.size > MOST_NAMES or len(dataset.shape) != 1:
                continue
            if isinstance(bytes_at(name, dataset, size), Words):
                masks[name] = words(dataset, size=size)
            elif array_at(name, dataset, size).dtype.kind in "iu":
                masks[name] = dataset[:].tolist()
    return masks
