"""Arrays as strangers hand them over: npz here, zarr and HDF5 beside it."""

from pathlib import Path

import hdf5
import npz
import zarrs
import zarrs_v3
from case import Hostile


def write(folder: Path) -> list[Hostile]:
    """All cases, each a file or a folder in `folder`."""
    return [case for family in (npz, zarrs, zarrs_v3, hdf5) for case in family.write(folder)]
