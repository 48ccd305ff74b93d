"""Minari: data/main_data.hdf5 with a group `episode_<i>` an episode, and metadata.json beside it.

Observations and actions are arrays, or groups where their spaces are dictionaries or tuples. What
is seen after the last action is a row more in the observations, and is not read.
"""

import re
from dataclasses import replace
from pathlib import Path

from steadyhand.data.episodes import Episodes
from steadyhand.data.files import told
from steadyhand.data.formats.format import Format
from steadyhand.data.formats.hdf5.episodes import Around, episodes_of
from steadyhand.data.formats.hdf5.groups import OBSERVED, groups_of, root_names
from steadyhand.data.formats.hdf5.look import Layout
from steadyhand.disk import inside, read_object
from steadyhand.errors import DataError

LAYOUT = Layout(looks_like="a folder with data/main_data.hdf5", above=OBSERVED, last_seen=True)
FILE = "main_data.hdf5"
NUMBERED = re.compile(r"episode_[0-9]{1,18}")


def matches(path: Path) -> bool:
    if path.is_dir():
        return any((path / place).is_file() for place in (f"data/{FILE}", FILE))
    return any(NUMBERED.fullmatch(name) for name in root_names(path))


def read(path: Path, skip: frozenset[int] = frozenset()) -> Episodes:
    """The set without the episodes of the numbers `skip`.

    Raises `DataError` where the file is damaged, or an episode is not as most others are.
    """
    if not path.is_dir():
        spots, around = groups_of(path, LAYOUT.looks_like)
        return episodes_of(path, LAYOUT, spots, skip, around)
    folder = path / "data" if (path / "data" / FILE).is_file() else path
    try:
        file = inside(path, (folder / FILE).relative_to(path))
    except ValueError as error:
        raise DataError(f"{path} cannot be read: {error}.", file=path) from error
    spots, around = groups_of(file, LAYOUT.looks_like)
    return episodes_of(path, LAYOUT, spots, skip, _with_json(path, folder, around))


def _with_json(path: Path, folder: Path, around: Around) -> Around:
    beside = folder / "metadata.json"
    if not beside.is_file():
        return around
    try:
        said = read_object(inside(path, beside.relative_to(path)))
    except (OSError, ValueError) as error:
        return replace(around, whys=[*around.whys, f"{beside.name}: {told(error)}"])
    return replace(around, said=[*around.said, said])


FORMAT = Format(name="minari-hdf5", looks_like=LAYOUT.looks_like, matches=matches, read=read)
