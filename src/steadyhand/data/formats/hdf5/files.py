"""Episodes as files of a folder, an HDF5 file each, in the order of the numbers in their names."""

import re
from contextlib import suppress
from pathlib import Path

from steadyhand.data.formats.hdf5.arrays import Spot
from steadyhand.data.formats.hdf5.groups import ENDINGS, root_names
from steadyhand.data.formats.limits import ARRAYS
from steadyhand.disk import inside
from steadyhand.errors import DataError

NUMBER = re.compile(r"([0-9]{1,18})[^0-9]*")


def files_in(folder: Path) -> list[Path]:
    """By number, then by name; without hidden ones."""
    files = [each for each in folder.glob("[!.]*") if each.suffix in ENDINGS]
    return sorted(files, key=lambda file: (_number(file), file.name))


def others_in(folder: Path) -> dict[str, str]:
    """What else lies in a folder of episodes, and why it is not read; without hidden ones."""
    if not folder.is_dir():
        return {}
    names = sorted(each.name for each in folder.glob("[!.]*") if each.suffix not in ENDINGS)
    return dict.fromkeys(names[:ARRAYS], "it is no episode")


def roots_in(path: Path) -> frozenset[str]:
    """What lies at the root of a file, or of the first file of a folder; links out are left."""
    if not path.is_dir():
        return root_names(path)
    with suppress(ValueError):
        for file in files_in(path)[:1]:
            return root_names(inside(path, file.name))
    return frozenset()


def spots_in(path: Path) -> list[Spot]:
    """The episodes of a folder, or of a file that is one. They are numbered by their names where
    these tell them apart. Raises `DataError` for a file that leads out of the folder."""
    if not path.is_dir():
        return [Spot(max(_number(path), 0), path, "", path.name)]
    files = files_in(path)
    try:
        files = [inside(path, file.name) for file in files]
    except ValueError as error:
        raise DataError(f"{path} cannot be read: {error}.", file=path) from error
    numbers = [_number(file) for file in files]
    if len({*numbers}) < len(files) or -1 in numbers:
        numbers = list(range(len(files)))
    return [Spot(n, file, "", file.name) for n, file in zip(numbers, files, strict=True)]


def _number(file: Path) -> int:
    """The last number in a name, -1 where it has none."""
    found = NUMBER.findall(file.stem)
    return int(found[-1]) if found else -1
