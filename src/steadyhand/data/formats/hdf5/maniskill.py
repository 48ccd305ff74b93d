"""ManiSkill HDF5: a group `traj_<i>` an episode at the root, with obs, actions and success.

What is seen after the last action is a row more in obs, and is not read. The environment, its rate
and marks of success lie in a .json of the same name beside the file.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from steadyhand.data.episodes import Episodes
from steadyhand.data.files import told
from steadyhand.data.formats.format import Format
from steadyhand.data.formats.hdf5.episodes import Around, episodes_of
from steadyhand.data.formats.hdf5.groups import OBSERVED, groups_of, root_names
from steadyhand.data.formats.hdf5.look import Layout
from steadyhand.disk import inside, read_object

LAYOUT = Layout(looks_like="an .h5 file with traj_<i>", above=OBSERVED, last_seen=True)
NUMBERED = re.compile(r"traj_[0-9]{1,18}")


def matches(path: Path) -> bool:
    return any(NUMBERED.fullmatch(name) for name in root_names(path))


def read(path: Path, skip: frozenset[int] = frozenset()) -> Episodes:
    """The set without the episodes of the numbers `skip`.

    Raises `DataError` where the file is damaged, or an episode is not as most others are.
    """
    spots, around = groups_of(path, LAYOUT.looks_like)
    return episodes_of(path, LAYOUT, spots, skip, _with_json(path, around))


def _with_json(path: Path, around: Around) -> Around:
    beside = path.with_suffix(".json")
    if not beside.is_file():
        return around
    try:
        said = read_object(inside(path.parent, beside.name))
    except (OSError, ValueError) as error:
        return replace(around, whys=[*around.whys, f"{beside.name}: {told(error)}"])
    listed = said.pop("episodes", None)
    episodes = {
        each["episode_id"]: {"success": each.get("success")}
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, Mapping) and type(each.get("episode_id")) is int
    }
    told_of_all: dict[str, Any] = {key: value for key, value in said.items() if key == "env_info"}
    return replace(around, said=[*around.said, told_of_all], episodes=episodes)


FORMAT = Format(name="maniskill-hdf5", looks_like=LAYOUT.looks_like, matches=matches, read=read)
