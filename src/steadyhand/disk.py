"""What lies on the disk, met with care: its kind, its place and its size come before its content.

A stranger's file may be a pipe that never ends, a link out of its folder, or an object nested a
million deep. What does not fit is a `ValueError` or an `OSError` whose text says why; whoever reads
a format says which file it was, and what to do. What is written is whole or not there.
"""

import errno
import json
import os
import stat
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

LARGEST_TEXT = 64 << 20
"""Bytes of the largest description that is read; indices of millions of episodes are smaller."""
LARGEST_NUMBER = 2**63
"""Whole numbers from here on are no counts, places or seeds."""
POINTER = b"version https://git-lfs.github.com/spec/"
"""What Git LFS leaves where a file should be begins so, and is shorter than 1 kB."""
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""What a file system says that knows no locks."""


class NotTheFileError(OSError):
    """Something else is where a file should be; to copy it again would not help."""


def regular(path: Path) -> int:
    """The size in bytes of a regular file, links followed.

    Raises `OSError` where there is none, and `NotTheFileError` for pipes, devices, sockets and
    folders, and for what Git LFS left in its place.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise NotTheFileError("it is no regular file")
    if len(POINTER) < found.st_size < 1024 and path.read_bytes().startswith(POINTER):
        raise NotTheFileError(
            "it is a Git LFS pointer, not the file: run `git lfs pull` in the folder it is from"
        )
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


@contextmanager
def written_whole(path: Path) -> Generator[Path]:
    """A new path beside `path`, of the same ending, to write the file to: it then takes its place.

    What was there stays until the new file is whole, and where writing it fails. Any number of
    processes may write the same file: each writes its own, and the last one stays.
    """
    partial = path.with_name(f".{path.stem}.{uuid4().hex[:8]}.partial{path.suffix}")
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a file, whole or not at all, also where the power fails. Raises `OSError`.

    What is no character, as in names of files that are not UTF-8, is written out as its number.
    """
    try:
        with written_whole(path) as partial:
            partial.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk does not say which file it was
        raise


def write_json(path: Path, content: Any) -> None:
    """Write a value as JSON, whole or not at all. Raises `OSError`."""
    write_text(path, json.dumps(content, indent=1) + "\n")


def require_room(path: Path) -> None:
    """Raise `OSError` where nothing can be made at `path`: what leads there is no open folder."""
    near = next(up for up in path.absolute().parents if up.exists())
    if not near.is_dir():
        raise NotADirectoryError(f"{near} is no folder")
    if not os.access(near, os.W_OK | os.X_OK):
        raise PermissionError(f"{near} may not be written")


def lock(path: Path, *, wait: bool = False) -> ExitStack:
    """Keep other processes out until what is returned is left or closed, or this process ends.

    The folder of `path` is made where there is none. Where another process has the lock, wait for
    it, or raise `BlockingIOError`. A file system without locks keeps nobody out. Raises `OSError`
    where there can be no such file; a link in its place is never followed, so that a stranger's
    folder cannot make it a file of somebody's.
    """
    from filelock import FileLock, Timeout

    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(path, timeout=-1 if wait else 0, thread_local=False)
        try:
            held.acquire()
        except Timeout:
            raise BlockingIOError(errno.EAGAIN, "another process has it", str(path)) from None
        except FileNotFoundError:  # whoever had it has removed the folder
            continue
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            return ExitStack()
        left = ExitStack()
        left.callback(held.release)
        return left


def _whole(digits: str) -> int:
    if len(digits) > 20 or not -LARGEST_NUMBER <= int(digits) < LARGEST_NUMBER:
        raise ValueError(f"the number {digits[:20]}{'…' * (len(digits) > 20)} is too large")
    return int(digits)
