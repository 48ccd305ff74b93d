"""The bags at a path: one, the parts of one, or a folder of several, an episode each.

`metadata.yaml` says only that a folder is one bag: what lies in it is what its files are.
"""

import sqlite3
from pathlib import Path

from steadyhand.data.bags.bag import Bag, Recording
from steadyhand.data.bags.mcap_file import McapFile
from steadyhand.data.bags.ros1_file import Ros1File
from steadyhand.data.bags.sqlite_file import SqliteFile
from steadyhand.data.files import told
from steadyhand.data.mapping.tree import files_in, natural
from steadyhand.errors import DataError, SteadyhandError

KINDS = {".mcap": McapFile, ".db3": SqliteFile, ".bag": Ros1File}
"""By the ending of a file."""
PACKED = (".mcap.zstd", ".db3.zstd", ".mcap.zst", ".db3.zst")


def is_bag(path: Path) -> bool:
    """Whether there is a bag at a path, or a folder of bags, by names alone."""
    if path.is_file():
        return path.name.lower().endswith((*KINDS, *PACKED))
    if not path.is_dir():
        return False
    try:
        return bool(_files(path))
    except DataError:
        return False


def open_bags(path: Path) -> list[Bag]:
    """Raises `DataError` where one is damaged, and for none."""
    if path.is_file():
        return [Bag(path, [_opened(path)])]
    files = _files(path)
    bags: dict[Path, list[Path]] = {}
    for file in files:
        whole = file.parent if (file.parent / "metadata.yaml").exists() else file
        bags.setdefault(whole, []).append(file)
    if not bags:
        raise DataError(f"{path} has no bags in it: {', '.join(KINDS)}.")
    ordered = sorted(bags.items(), key=lambda each: natural(str(each[0])))
    return [Bag(whole, [_opened(file) for file in parts]) for whole, parts in ordered]


def _files(folder: Path) -> list[Path]:
    found = files_in(folder, (*KINDS, ".zstd", ".zst"))
    return [file for file in found if file.name.lower().endswith((*KINDS, *PACKED))]


def _opened(file: Path) -> Recording:
    if file.name.lower().endswith((".zstd", ".zst")):
        raise DataError(
            f"{file} is packed as a whole. Unpack it first: zstd -d {file.name}.", file=file
        )
    try:
        return KINDS[file.suffix.lower()](file)
    except SteadyhandError:
        raise
    except (Exception, sqlite3.Error) as error:  # a damaged file can raise nearly anything
        way = "; ros2 bag reindex may mend it" if file.suffix == ".db3" else ""
        raise DataError(
            f"{file} is no whole bag: {told(error)}. Copy it again{way}.", file=file
        ) from error
