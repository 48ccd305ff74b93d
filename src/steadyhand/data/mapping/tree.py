"""What there is in a file or folder, of whatever kind: arrays and words by path, and their shapes.

Little more than descriptions is read. What is refused is told with why; nothing is unpickled, and
nothing outside is opened.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from steadyhand.data.lazy import LazyArray
from steadyhand.disk import inside
from steadyhand.errors import DataError

FILES = 10_000
"""Files of a folder, and folders in it."""


@dataclass(frozen=True, kw_only=True)
class Tree:
    """One file, or one zarr group."""

    path: Path
    kind: str
    """HDF5, npz, zarr, parquet or CSV."""
    arrays: Mapping[str, LazyArray]
    """By path, parts joined by slashes; columns of a table have (rows, …)."""
    words: Mapping[str, Callable[[], Sequence[str]]] = field(default_factory=dict)
    """Columns and lists of texts, read when asked for."""
    said: Mapping[str, Any] = field(default_factory=dict)
    """Single numbers and texts: by path, and of what a group says of itself by `group@name`."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """What is not read, and why; the text goes on from "it"."""

    @property
    def is_table(self) -> bool:
        """Whether its arrays are columns, one beside the other."""
        return self.kind in ("parquet", "CSV")

    @property
    def rows(self) -> int:
        """Of a table."""
        return next(iter(self.arrays.values())).shape[0]

    def groups(self) -> set[str]:
        """The paths that have arrays below them."""
        parts = (place.split("/") for place in self.arrays)
        return {"/".join(each[:n]) for each in parts for n in range(1, len(each))}


def natural(name: str) -> tuple[Any, ...]:
    """In which order people count: file2 before file10."""
    parts = re.split(r"([0-9]{1,18})", name)
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts)


def is_called(file: Path, pattern: str) -> bool:
    """Whether a file, by its path in a folder or by its name alone, is what a pattern names."""
    return fnmatchcase(str(file), pattern) or fnmatchcase(file.name, pattern)


def is_group(path: Path) -> bool:
    """Whether a folder is a zarr group."""
    return path.is_dir() and any((path / name).exists() for name in (".zgroup", "zarr.json"))


def files_in(folder: Path, endings: Sequence[str], depth: int | None = None) -> list[Path]:
    """The files with these endings in a folder and its folders, as people count; no hidden ones.

    A link is left where it is if it leads out of the folder. Raises `DataError` for too many; with
    a `depth`, in so many folders below each other, there are then none.
    """
    found, waiting, seen = list[Path](), [folder], 0
    while waiting:
        here = waiting.pop(0)
        deepest = depth is not None and len(here.relative_to(folder).parts) + 1 >= depth
        for entry in sorted(here.iterdir(), key=lambda entry: natural(entry.name)):
            seen += 1
            if seen > FILES and depth is not None:
                return []
            if seen > FILES:
                raise DataError(f"{folder} holds more than {FILES} files. Name a folder in it.")
            if entry.name.startswith(".") or not _is_inside(folder, entry):
                continue
            if entry.is_dir() and not entry.is_symlink():
                waiting += [] if deepest else [entry]
            elif entry.suffix.lower() in endings and entry.is_file():
                found.append(entry)
    return sorted(found, key=lambda file: natural(str(file)))


def _is_inside(folder: Path, entry: Path) -> bool:
    try:
        return bool(inside(folder, entry.relative_to(folder)))
    except ValueError:
        return False
