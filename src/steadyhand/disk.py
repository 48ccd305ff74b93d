"""What lies on the disk, met with care: its kind, its place and its size come before its content.

A stranger's file may be a pipe that never ends, a link out of its folder, or an object nested a
million deep. What does not fit is a `ValueError` or an `OSError` whose text says why; whoever reads
a format says which file it was, and what to do.
"""

import json
import stat
from pathlib import Path
from typing import Any, cast

LARGEST_TEXT = 64 << 20
"""Bytes of the largest description that is read; indices of millions of episodes are smaller."""
LARGEST_NUMBER = 2**63
"""Whole numbers from here on are no counts, places or seeds."""


def regular(path: Path) -> int:
    """The size in bytes of a regular file, links followed.

    Raises `OSError` where there is none, and for pipes, devices, sockets and folders.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError("it is no regular file")
    return found.st_size


def inside(folder: Path, name: str | Path) -> Path:
    """The path `name` in `folder`, whether or not it is there.

    Raises `ValueError` where it leads out of the folder: by its own words or by a link. Links of
    a hub's cache, from `snapshots/REVISION` to the `blobs` beside them, stay in the data set.
    """
    root, path = folder.resolve(), folder / name
    hubs = [up.parent.parent for up in (root, *root.parents) if up.parent.name == "snapshots"]
    allowed = [root, *(hub / "blobs" for hub in hubs)]
    try:
        found = path.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, a name with a zero
        raise ValueError(f"'{name}' is no path ({error})") from error
    if not any(found.is_relative_to(place) for place in allowed):
        raise ValueError(f"'{name}' leads out of {folder}, and nothing outside is read")
    return path


def read_text(path: Path, *, at_most: int = LARGEST_TEXT) -> str:
    """The text of a regular file of at most so many bytes. Raises `OSError`, `ValueError`."""
    size = regular(path)
    if size > at_most:
        raise ValueError(f"it has {size} bytes, more than the {at_most} that are read of such")
    return path.read_bytes()[:at_most].decode()


def parse_json(text: str) -> Any:
    """The value of some JSON; raises `ValueError` for what is none, too deep or too large."""
    try:
        return json.loads(text, parse_int=_whole)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def read_json(path: Path, *, at_most: int = LARGEST_TEXT) -> Any:
    """The value in a JSON file. Raises `OSError`, `ValueError`."""
    return parse_json(read_text(path, at_most=at_most))


def read_object(path: Path, *, at_most: int = LARGEST_TEXT) -> dict[str, Any]:
    """The object in a JSON file. Raises `OSError`, `ValueError`, also where it holds no object."""
    found = read_json(path, at_most=at_most)
    if not isinstance(found, dict):
        raise ValueError("it holds no object")
    return cast(dict[str, Any], found)


def _whole(digits: str) -> int:
    if len(digits) > 20 or not -LARGEST_NUMBER <= int(digits) < LARGEST_NUMBER:
        raise ValueError(f"the number {digits[:20]}{'…' * (len(digits) > 20)} is too large")
    return int(digits)
