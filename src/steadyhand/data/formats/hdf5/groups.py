"""Episodes as numbered groups of one HDF5 file: data/demo_0, traj_0, episode_0, and so on."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from steadyhand.data.files import told
from steadyhand.data.formats.hdf5.arrays import Spot
from steadyhand.data.formats.hdf5.bytes import Words, bytes_at, words
from steadyhand.data.formats.hdf5.episodes import Around
from steadyhand.data.formats.hdf5.heaps import read_only
from steadyhand.data.formats.hdf5.inside import array_at, child
from steadyhand.data.formats.hdf5.look import opened
from steadyhand.data.formats.hdf5.said import said_by
from steadyhand.data.formats.limits import ARRAYS
from steadyhand.disk import regular
from steadyhand.errors import DataError, MissingExtraError, library, plain

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
SEEN = ("obs", "observations", "observation")
MOST_NAMES = 1 << 17
"""Episodes that a list names."""


def is_hdf5(path: Path) -> bool:
    """Whether a file says, or is said by its name, to be one of HDF5."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return path.suffix in ENDINGS or file.read(8) == MAGIC


def root_names(path: Path) -> frozenset[str]:
    """What lies at the root of a file; groups of what was seen also with a / behind.

    Nothing where it is no HDF5 that can be opened.
    """
    try:
        if not is_hdf5(path):
            return frozenset()
        regular(path)
        with read_only(path) as file:
            seen = {f"{top}/" for top in SEEN if top in file and _is_group(file, top)}
            return frozenset({*file} | seen)
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
        masks, unread = _masks(file, size, names)
    around = Around(
        said=[said for said, _ in sayings],
        whys=[why for _, whys in sayings for why in whys] + unread,
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


def _masks(
    file: Any, size: int, episodes: Sequence[str]
) -> tuple[dict[str, Sequence[str | int]], list[str]]:
    """(the lists of episodes that a file has, as robomimic's filter keys; why others are not read).

    A list may also have a flag for each of the `episodes`.
    """
    masks, whys = dict[str, Sequence[str | int]](), list[str]()
    group: Any = None
    with suppress(KeyError, ValueError):
        group = child(file, MASK) if MASK in list(file) else None
    for name in list(group)[:ARRAYS] if isinstance(group, library("h5py").Group) else ():
        try:
            masks[name] = _listed(name, child(group, name), size, episodes)
        except (KeyError, ValueError, TypeError) as error:
            whys.append(f"{MASK}/{plain(name)}: {told(error)}")
    return masks, whys


def _listed(name: str, dataset: Any, size: int, episodes: Sequence[str]) -> Sequence[str | int]:
    """Raises `ValueError`, whose text is the reason, for what lists no episodes."""
    if not isinstance(dataset, library("h5py").Dataset) or len(dataset.shape or ()) != 1:
        raise ValueError("it is no list of episodes")
    if dataset.size > MOST_NAMES:
        raise ValueError(f"it lists {dataset.size} episodes, of at most {MOST_NAMES}")
    if isinstance(bytes_at(name, dataset, size), Words):
        # Some name the group of the episodes as well, as data/demo_0.
        return [text.rpartition("/")[2] for text in words(dataset, size=size)]
    kind = array_at(name, dataset, size).dtype.kind
    listed = dataset[:].tolist() if kind in "biu" else []
    flags = kind == "b" or (len({*listed}) < len(listed) and {*listed} <= {0, 1})
    if kind not in "biu" or (flags and len(listed) != len(episodes)):
        raise ValueError("it holds neither names nor numbers of episodes, nor a flag for each")
    if flags:
        return [episode for episode, is_in in zip(episodes, listed, strict=True) if is_in]
    return listed
