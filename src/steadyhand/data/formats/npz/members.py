"""What lies in an `.npz`: its arrays, each read whole when it is asked for, by what may be.

Headers are held against what is stored before anything is allocated; nothing is unpickled.
"""

import struct
import zipfile
import zlib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.files import stamp
from steadyhand.data.formats import limits
from steadyhand.data.formats.npz.plain_arrays import WORDS
from steadyhand.data.lazy import damage_told
from steadyhand.disk import LARGEST_TEXT, parse_json, regular
from steadyhand.errors import plain

DAMAGE = (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What the libraries say of a damaged archive."""
NOTED = "noted.json"
"""A member that is no array: what there is no place for in one."""
LOCAL = 30
"""Bytes of what stands before a member, without its name and what else follows that."""


def members(path: Path) -> "tuple[dict[str, Member], dict[str, str]]":
    """The arrays inside an `.npz`, and what in it is none or cannot be read, with why."""
    arrays: dict[str, Member] = {}
    left_out: dict[str, str] = {}
    regular(path)
    with zipfile.ZipFile(path) as archive:
        limits.require_few(len(archive.infolist()))
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            if info.filename == NOTED:
                continue
            try:
                if name == info.filename:
                    raise ValueError("it is no array")
                limits.require_name(name)
                arrays[name] = Member(path, name, archive, info)
            except (zipfile.BadZipFile, zlib.error, EOFError):
                raise  # the archive itself is damaged
            except Exception as error:  # a damaged header can raise nearly anything
                left_out[plain(name)] = str(error) or type(error).__name__
    return arrays, left_out


def said_in(path: Path) -> Any:
    """What a set says beside its arrays, where this project wrote it."""
    with zipfile.ZipFile(path) as archive:
        if NOTED not in archive.NameToInfo:
            return {}
        info = archive.getinfo(NOTED)
        limits.require_unlocked(info)
        if info.file_size > LARGEST_TEXT:
            raise ValueError(f"its {NOTED} has {info.file_size} bytes")
        return parse_json(archive.read(info).decode())


class Member:
    """One array of the file: its header at once, its numbers as a whole at their first use.

    Of one that is large and not packed, only the rows that are asked for are read.
    """

    def __init__(
        self, path: Path, name: str, archive: zipfile.ZipFile, info: zipfile.ZipInfo
    ) -> None:
        self._path, self._name, self._info = path, name, info
        limits.require_unlocked(info)
        with archive.open(info) as file:
            old = np.lib.format.read_magic(file) == (1, 0)
            headers = np.lib.format.read_array_header_1_0, np.lib.format.read_array_header_2_0
            shape, self._fortran, dtype = headers[0 if old else 1](file)
            self._begins = file.tell()
            there = info.file_size - self._begins
        words = name.rpartition("/")[2].lower() in WORDS and dtype.kind in "US" and len(shape) < 2
        if not words:
            limits.require_numbers(dtype)
        self.shape, self.dtype = limits.whole_numbers(shape), dtype
        self.needed = limits.bytes_of(self.shape, dtype)
        if self.needed != there:
            what = f"its shape {self.shape} takes {self.needed} bytes"
            raise ValueError(f"{what}, and {there} are in the file")
        limits.require_stored(self.needed, info.compress_size)
        if dtype.kind == "S":
            self.dtype = np.dtype(f"U{dtype.itemsize}")

    @cached_property
    def _values(self) -> NDArray[Any]:
        with zipfile.ZipFile(self._path) as archive, archive.open(self._info) as file:
            values = np.lib.format.read_array(file, allow_pickle=False)
            file.read(1)  # up to its end, where the checksum is looked at
        if values.dtype.kind == "S":
            return np.char.decode(values, errors="replace").astype(self.dtype)
        return values

    @cached_property
    def _lies(self) -> int | None:
        """Where the numbers of a large array begin in the file; None of one that is small or
        packed."""
        if self._info.compress_type != zipfile.ZIP_STORED or self.needed <= limits.FREE:
            return None
        with self._path.open("rb") as file:
            file.seek(self._info.header_offset)
            head = file.read(LOCAL)
        if len(head) < LOCAL or not head.startswith(b"PK\3\4"):
            raise ValueError("it does not lie where the archive says")
        start = self._info.header_offset + LOCAL + sum(struct.unpack_from("<HH", head, LOCAL - 4))
        start += self._begins
        if start + self.needed > regular(self._path):
            raise ValueError("it is cut short")
        return start

    def fingerprint(self) -> list[Any]:
        return [stamp(self._path), self._name]

    def __getitem__(self, key: Any) -> Any:
        with damage_told(self._path, self._name):
            if (start := self._lies) is None:
                return self._values[key]
            # Mapped anew each time: what was read of it would else stay in memory.
            order = "F" if self._fortran else "C"
            return np.array(np.memmap(self._path, self.dtype, "r", start, self.shape, order)[key])
