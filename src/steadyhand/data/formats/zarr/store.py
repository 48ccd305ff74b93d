"""Where a zarr group lies: a folder or a zip archive, as keys with bytes of a known size.

Nothing outside is opened, no pipe, and nothing larger than what is asked for.
"""

import os
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from steadyhand.data.files import stamp
from steadyhand.data.formats import limits
from steadyhand.disk import LARGEST_TEXT, NotTheFileError, inside, parse_json, regular


def read_description(store: "Store", key: str) -> dict[str, Any]:
    """The object in a JSON file; empty where there is none."""
    try:
        found = parse_json(store.read(key, LARGEST_TEXT).decode())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ValueError(f"its {key.rpartition('/')[2]} cannot be read ({error})") from error
    if not isinstance(found, dict):
        raise ValueError(f"its {key.rpartition('/')[2]} holds no object")
    return found


DESCRIBED = (".zgroup", ".zmetadata", "zarr.json")
"""Files that a group has."""


class Folder:
    """Keys with parts joined by slashes, as `data/action/0.0`, are paths in it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def children(self, key: str) -> list[str]:
        """The names of the groups and arrays in a group."""
        top = inside(self._path, key)
        if "/" in key and top.is_symlink():  # such could lead back, and round for ever
            raise ValueError("it is a link to a group")
        return sorted(entry.name for entry in top.iterdir() if entry.is_dir())

    def sizes(self, key: str) -> dict[str, int]:
        """The stored bytes of everything below a key, by the rest of its key."""
        top = inside(self._path, key)
        files = (Path(folder, name) for folder, _, names in os.walk(top) for name in names)
        return {file.relative_to(top).as_posix(): stamp(file)[1] for file in files}

    def fingerprint(self, key: str) -> list[Any]:
        """Changes when what is below a key does."""
        top = inside(self._path, key)
        return [[str(file.relative_to(top)), *stamp(file)] for file in sorted(top.rglob("*"))]

    def has(self, key: str) -> bool:
        """Whether anything is there, a link that leads nowhere among it."""
        return os.path.lexists(self._path / key)

    def read(self, key: str, at_most: int) -> bytes:
        """Raises `FileNotFoundError` where nothing is there, other `OSError`, `ValueError`."""
        file = inside(self._path, key)
        try:
            _require_size(regular(file), at_most)
        except FileNotFoundError:
            links = (up for up in (file, *file.parents) if up.is_symlink())
            if any(not link.exists() for link in links):  # as git-annex keeps things elsewhere
                raise NotTheFileError("it is a link to what is not there") from None
            raise
        return file.read_bytes()


class Archive:
    """The same of a zip archive. Raises `OSError`, `ValueError` where it is none."""

    def __init__(self, path: Path) -> None:
        regular(path)
        self._path, self._archive = path, zipfile.ZipFile(path)
        self._top = self._only_folder()

    def _only_folder(self) -> str:
        """The folder in which the group lies, where a whole folder was packed; else ""."""
        names = [name for name in self._archive.NameToInfo if not name.startswith("__MACOSX/")]
        top = names[0].partition("/")[0] if names else ""
        alone = bool(top) and all(name.startswith(f"{top}/") for name in names)
        described = any(f"{top}/{name}" in self._archive.NameToInfo for name in DESCRIBED)
        return f"{top}/" if alone and described else ""

    def _below(self, key: str) -> Iterator[tuple[str, int]]:
        start = self._top + (f"{key}/" if key else "")
        for info in self._archive.infolist():
            if info.filename.startswith(start):
                yield info.filename.removeprefix(start), info.compress_size

    def children(self, key: str) -> list[str]:
        found = sorted({name.partition("/")[0] for name, _ in self._below(key) if "/" in name})
        if not found:
            raise FileNotFoundError(f"there is nothing in {key or 'it'}")
        return found

    def sizes(self, key: str) -> dict[str, int]:
        return dict(self._below(key))

    def fingerprint(self, key: str) -> list[Any]:
        return [stamp(self._path), key.rpartition("/")[2]]

    def has(self, key: str) -> bool:
        return self._top + key in self._archive.NameToInfo

    def read(self, key: str, at_most: int) -> bytes:
        try:
            info = self._archive.getinfo(self._top + key)
        except KeyError:
            raise FileNotFoundError(f"there is no '{key}'") from None
        _require_size(info.file_size, at_most)
        limits.require_unlocked(info)
        try:
            with self._archive.open(info) as member:
                return member.read(at_most)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
            raise ValueError(f"its part of the archive is damaged ({error})") from error


Store = Folder | Archive


def _require_size(size: int, at_most: int) -> None:
    if size > at_most:
        raise ValueError(f"it has {size} bytes where {at_most} are the most that can be right")
