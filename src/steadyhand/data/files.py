"""Whether a file is still what it was: by name, size and times, or by size and checksum."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from steadyhand.disk import regular
from steadyhand.errors import DataError, plain

PIECE = 1 << 20
Sum = tuple[int, int]
"""(size, crc32) of a file."""
SKIP = "leave the episode out: --skip-broken-episodes."
AGAIN = f"Copy it again, or {SKIP}"
LEAVE = SKIP.capitalize()


def stamp(file: Path) -> list[Any]:
    """A file's name, size and times; the size is -1 where it is not there.

    The second time is that of the last change of any kind, which cannot be set back.
    """
    try:
        found = file.stat()
    except OSError:
        return [file.name, -1, 0, 0]
    return [file.name, found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def sum_of(file: Path) -> Sum:
    """Size and checksum of a file, read once as long as it does not change."""
    return _sum_of(file, *stamp(file))


@lru_cache(maxsize=4096)
def _sum_of(file: Path, name: str, size: int, *times: int) -> Sum:
    total = 0
    with file.open("rb") as stream:
        while piece := stream.read(PIECE):
            total = zlib.crc32(piece, total)
    return size, total


def is_damaged(file: Path, expected: Sum | None) -> bool:
    """Whether a file has its size and not its content.

    With another size it was written anew by somebody else, and is what it is.
    """
    if expected is None or stamp(file)[1] != expected[0]:
        return False
    regular(file)
    return sum_of(file) != tuple(expected)


def require_whole(
    what: str, file: Path, expected: Sum | None, episode: int | None, again: str = AGAIN
) -> int:
    """The size of a file of a data set, which `what` names in messages.

    Raises `DataError` where it is missing, none that can be read, or not what was written.
    """
    try:
        size = regular(file)
        if not is_damaged(file, expected):
            return size
        why = f"it is not what was written. {again}"
    except FileNotFoundError:
        why = f"it is not there. {again}"
    except OSError as error:
        why = f"{error.strerror or error}."
    raise DataError(f"{what} cannot be used: {why}", episode=episode, file=file)


@contextmanager
def damage_of(episode: int) -> Iterator[None]:
    """Damage that is met in here, and is of no episode yet, is that one's."""
    try:
        yield
    except DataError as error:
        error.episode = episode if error.episode is None else error.episode
        raise


def told(said: Any) -> str:
    """What a library or a stranger says, an error or a name, as one short line to be printed."""
    line = (str(said).splitlines() or [""])[0] or type(said).__name__
    return plain(line[:300]).rstrip(".")
