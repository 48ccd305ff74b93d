"""Clouds of points out of messages: as many of each, spread evenly over what was measured."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.bags.bag import Topic
from steadyhand.errors import DataError

POINTS = 1024
"""Of one step."""
LARGEST = 1 << 27
"""Bytes of one cloud."""
KINDS = {7: "f4", 8: "f8"}
"""What a place is measured in, by ROS's number for it."""


def cloud(message: Any, topic: Topic) -> NDArray[np.float32]:
    """The places of `POINTS` points, (points, 3) metres; at 0 0 0 where none was measured.

    Raises `DataError` where the message does not hold what it says.
    """
    data, fields = message.get("data"), message.get("fields")
    if not isinstance(data, np.ndarray) or data.nbytes > LARGEST or not isinstance(fields, list):
        raise DataError(f"{topic.name}: a message of it holds no cloud of at most 128 MB")
    by_name = {str(each.get("name")): each for each in fields if isinstance(each, dict)}
    height, width, step, row = (
        int(message.get(key, 0)) for key in ("height", "width", "point_step", "row_step")
    )
    order = ">" if message.get("is_bigendian") else "<"
    columns: list[NDArray[Any]] = []
    for axis in "xyz":
        field = by_name.get(axis, {})
        kind = KINDS.get(int(field.get("datatype", 0)))
        at = int(field.get("offset", 0))
        if kind is None:
            raise DataError(f"{topic.name}: its points have no {axis} in floating numbers")
        size = np.dtype(kind).itemsize
        fits = at >= 0 and at + size <= step and step * width <= row and height * row <= data.nbytes
        if not fits or height < 0 or width < 0:
            what = f"{width}×{height} points of {step} bytes"
            raise DataError(f"{topic.name}: {what} cannot be in {data.nbytes} bytes")
        rows = np.ascontiguousarray(data[: height * row].view(np.uint8)).reshape(height, row)
        points = rows[:, : step * width].reshape(height * width, step)[:, at : at + size]
        values = np.ascontiguousarray(points).view(np.dtype(kind).newbyteorder(order))
        columns.append(values.reshape(-1).astype(np.float32))
    places = np.stack(columns, axis=1)
    places = places[np.isfinite(places).all(axis=1)]
    if not len(places):
        return np.zeros((POINTS, 3), np.float32)
    chosen = np.arange(POINTS) % len(places)
    if len(places) > POINTS:
        chosen = np.linspace(0, len(places) - 1, POINTS).astype(int)
    return places[chosen]
