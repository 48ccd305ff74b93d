"""Messages between a server and its clients: msgpack with arrays, as openpi's clients send them.

What comes is read by a list of what may be, and its size is held against what it declares before
anything is made of it; nothing is unpickled. What a message means is said elsewhere.
"""

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import MessageError, library
from steadyhand.values import shown

ARRAY, SCALAR = b"__ndarray__", b"__npgeneric__"
MOST_ITEMS = 1024
"""Of one list, and of one map; and lists and maps in one message."""
DEEPEST = 4
"""Maps and lists within each other."""
MOST_AXES = 8
LARGEST_MESSAGE = 64 << 20
"""Bytes that a client takes: what is said of a policy with thousands of tasks, and every chunk."""
DTYPES: dict[str, np.dtype[Any]] = {
    np.dtype(order + kind).str: np.dtype(order + kind)
    for kind in ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")
    for order in "<>"
}
"""What arrays may hold, by the text that says so: whole numbers, floats and booleans."""

LEAVES = (dict, list, bool, int, float, str, np.ndarray, np.generic)
"""What a message is made of, besides None."""


def pack(value: Mapping[str, Any]) -> bytes:
    """A message of numbers, texts, arrays, and maps and lists of them."""
    return library("msgpack").packb(value, default=_packed)


def unpack(data: bytes) -> dict[str, Any]:
    """The message that `pack`, or a client of openpi, made `data` from; arrays are read-only.

    Raises `MessageError` for what is no such message.
    """
    msgpack, held = library("msgpack"), _Held()
    try:
        message: Any = msgpack.unpackb(
            data,
            object_hook=held.map,
            list_hook=held.list,
            ext_hook=_refused,
            max_array_len=MOST_ITEMS,
            max_map_len=MOST_ITEMS,
        )
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        # `MessageError` is none of these: what it says of an array goes on to who sent it.
        raise MessageError(
            "The message is not msgpack as it is taken here: maps of numbers, texts, lists and "
            f"arrays, a list or a map with at most {MOST_ITEMS} items."
        ) from error
    if not isinstance(message, dict):
        raise MessageError(f"A message is a map of values by name, not {_kind(message)}.")
    found: dict[str, Any] = message  # pyright: ignore[reportUnknownVariableType]
    _check_values(found)
    return found


def _packed(value: Any) -> dict[bytes, Any]:
    if not hasattr(value, "dtype"):
        raise TypeError(f"{type(value).__name__} is not sent.")
    array = np.asarray(value)
    kind = array.dtype.str
    if kind not in DTYPES:
        raise MessageError(f"An array of {array.dtype} is not sent: numbers alone are.")
    if isinstance(value, np.generic):
        return {SCALAR: True, b"data": array.item(), b"dtype": kind}
    return {ARRAY: True, b"data": array.tobytes(), b"dtype": kind, b"shape": array.shape}


class _Held:
    """What a message holds, counted while it is read: in few bytes stand many empty maps."""

    def __init__(self) -> None:
        self._many = 0

    def map(self, found: dict[Any, Any]) -> Any:
        self._count()
        return _array(found)

    def list(self, found: Any) -> Any:
        self._count()
        return found

    def _count(self) -> None:
        self._many += 1
        if self._many > MOST_ITEMS:
            raise MessageError(f"There are more than {MOST_ITEMS} maps and lists in the message.")


def _array(found: dict[Any, Any]) -> Any:
    """A map of a message: the array or the numpy number it stands for, or the map itself."""
    if ARRAY in found:
        return _filled(found.get(b"data"), _dtype(found), found.get(b"shape"))
    if SCALAR in found:
        data = found.get(b"data")
        if not isinstance(data, bool | int | float):
            raise MessageError("A numpy number comes without its number.")
        return _dtype(found).type(data)
    if not all(isinstance(key, str) for key in found):
        raise MessageError("The names in a message are texts.")
    return found


def _filled(data: Any, dtype: np.dtype[Any], shape: Any) -> NDArray[Any]:
    sizes: list[Any] = shape if isinstance(shape, list) else [None]  # pyright: ignore
    if len(sizes) > MOST_AXES:
        raise MessageError(f"An array has at most {MOST_AXES} axes.")
    if not all(type(size) is int and 0 <= size <= 1 << 32 for size in sizes):
        raise MessageError(f"{shown(tuple(sizes))} is not the shape of an array.")
    if not isinstance(data, bytes) or prod(sizes) * dtype.itemsize != len(data):
        given = len(data) if isinstance(data, bytes) else "no"
        raise MessageError(
            f"An array of shape {shown(tuple(sizes))} and {dtype} has {prod(sizes)} numbers of "
            f"{dtype.itemsize} bytes; it came with {given} bytes."
        )
    if dtype.kind == "b":  # any byte may have come where a truth value belongs
        return np.frombuffer(data, np.uint8).reshape(sizes) != 0
    made = np.frombuffer(data, dtype).reshape(sizes)
    return made if dtype.isnative else made.astype(dtype.newbyteorder("="))


def _dtype(found: Mapping[Any, Any]) -> np.dtype[Any]:
    said = found.get(b"dtype")
    if not isinstance(said, str) or said not in DTYPES:
        raise MessageError(
            f"An array holds {shown(said)}; whole numbers, floats and booleans are taken, named "
            f"as numpy does: {', '.join(DTYPES)}."
        )
    return DTYPES[said]


def _refused(code: int, data: bytes) -> None:
    raise MessageError("A message has no extension types; arrays are maps.")


def _check_values(message: dict[str, Any]) -> None:
    level: list[Any] = [message]
    for _ in range(DEEPEST):
        below: list[Any] = []
        for value in level:
            below += value.values() if isinstance(value, dict) else value  # type: ignore
        level = [value for value in below if isinstance(value, dict | list)]
        for value in below:
            if not isinstance(value, LEAVES) and value is not None:
                raise MessageError(f"A message holds no {type(value).__name__}.")
    if level:
        raise MessageError(f"Maps and lists lie more than {DEEPEST} deep in the message.")


def _kind(value: Any) -> str:
    called: dict[Any, str] = {list: "a list", str: "a text"}
    return called.get(type(value), type(value).__name__)
