"""Arrays as strangers hand them over: npz here, zarr and HDF5 beside it."""

from pathlib import Path

import hdf5
import hdf5_families
import npz
import zarrs
import zarrs_v3
from case import Hostile

FAMILIES = (npz, zarrs, zarrs_v3, hdf5, hdf5_families)


def write(folder: Path) -> list[Hostile]:
    """All cases, each a file or a folder in `folder`."""
    return [case for family in FAMILIES for case in family.write(folder)]
