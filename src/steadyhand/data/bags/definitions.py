"""What a message holds, out of the text that a bag has of its type: ROS 1 and ROS 2 `.msg`.

The text is read as a list of fields. Nothing is made of it that could run, which is why the
libraries that make classes of such texts are not asked.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from steadyhand.errors import library

SIZES = {"bool": 1, "byte": 1, "char": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2}
SIZES |= {"int32": 4, "uint32": 4, "int64": 8, "uint64": 8, "float32": 4, "float64": 8}
"""Bytes of what a number takes."""
STAMPS = ("time", "duration", "builtin_interfaces/Time", "builtin_interfaces/Duration")
LONGEST, FIELDS, DEPTH = 1 << 20, 2000, 12
"""Characters of a definition, fields of a message with all that is in it, types within types."""
_FIELD = re.compile(
    r"(?P<type>[A-Za-z][A-Za-z0-9_/]*)(?P<bound><=[0-9]{1,9})?"
    r"(?P<array>\[(?P<most><=)?(?P<count>[0-9]{0,9})\])?\s+(?P<name>[A-Za-z][A-Za-z0-9_]*)"
    r"(?P<rest>\s*=.*|\s.*)?"
)


@dataclass(frozen=True)
class Field:
    """One field: a number, a text, a stamp or fields in it; `count` of them if it is an array."""

    name: str
    type: str
    """A name of `SIZES`, `string`, or of another definition."""
    array: bool = False
    count: int | None = None
    """None where the message says how many."""
    fields: tuple["Field", ...] | None = None
    """Of what is neither a number nor a text."""


Dialect = Literal["ros1", "ros2"]


def fields_of(type: str, text: str, dialect: Dialect) -> tuple[Field, ...]:
    """The fields of a type, out of its definition and those of the types in it.

    Raises `ValueError`, whose text goes on from "its type", where there is none or it is no `.msg`.
    """
    if len(text) > LONGEST:
        raise ValueError(f"has a definition of {len(text)} characters")
    if not text.strip() or text.lstrip().startswith(("module ", "#include", "===", "<")):
        text = known_definition(type)
    first, *others = re.split(r"^=+\s*$", text, flags=re.MULTILINE)
    texts = {_short(type): first}
    for part in others:
        head, _, body = part.lstrip("\n").partition("\n")
        if head.startswith("MSG: "):
            texts[_short(head.removeprefix("MSG: ").strip())] = body
    return _fields(_short(type), texts, dialect, 0, [0])


def known_definition(type: str) -> str:
    """The definition of a type that comes with ROS, from a list of the library's own."""
    typesys = library("rosbags.typesys")
    store = typesys.get_typestore(typesys.Stores.LATEST)
    package, _, name = _short(type).partition("/")
    if f"{package}/msg/{name}" not in store.fielddefs:
        raise ValueError(f"{type[:80]!a} is not defined in the bag, nor one that comes with ROS")
    return store.generate_msgdef(f"{package}/msg/{name}", ros_version=2)[0]


def _short(type: str) -> str:
    """`sensor_msgs/msg/Image` as `sensor_msgs/Image`."""
    return type.replace("/msg/", "/")


def _fields(
    type: str, texts: Mapping[str, str], dialect: Dialect, depth: int, counted: list[int]
) -> tuple[Field, ...]:
    if depth > DEPTH:
        raise ValueError(f"{type[:80]!a} has itself in it, or too many types")
    if type not in texts:
        raise ValueError(f"{type[:80]!a} is not defined in the bag")
    found: list[Field] = []
    for line in texts[type].splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        match = _FIELD.match(line)
        if match is None:
            raise ValueError(f"{type[:80]!a} has the line {line[:60]!a}, which names no field")
        if (match["rest"] or "").lstrip().startswith("="):  # a constant takes no room
            continue
        counted[0] += 1
        if counted[0] > FIELDS:
            raise ValueError(f"{type[:80]!a} has more than {FIELDS} fields")
        fixed = match["array"] is not None and match["most"] is None and match["count"] != ""
        found.append(
            _field(
                type, match, int(match["count"]) if fixed else None, texts, dialect, depth, counted
            )
        )
    return tuple(found)


def _field(
    owner: str,
    match: re.Match[str],
    count: int | None,
    texts: Mapping[str, str],
    dialect: Dialect,
    depth: int,
    counted: list[int],
) -> Field:
    name, kind, array = match["name"], _short(match["type"]), match["array"] is not None
    if kind in SIZES or kind == "string":
        return Field(name, kind, array, count)
    if kind in STAMPS:
        second = "uint32" if kind in ("time", "builtin_interfaces/Time") else "int32"
        parts = (Field("sec", "int32" if dialect == "ros2" else second), Field("nanosec", "uint32"))
        return Field(name, "time", array, count, parts)
    if "/" not in kind:
        package = owner.partition("/")[0]
        kind = "std_msgs/Header" if kind == "Header" else f"{package}/{kind}"
    if kind == "std_msgs/Header" and kind not in texts:
        stamp = Field("stamp", "time", fields=(Field("sec", "int32"), Field("nanosec", "uint32")))
        first = (Field("seq", "uint32"),) if dialect == "ros1" else ()
        return Field(name, kind, array, count, (*first, stamp, Field("frame_id", "string")))
    return Field(name, kind, array, count, _fields(kind, texts, dialect, depth + 1, counted))
