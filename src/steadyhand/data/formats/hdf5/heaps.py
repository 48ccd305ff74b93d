"""An HDF5 file, opened to be read: not before the heaps in which its texts lie are known to end.

The library reads a heap object by object, and goes on for good where one has no size. Of a large
file only both ends are looked through.
"""

import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from steadyhand.data.files import stamp
from steadyhand.errors import library

HEAP = b"GCOL\x01\0\0\0"
"""How a heap begins: its signature, version 1, three bytes of nothing."""
HEADER, OBJECT = 16, 16
"""Bytes before the first object of a heap, and before what each object holds."""
END_BYTES = 1 << 27
"""As much is looked through at either end of a file."""


@contextmanager
def read_only(path: Path) -> Iterator[Any]:
    """The `h5py.File`. Raises `OSError` where it cannot be read, as the library does."""
    _check_heaps(path, *stamp(path))
    with library("h5py").File(path, "r") as file:
        yield file


@lru_cache(maxsize=4096)
def _check_heaps(path: Path, name: str, size: int, *times: int) -> None:
    """Raise `OSError` for a heap (H5HG of the format's specification) that has no end."""
    if size < HEADER:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        ends = [(0, min(END_BYTES, size)), (max(size - END_BYTES, END_BYTES), size)]
        for start, stop in ends:
            place = content.find(HEAP, start, stop) if start < stop else -1
            while place >= 0:
                if not _ends(content, place):
                    raise OSError(f"the heap of texts at byte {place} is damaged")
                place = content.find(HEAP, place + 1, stop)


def _ends(content: mmap.mmap, place: int) -> bool:
    """Whether each object of a heap leads to the next, up to its end."""
    if place + HEADER > len(content):
        return True  # the library says so itself
    end = place + struct.unpack_from("<Q", content, place + 8)[0]
    here = place + HEADER
    while here + OBJECT <= min(end, len(content)):
        number, _, _, size = struct.unpack_from("<HHIQ", content, here)
        taken = size if number == 0 else OBJECT + -(-size // 8) * 8
        if not OBJECT <= taken <= end - here:
            return False
        here += taken
    return True
