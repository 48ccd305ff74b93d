"""The values of a message out of its bytes: CDR (ROS 2), the format of ROS 1, and JSON.

No length that a message says is believed before it is held against the bytes that are left.
"""

import struct
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from steadyhand.data.bags.definitions import SIZES, Field

Order = Literal["<", ">"]
FORMATS = {"bool": "?", "byte": "B", "char": "B", "int8": "b", "uint8": "B", "int16": "h"}
FORMATS |= {"uint16": "H", "int32": "i", "uint32": "I", "int64": "q", "uint64": "Q"}
FORMATS |= {"float32": "f", "float64": "d"}
"""Of `struct`, by the name of a number."""


class Reader:
    """Goes through the bytes of one message."""

    def __init__(
        self, data: bytes | memoryview, *, aligned: bool, order: Order, start: int
    ) -> None:
        self._data, self._at, self._start = memoryview(data), start, start
        self._aligned: bool = aligned
        self._order: Order = order

    def message(self, fields: Sequence[Field], until: str | None = None) -> dict[str, Any]:
        """Field → value; no further than the field `until`."""
        values: dict[str, Any] = {}
        if not fields and self._aligned:  # CDR has no message of no bytes
            self._take(1)
        for field in fields:
            values[field.name] = self._array(field) if field.array else self._one(field)
            if field.name == until:
                break
        return values

    def _one(self, field: Field) -> Any:
        if field.fields is not None:
            return self.message(field.fields)
        if field.type == "string":
            text = bytes(self._take(self._number("uint32")))
            return text.removesuffix(b"\0").decode(errors="replace")
        return self._number(field.type)

    def _array(self, field: Field) -> Any:
        count = self._number("uint32") if field.count is None else field.count
        left = len(self._data) - self._at
        if field.fields is None and field.type != "string":
            size = SIZES[field.type]
            if count * size > left:
                raise ValueError(f"'{field.name}' has {count} numbers in {left} bytes")
            if count:
                self._align(size)
            kind = np.dtype(FORMATS[field.type]).newbyteorder(self._order)
            return np.frombuffer(self._take(count * size), kind)
        if count > left:
            raise ValueError(f"'{field.name}' has {count} parts in {left} bytes")
        return [self._one(field) for _ in range(count)]

    def _number(self, kind: str) -> Any:
        self._align(SIZES[kind])
        return struct.unpack(self._order + FORMATS[kind], self._take(SIZES[kind]))[0]

    def _align(self, size: int) -> None:
        if self._aligned:
            self._at += -(self._at - self._start) % size

    def _take(self, count: int) -> memoryview:
        end = self._at + count
        if end > len(self._data):
            raise ValueError(f"it ends after {len(self._data)} bytes, and {end} are needed")
        found = self._data[self._at : end]
        self._at = end
        return found


def decoded_cdr(data: bytes, fields: Sequence[Field], until: str | None = None) -> dict[str, Any]:
    """A message of ROS 2. Raises `ValueError` where it is not of those fields."""
    if len(data) < 4 or data[0] != 0 or data[1] not in (0, 1):
        raise ValueError(f"it begins with {data[:4].hex()}, which is no plain CDR")
    order: Order = "<" if data[1] else ">"
    return Reader(data, aligned=True, order=order, start=4).message(fields, until)


def decoded_ros1(data: bytes, fields: Sequence[Field], until: str | None = None) -> dict[str, Any]:
    """A message of ROS 1. Raises `ValueError` where it is not of those fields."""
    return Reader(data, aligned=False, order="<", start=0).message(fields, until)
