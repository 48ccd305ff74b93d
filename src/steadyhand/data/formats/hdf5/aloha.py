"""ALOHA and ACT: a folder of episode_<i>.hdf5, with `action` and `observations` in each file.

Pictures are arrays, or JPEG in rows of bytes that are padded to one length. No rate is kept: these
recorders take 50 steps a second.
"""

import re
from pathlib import Path

from steadyhand.data.episodes import Episodes
from steadyhand.data.formats.bounds import FIRST, LAST, NUMBERS
from steadyhand.data.formats.format import Format
from steadyhand.data.formats.hdf5.episodes import Around, episodes_of
from steadyhand.data.formats.hdf5.files import others_in, roots_in, spots_in
from steadyhand.data.formats.hdf5.groups import OBSERVED
from steadyhand.data.formats.hdf5.look import Layout

LAYOUT = Layout(
    looks_like="a folder of episode_<i>.hdf5 with action and observations",
    actions=("action", "actions"),
    above=OBSERVED,
    quiet=frozenset({"compress_len"}),
    rate_hz=50.0,
)
SEEN = {"observations/", "obs/", "observation/"}
"""Groups; an array of such a name is of another layout."""
CUTS = re.compile(
    r"terminals?|timeouts?|terminations|truncations|(episode|ep|traj)_?(ends?|starts?|lengths?|lens?)"
)
"""What lists at the root are called that cut a file in episodes: it is then not one of them."""


def matches(path: Path) -> bool:
    roots = roots_in(path)
    flags = frozenset() if path.is_dir() else frozenset((*LAST, *FIRST, *NUMBERS))
    if roots & flags or any(CUTS.fullmatch(name) for name in roots):
        return False
    return bool(roots & {*LAYOUT.actions}) and bool(roots & SEEN)


def read(path: Path, skip: frozenset[int] = frozenset()) -> Episodes:
    """The set without the episodes of the numbers `skip`.

    Raises `DataError` where a file is damaged, or an episode is not as most others are.
    """
    around = Around(left_out=others_in(path))
    return episodes_of(path, LAYOUT, spots_in(path), skip, around)


FORMAT = Format(name="aloha-hdf5", looks_like=LAYOUT.looks_like, matches=matches, read=read)
