"""Reads an ONNX file's protobuf by a list of the fields that may be in it, with a bounded effort.

What is not on the list is refused by its name where it has one. Nothing is interpreted here, and
no package for it is needed on a robot.
"""

import struct
from collections.abc import Mapping
from typing import Any, cast

MOST_FIELDS = 4_000_000
"""Of one file, numbers in lists counted: a graph of 20,000 nodes has a fifth of them."""
MESSAGE = 10
"""Fields that a message counts as: it takes as much memory, however few are in it."""
Fields = Mapping[int, tuple[str, Any, bool]]
"""Number → name, kind ("whole", "float", "double", "text", "bytes" or a message), repeated?"""

_PAIR: Fields = {1: ("key", "text", False), 2: ("value", "text", False)}
_DIMENSION: Fields = {1: ("value", "whole", False), 2: ("name", "text", False)}
_SHAPE: Fields = {1: ("dim", _DIMENSION, True)}
_TENSOR_TYPE: Fields = {1: ("kind", "whole", False), 2: ("shape", _SHAPE, False)}
_TYPE: Fields = {1: ("tensor", _TENSOR_TYPE, False)}
_VALUE: Fields = {
    1: ("name", "text", False),
    2: ("type", _TYPE, False),
    3: ("doc", "text", False),
}
_TENSOR: Fields = {
    1: ("dims", "whole", True),
    2: ("kind", "whole", False),
    4: ("floats", "float", True),
    5: ("int32s", "whole", True),
    7: ("int64s", "whole", True),
    8: ("name", "text", False),
    9: ("raw", "bytes", False),
    10: ("doubles", "double", True),
    12: ("doc", "text", False),
    13: ("external", _PAIR, True),
    14: ("location", "whole", False),
}
_ATTRIBUTE: Fields = {
    1: ("name", "text", False),
    2: ("float", "float", False),
    3: ("whole", "whole", False),
    4: ("text", "bytes", False),
    5: ("tensor", _TENSOR, False),
    7: ("floats", "float", True),
    8: ("wholes", "whole", True),
    9: ("texts", "bytes", True),
    13: ("doc", "text", False),
    20: ("type", "whole", False),
}
_NODE: Fields = {
    1: ("inputs", "text", True),
    2: ("outputs", "text", True),
    3: ("name", "text", False),
    4: ("operator", "text", False),
    5: ("attributes", _ATTRIBUTE, True),
    6: ("doc", "text", False),
    7: ("domain", "text", False),
}
_GRAPH: Fields = {
    1: ("nodes", _NODE, True),
    2: ("name", "text", False),
    5: ("initializers", _TENSOR, True),
    10: ("doc", "text", False),
    11: ("inputs", _VALUE, True),
    12: ("outputs", _VALUE, True),
    13: ("values", _VALUE, True),
}
_OPSET: Fields = {1: ("domain", "text", False), 2: ("version", "whole", False)}
MODEL: Fields = {
    1: ("ir_version", "whole", False),
    2: ("producer", "text", False),
    3: ("producer_version", "text", False),
    4: ("domain", "text", False),
    5: ("model_version", "whole", False),
    6: ("doc", "text", False),
    7: ("graph", _GRAPH, False),
    8: ("opsets", _OPSET, True),
}
"""The fields of `ModelProto` (onnx.proto3) that an export has, each message with its own."""
REFUSED = {
    (id(MODEL), 14): "settings of an engine",
    (id(MODEL), 20): "instructions for training",
    (id(MODEL), 25): "functions of its own",
    (id(_GRAPH), 15): "sparse weights",
    (id(_NODE), 8): "an operator of another kind",
    (id(_ATTRIBUTE), 6): "a graph within the graph",
    (id(_ATTRIBUTE), 11): "graphs within the graph",
    (id(_TENSOR), 6): "texts for numbers",
}
"""What a message is for that says it holds more; of other fields, their number is said."""
_SIZES = {"float": (5, "<f"), "double": (1, "<d")}


def parse(content: memoryview) -> dict[str, Any]:
    """The model in a file: a dict by field, lists where fields are repeated.

    What is absent is None, or an empty list. Raises `ValueError` for what is no such file, or has
    more in it.
    """
    return _Reader(content).message(0, len(content), MODEL)


class _Reader:
    def __init__(self, content: memoryview) -> None:
        self._bytes, self._left = content, MOST_FIELDS

    def message(self, place: int, end: int, fields: Fields) -> dict[str, Any]:
        found: dict[str, Any] = {name: [] if many else None for name, _, many in fields.values()}
        while place < end:
            tag, place = self._whole(place, end)
            number, wire = tag >> 3, tag & 7
            if number not in fields:
                what = REFUSED.get((id(fields), number), f"an unknown field, {number}")
                raise ValueError(f"it holds {what}, which no export has")
            name, kind, many = fields[number]
            items, place = self._items(place, end, wire, kind, many)
            if many:
                found[name].extend(items)
            elif found[name] is not None:  # readers differ in what they make of it
                raise ValueError(f"it holds a second {name} where one belongs")
            else:
                found[name] = items[0]
        return found

    def _items(
        self, place: int, end: int, wire: int, kind: Any, many: bool
    ) -> tuple[list[Any], int]:
        """The values of one field, several where numbers of a list are packed; and its end."""
        self._count()
        if kind == "whole" and wire == 0:
            value, place = self._whole(place, end)
            return [_signed(value)], place
        numbers = isinstance(kind, str) and kind in _SIZES
        if numbers and wire == _SIZES[kind][0]:
            return self._numbers(place, place + struct.calcsize(_SIZES[kind][1]), end, kind)
        if wire != 2:
            raise ValueError("a field is of another kind than it should be")
        length, place = self._whole(place, end)
        stop = place + length
        if stop > end:
            raise ValueError("it ends amid a field")
        if isinstance(kind, Mapping):
            self._count(MESSAGE)
            return [self.message(place, stop, cast(Fields, kind))], stop
        if kind == "bytes":
            return [self._bytes[place:stop]], stop
        if kind == "text":
            try:
                return [bytes(self._bytes[place:stop]).decode()], stop
            except UnicodeDecodeError:
                raise ValueError("a text in it is none") from None
        if not many:
            raise ValueError("a field has many numbers where one belongs")
        if numbers:
            return self._numbers(place, stop, end, kind)
        values: list[int] = []
        while place < stop:
            self._count()
            value, place = self._whole(place, stop)
            values.append(_signed(value))
        return values, stop

    def _numbers(self, place: int, stop: int, end: int, kind: str) -> tuple[list[Any], int]:
        form = _SIZES[kind][1]
        if stop > end or (stop - place) % struct.calcsize(form):
            raise ValueError("it ends amid a number")
        self._count((stop - place) // struct.calcsize(form))
        return [value for (value,) in struct.iter_unpack(form, self._bytes[place:stop])], stop

    def _whole(self, place: int, end: int) -> tuple[int, int]:
        """A number of a variable length, and where it ends."""
        value = 0
        for shift in range(0, 70, 7):
            if place >= end:
                raise ValueError("it ends amid a number")
            byte = self._bytes[place]
            place += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value >= 1 << 64:
                    break
                return value, place
        raise ValueError("a number in it has more than 64 bits")

    def _count(self, more: int = 1) -> None:
        self._left -= more
        if self._left < 0:
            raise ValueError(f"it has more in it than {MOST_FIELDS} fields")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value
