"""What lies in any HDF5 file, by path: arrays, encoded pictures, words, and what groups say."""

from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.files import told
from steadyhand.data.formats.hdf5.heaps import read_only
from steadyhand.data.formats.hdf5.inside import Found, arrays_in, attribute, child
from steadyhand.data.formats.limits import bytes_of, require_stored
from steadyhand.data.lazy import damage_told, gathered
from steadyhand.data.mapping.encoded import Encoded, begins, is_encoded
from steadyhand.data.mapping.tree import Tree
from steadyhand.disk import regular
from steadyhand.errors import DataError, SteadyhandError, library

MOST = 100_000
"""Arrays of one file: a group an episode has some in each."""
ATTRIBUTES = 64
"""Of one group."""
WORDS = 1 << 20
"""Rows of a list of words."""


def hdf5_tree(path: Path) -> Tree:
    """Raises `DataError` where the file is damaged."""
    arrays, words, said, refused = {}, {}, {}, {}
    try:
        size = regular(path)
        with read_only(path) as file:
            for place, found in arrays_in(file, size, MOST).items():
                if isinstance(found, Found):
                    array = Numbers(path, place, found)
                    arrays[place] = Encoded(array, path) if is_encoded(array) else array
                    continue
                kind, value = _other(file, place, size)
                if kind == "value":
                    said[place] = value
                elif kind == "words":
                    words[place] = partial(_words, path, place)
                elif kind == "pictures":
                    arrays[place] = Encoded(Bytes(path, place, value), path)
                else:
                    refused[place] = found
            _require_together(arrays.values(), size)
            said |= _attributes(file)
    except SteadyhandError:
        raise
    except Exception as error:  # a damaged file can raise nearly anything
        what = f"{path} is not a whole HDF5 file ({told(error)}). Copy it again."
        raise DataError(what, file=path) from error
    return Tree(path=path, kind="HDF5", arrays=arrays, words=words, said=said, refused=refused)


def _require_together(arrays: Any, size: int) -> None:
    numbers = [array for array in arrays if isinstance(array, Numbers)]
    require_stored(sum(bytes_of(array.shape, array.dtype) for array in numbers), size)


def _other(file: Any, place: str, size: int) -> tuple[str, Any]:
    """What is at a place that holds no array of numbers: (kind, its value or length)."""
    h5py = library("h5py")
    try:
        entry = child(file, place)
        if not isinstance(entry, h5py.Dataset) or entry.id.get_create_plist().get_external_count():
            return "", None
        inner, text = h5py.check_vlen_dtype(entry.dtype), h5py.check_string_dtype(entry.dtype)
        kind, rows = entry.dtype.kind, entry.shape
        if rows == () and (kind in "biuf" or text):
            return ("value", _value(entry[()])) if entry.dtype.itemsize <= 8 or text else ("", None)
        if rows is None or len(rows) != 1 or rows[0] * 4 > size + 4096:
            return "", None
        fixed = kind == "S" and entry.dtype.itemsize > 64
        if rows[0] and (inner == np.uint8 or fixed) and begins(_bytes(entry[0])):
            return "pictures", rows[0]
        if text and rows[0] <= WORDS:
            require_stored(rows[0] * entry.dtype.itemsize, size)
            return "words", None
    except (ValueError, KeyError, TypeError, OSError):  # it stays what it was said to be
        pass
    return "", None


def _bytes(found: Any) -> NDArray[np.uint8]:
    return np.frombuffer(found, np.uint8) if isinstance(found, bytes) else found


def _value(value: Any) -> Any:
    """A number or a text as Python has it."""
    value = value.item() if isinstance(value, np.generic) else value
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _attributes(file: Any) -> dict[str, Any]:
    """Single numbers and texts that groups say of themselves, as `group@name`."""
    h5py, said, waiting = library("h5py"), dict[str, Any](), [("", file)]
    for place, group in waiting:
        for name in list(group.attrs)[:ATTRIBUTES]:
            with suppress(ValueError):  # neither a number nor a text
                said[f"{place}@{name}"] = attribute(group, name)
        if place.count("/") > 2 or len(waiting) > MOST:
            continue
        for name in group:
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.HardLink) and group.get(name, getclass=True) is h5py.Group:
                waiting.append((f"{place}/{name}".removeprefix("/"), group[name]))
    return said


def _words(path: Path, place: str) -> list[str]:
    with damage_told(path, place), read_only(path) as file:
        return [str(_value(value)) for value in child(file, place)[()]]


class Numbers:
    """A dataset of numbers; flat ones are kept once they were read."""

    def __init__(self, path: Path, place: str, found: Found) -> None:
        self._path, self._place = path, place
        self.shape, self.dtype = found.shape, found.dtype

    def __getitem__(self, key: Any, /) -> Any:
        return gathered(self, key, self._read) if len(self.shape) > 3 else self._values[key]

    @cached_property
    def _values(self) -> NDArray[Any]:
        return gathered(self, slice(None), self._read)

    def _read(self, rows: NDArray[np.int64]) -> Iterator[tuple[Any, Any]]:
        with damage_told(self._path, self._place), read_only(self._path) as file:
            first = int(rows.min()) if len(rows) else 0
            found = child(file, self._place)[first : int(rows.max(initial=-1)) + 1]
            yield slice(None), found[rows - first]


class Bytes:
    """A dataset of encoded pictures, each of a length of its own: items are bytes."""

    def __init__(self, path: Path, place: str, steps: int) -> None:
        self._path, self._place, self.shape = path, place, (steps,)

    def __getitem__(self, step: int, /) -> NDArray[np.uint8]:
        with damage_told(self._path, self._place), read_only(self._path) as file:
            return _bytes(child(file, self._place)[step])
