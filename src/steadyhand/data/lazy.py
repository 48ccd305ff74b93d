"""Arrays that are read when they are asked for, and views of them: some rows, one after the other.

All are indexed along time only: by a slice, a number, or whole numbers of any shape.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from steadyhand.disk import NotTheFileError
from steadyhand.errors import DataError, MissingExtraError

DENSE = 4
"""Rows that make up more than one in so many of their span are read with all between them."""


class LazyArray(Protocol):
    """An array with time first: it has a shape and a dtype, and a part is read when asked for."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> Any: ...
    def __getitem__(self, key: Any, /) -> Any: ...


@contextmanager
def damage_told(path: Path | None, key: str, episode: int | None = None) -> Iterator[None]:
    """Turn whatever a library says of a damaged file into a `DataError` that names it.

    What says already where the damage is goes through as it is.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, MissingExtraError) or getattr(error, "file", None) is not None:
            raise
        of = "" if episode is None else f" of episode {episode}"
        named = "" if isinstance(error, DataError) else f"{type(error).__name__}: "
        why = f", a part of it is missing or damaged ({named}{error}). Copy the data again."
        why = f": {error}." if isinstance(error, NotTheFileError) else why
        why = f"{path or 'the data'}: '{key}'{of} cannot be read{why}"
        raise DataError(why, episode=episode, file=path) from error


class Rows:
    """Some rows of an array, in any order."""

    def __init__(self, source: LazyArray, rows: NDArray[np.int64]) -> None:
        self.source, self.rows = source, rows
        self.shape, self.dtype = (len(rows), *source.shape[1:]), source.dtype

    def __getitem__(self, key: Any, /) -> Any:
        wanted = self.rows[key]
        flat = np.atleast_1d(wanted).reshape(-1)
        return take(self.source, flat).reshape((*np.shape(wanted), *self.shape[1:]))


class Parts:
    """Arrays one after the other, all of one shape at a time step."""

    def __init__(self, parts: Sequence[LazyArray]) -> None:
        self.parts = tuple(parts)
        self.ends = np.cumsum([part.shape[0] for part in parts])
        self.shape = (int(self.ends[-1]), *parts[0].shape[1:])
        self.dtype = np.result_type(*{np.dtype(part.dtype) for part in parts})

    def __getitem__(self, key: Any, /) -> Any:
        return gathered(self, key, self._found)

    def _found(self, rows: NDArray[np.int64]) -> Iterator[tuple[Any, Any]]:
        for place, inside in grouped(np.searchsorted(self.ends, rows, side="right")):
            part = self.parts[place]
            yield inside, take(part, rows[inside] - (self.ends[place] - part.shape[0]))


class Mapped:
    """An array whose values are changed as they are read, step by step."""

    def __init__(self, source: LazyArray, function: Callable[[NDArray[Any]], NDArray[Any]]) -> None:
        self.source, self.function = source, function
        self.shape, self.dtype = source.shape, source.dtype

    def __getitem__(self, key: Any, /) -> Any:
        return self.function(np.asarray(self.source[key]))


class Form(Protocol):
    """What steps are made of those of a file; frozen, so that its `repr` says which it is."""

    @property
    def dtype(self) -> np.dtype[Any]: ...
    def shape(self, recorded: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of a step of which `recorded` is that in the file."""
        ...

    def __call__(self, values: NDArray[Any], /) -> NDArray[Any]:
        """(n, *recorded) → (n, *shape), of `dtype`."""
        ...


