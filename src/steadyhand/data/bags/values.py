"""The numbers that a place as `/joint_states.position` means, out of decoded messages.

Without a field a message's numbers are taken in the order of its definition, without its header,
covariances and words: of a pose the place and the quaternion (x, y, z, w), of a twist both vectors.
"""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.bags.bag import Topic
from steadyhand.errors import UsageError, unknown

USUAL = {
    "sensor_msgs/JointState": "position",
    "trajectory_msgs/JointTrajectory": "points[0].positions",
}
"""The field that is meant of these where none is named; `data` of all that are `std_msgs`."""
CLOUD = "sensor_msgs/PointCloud2"
PICTURES = ("sensor_msgs/Image", "sensor_msgs/CompressedImage", CLOUD)
HEADER = "header"
NO_NUMBERS = (HEADER, "stamp", "layout")
"""Fields that are passed over where none is named, as covariances are."""
MOST = 4096
"""Numbers of a feature that is no picture."""
_STEP = re.compile(r"([^.\[\]]+)|\[(-?[0-9]{1,9})\]")
_COLUMNS = re.compile(r"(.*)\[([0-9]*):([0-9]*)\]$")


def short(type: str) -> str:
    """`sensor_msgs/msg/Image` as `sensor_msgs/Image`."""
    return type.replace("/msg/", "/")


def split_place(text: str, topics: Any) -> tuple[str, str, slice]:
    """(topic, path of fields, columns) of a place. Raises `UsageError` where there is none such."""
    columns = slice(None)
    if cut := _COLUMNS.fullmatch(text):
        text = cut[1]
        columns = slice(*(int(part) if part else None for part in (cut[2], cut[3])))
    named = [name for name in topics if text == name or text.startswith((f"{name}.", f"{name}["))]
    if not named:
        raise UsageError(unknown("topic", text.partition(".")[0], topics))
    topic = max(named, key=len)
    return topic, text[len(topic) :].removeprefix("."), columns


def is_picture(topic: Topic, path: str) -> bool:
    """Whether a place means a picture, or a cloud of points."""
    return short(topic.type) in PICTURES and path in ("", "data")


def at_path(message: Any, path: str, topic: Topic) -> Any:
    """What lies at a path of fields. Raises `UsageError` where there is nothing of that name."""
    value = message
    for name, index in _STEP.findall(path):
        if name and isinstance(value, dict):
            if name not in value:
                raise UsageError(unknown(f"field of {topic.name} ({topic.type})", name, value))
            value = value[name]
        elif index and not isinstance(value, dict) and hasattr(value, "__len__"):
            if not -len(value) <= int(index) < len(value):
                what = f"{topic.name}: '{path}' has {len(value)} parts and none of number {index}"
                raise UsageError(f"{what}.")
            value = value[int(index)]
        else:
            raise UsageError(f"{topic.name}: there is nothing in '{path}' at '{name or index}'.")
    return value


def numbers(message: Any, path: str, topic: Topic) -> NDArray[Any]:
    """(numbers,), of one message. Raises `UsageError` where there are none, or too many."""
    type = short(topic.type)
    usual = USUAL.get(type, "data" if type.startswith("std_msgs/") else "")
    value = at_path(message, path or usual, topic)
    flat: list[NDArray[Any]] = []
    _flatten(value, flat)
    found = np.concatenate(flat) if flat else np.empty(0)
    if not 0 < len(found) <= MOST:
        what = f"{topic.name}{'.' * bool(path)}{path}"
        raise UsageError(
            f"'{what}' has {len(found)} numbers in a message; a state or an action has 1 to "
            f"{MOST}. {_fields_told(value)}"
        )
    return found


def _fields_told(value: Any) -> str:
    return f"Its fields: {', '.join(value)}." if isinstance(value, dict) else "Name another field."


def _flatten(value: Any, into: list[NDArray[Any]]) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in NO_NUMBERS and not key.endswith("covariance"):
                _flatten(inner, into)
    elif isinstance(value, list):
        for inner in value:
            _flatten(inner, into)
    elif isinstance(value, np.ndarray):
        if value.size > MOST:
            raise UsageError(f"A field of {value.size} numbers is neither a state nor an action.")
        into.append(value.reshape(-1).astype(value.dtype.newbyteorder("=")))
    elif isinstance(value, bool | int | float):
        into.append(np.array([value], np.float64 if isinstance(value, float) else None))


def stamp_of(message: Any) -> int | None:
    """Nanoseconds at which a message says it was made; None where it does not, or says 0."""
    header = message.get(HEADER)
    stamp = header.get("stamp") if isinstance(header, dict) else None
    if not isinstance(stamp, dict):
        return None
    seconds, rest = stamp.get("sec", 0), stamp.get("nanosec", stamp.get("nsec", 0))
    total = int(seconds) * 10**9 + int(rest)
    return total if 0 < total < 2**62 else None
