"""RoboTwin: a folder of episode<i>.hdf5, with what the joints were told in joint_action/vector.

Pictures are JPEG in rows of bytes. What was to be done lies in instructions/episode<i>.json beside
the folder `data` of the files, many ways to say it, of which the first is taken.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from steadyhand.data.episodes import Episodes
from steadyhand.data.files import told
from steadyhand.data.formats.format import Format
from steadyhand.data.formats.hdf5.arrays import Spot
from steadyhand.data.formats.hdf5.episodes import Around, episodes_of
from steadyhand.data.formats.hdf5.files import roots_in, spots_in
from steadyhand.data.formats.hdf5.groups import OBSERVED
from steadyhand.data.formats.hdf5.look import Layout
from steadyhand.disk import inside, read_object

LAYOUT = Layout(
    looks_like="a folder of episode<i>.hdf5 with joint_action",
    actions=("joint_action/vector", "joint_action"),
    above=OBSERVED,
)


def matches(path: Path) -> bool:
    return "joint_action" in roots_in(_folder(path))


def read(path: Path, skip: frozenset[int] = frozenset()) -> Episodes:
    """The set without the episodes of the numbers `skip`.

    Raises `DataError` where a file is damaged, or an episode is not as most others are.
    """
    spots = spots_in(_folder(path))
    return episodes_of(path, LAYOUT, spots, skip, _instructed(path, spots))


def _folder(path: Path) -> Path:
    """The folder of the files: `data` in a task's own, unless that is a link out of it."""
    with suppress(ValueError):
        if inside(path, "data").is_dir():
            return path / "data"
    return path


def _instructed(path: Path, spots: Sequence[Spot]) -> Around:
    """What was to be done, by episode."""
    around, episodes, whys = Around(), dict[int, dict[str, Any]](), list[str]()
    if not (path / "instructions").is_dir():
        return around
    for spot in spots:
        try:
            said = read_object(inside(path, f"instructions/{spot.file.stem}.json"))
            ways = next((said[key] for key in ("seen", "unseen") if said.get(key)), [])
            if isinstance(ways, list) and ways and isinstance(ways[0], str):
                episodes[spot.number] = {"instruction": ways[0]}
        except (OSError, ValueError) as error:
            whys.append(f"instructions/{spot.file.stem}.json: {told(error)}")
    return replace(around, episodes=episodes, whys=whys[:1])


FORMAT = Format(name="robotwin-hdf5", looks_like=LAYOUT.looks_like, matches=matches, read=read)