class Formed:
    """An array whose steps are given another form as they are read: turned round, in metres."""

    def __init__(self, source: LazyArray, form: Form) -> None:
        self.source, self.form = source, form
        self.shape, self.dtype = (source.shape[0], *form.shape(source.shape[1:])), form.dtype
        if hasattr(source, "fingerprint"):  # only of what lies in files can stores be kept
            self.fingerprint = self._fingerprint
        if (blocks := getattr(source, "blocks", None)) is not None:
            self.blocks = blocks

    def _fingerprint(self) -> list[Any]:
        """Changes when the source does, or what is made of it."""
        return [repr(self.form), self.source.fingerprint()]  # type: ignore[attr-defined]

    def __getitem__(self, key: Any, /) -> Any:
        values = np.asarray(self.source[key])
        recorded = self.source.shape[1:]
        lead = values.shape[: values.ndim - len(recorded)]
        return self.form(values.reshape(prod(lead), *recorded)).reshape(*lead, *self.shape[1:])


class Told:
    """An array as it lies in a file, and what the file says of its numbers, as `depth_unit`.

    Formats hand it over, and `meaning.understood` takes it apart.
    """

    def __init__(self, source: LazyArray, said: Mapping[str, Any]) -> None:
        self.source, self.said = source, said
        self.shape, self.dtype = source.shape, source.dtype

    def __getitem__(self, key: Any, /) -> Any:
        return self.source[key]


def beneath(array: LazyArray) -> LazyArray:
    """What lies in the file, under the form that its steps are given."""
    return beneath(array.source) if isinstance(array, Formed) else array


def forms_of(array: LazyArray) -> set[Form | None]:
    """The forms that steps of it are given, views seen through; None for as they are in a file."""
    if isinstance(array, Rows):
        return forms_of(array.source)
    if isinstance(array, Parts):
        return set[Form | None]().union(*map(forms_of, array.parts))
    return {array.form if isinstance(array, Formed) else None}


def gathered(
    array: LazyArray, key: Any, read: Callable[[NDArray[np.int64]], Iterable[tuple[Any, Any]]]
) -> NDArray[Any]:
    """`array[key]`, of what `read` finds of a list of rows: (which of the list, their values).

    Room is made when the first values are there, and so have the size that was declared.
    """
    wanted = rows_of(key, array.shape[0])
    rows = np.atleast_1d(wanted).reshape(-1)
    result = np.empty((0, *array.shape[1:]), array.dtype)
    for places, values in read(rows):
        if not len(result):
            result = np.empty((len(rows), *array.shape[1:]), array.dtype)
        result[places] = values
    return result.reshape((*np.shape(wanted), *array.shape[1:]))


def rows_of(key: Any, length: int) -> NDArray[np.int64]:
    """The numbers of the rows that `array[key]` asks for, of an array of that length.

    As `np.arange(length)[key]`, without as many numbers as there are rows.
    """
    if isinstance(key, slice):
        return np.arange(*key.indices(length))
    found = np.asarray(key)
    if found.dtype.kind not in "iu":
        return np.arange(length)[key]
    if found.size and not (-length <= found.min() and found.max() < length):
        raise IndexError(f"there are {length} rows, and {key} is asked for")
    return np.where(found < 0, found + length, found)


def grouped(numbers: NDArray[Any]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """(number, where it is, in order) of each different one of the numbers (n,)."""
    if not len(numbers):
        return
    order = np.argsort(numbers, kind="stable")
    cuts = np.flatnonzero(np.diff(numbers[order])) + 1
    for places in np.split(order, cuts):
        yield int(numbers[places[0]]), places


def take(source: LazyArray, rows: NDArray[np.int64]) -> NDArray[Any]:
    """The rows of those numbers, (n,) → (n, …); neighbours are read as one slice."""
    if not len(rows):
        return np.empty((0, *source.shape[1:]), source.dtype)
    low, high = int(rows.min()), int(rows.max()) + 1
    if high - low == len(rows) and rows[0] == low and np.all(np.diff(rows) == 1):
        found = np.asarray(source[low:high])
        return found if found.flags.writeable else found.copy()
    if isinstance(source, np.ndarray | Rows | Parts | Mapped | Formed) or high - low > DENSE * len(
        rows
    ):
        return np.asarray(source[rows])
    return np.asarray(source[low:high])[rows - low]
