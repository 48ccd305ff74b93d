"""robomimic HDF5: a group `data/demo_<i>` an episode, with obs/<key> and actions (h5py).

So lie the sets of robomimic, MimicGen, LIBERO, RoboCasa and Isaac Lab; groups that are numbered
otherwise are read in the same way.
"""

from pathlib import Path

from steadyhand.data.episodes import Episodes
from steadyhand.data.formats.format import Format
from steadyhand.data.formats.hdf5.episodes import episodes_of
from steadyhand.data.formats.hdf5.groups import OBSERVED, groups_of, is_hdf5
from steadyhand.data.formats.hdf5.look import Layout

LAYOUT = Layout(
    looks_like="an .hdf5 file with data/demo_<i>",
    above=OBSERVED,
    repeats={"next_obs": "it repeats obs, a step later"},
)


def read(path: Path, skip: frozenset[int] = frozenset()) -> Episodes:
    """The set without the episodes of the numbers `skip`.

    Raises `DataError` where the file is damaged, or an episode is not as most others are.
    """
    spots, around = groups_of(path, LAYOUT.looks_like)
    return episodes_of(path, LAYOUT, spots, skip, around)


FORMAT = Format(name="robomimic-hdf5", looks_like=LAYOUT.looks_like, matches=is_hdf5, read=read)
