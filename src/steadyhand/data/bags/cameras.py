"""Pictures out of messages: raw and packed, colour as red, green, blue, depth as metres; clouds."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.bags.bag import Bag, Topic
from steadyhand.data.bags.clouds import cloud
from steadyhand.data.bags.values import CLOUD, short
from steadyhand.data.kinds.depth import METRES, MILLIMETRES, cleaned, scaled
from steadyhand.data.lazy import damage_told, gathered
from steadyhand.data.mapping.encoded import decoded
from steadyhand.errors import DataError
from steadyhand.sizes import Kind

COLOUR = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1, "8uc1": 1, "8uc3": 3}
"""Channels of the raw encodings of colour; 8UC3 is red, green, blue."""
DEPTH = {"16uc1": "u2", "mono16": "u2", "32fc1": "f4"}
"""Millimetres in whole numbers, metres in floating ones."""
LARGEST = 1 << 27
"""Bytes of one picture."""
COMPRESSED_DEPTH = 12
"""Bytes that `compressed_depth_image_transport` puts before a PNG."""


def picture(message: Any, topic: Topic) -> tuple[NDArray[Any], bool]:
    """(picture (height, width, channels), whether it is depth): uint8, or float32 metres.

    Raises `DataError` for an encoding that is not read, or damage.
    """
    data = message.get("data")
    if not isinstance(data, np.ndarray) or data.nbytes > LARGEST:
        raise DataError(f"{topic.name}: a message of it holds no picture of at most 128 MB")
    if "format" in message:
        return _unpacked(str(message["format"]).lower(), data.tobytes(), topic)
    coding = str(message.get("encoding", "")).lower()
    height, width, step = (int(message.get(key, 0)) for key in ("height", "width", "step"))
    kind = np.dtype(DEPTH.get(coding, "u1"))
    kind = kind.newbyteorder(">" if message.get("is_bigendian") else "<")
    if coding not in COLOUR and coding not in DEPTH:
        raise DataError(
            f"{topic.name}: its pictures are {coding[:20]!a}; read are "
            f"{', '.join([*COLOUR, *DEPTH])}"
        )
    channels = COLOUR.get(coding, 1)
    row = width * channels * kind.itemsize
    if not (0 < row <= step and height > 0 and data.nbytes >= step * height):
        size = f"{width}×{height} in rows of {step} bytes"
        raise DataError(f"{topic.name}: a picture of {size} cannot be in {data.nbytes} bytes")
    rows = np.ascontiguousarray(data[: step * height].view(np.uint8)).reshape(height, step)
    values = np.ascontiguousarray(rows[:, :row]).view(kind).reshape(height, width, channels)
    if coding in DEPTH:
        return metres(values), True
    values = values[..., [2, 1, 0, 3][:channels]] if coding.startswith("bgr") else values
    return values[..., :3], False


def _unpacked(format: str, data: bytes, topic: Topic) -> tuple[NDArray[Any], bool]:
    if "compresseddepth" in format:
        if "32fc1" in format:
            raise DataError(
                f"{topic.name}: packed depth of 32FC1 is not read; record 16UC1, or raw"
            )
        data = data[COMPRESSED_DEPTH:]
    values = decoded(data, f"{topic.name}: a picture of it")
    deep = values.dtype != np.uint8
    return (metres(values), True) if deep else (values, False)


def metres(values: NDArray[Any]) -> NDArray[np.float32]:
    """Depth in metres; 0 where nothing was measured."""
    return cleaned(scaled(values, MILLIMETRES if values.dtype.kind in "iu" else METRES))


def seen(message: Any, topic: Topic) -> tuple[NDArray[Any], Kind]:
    """What a message of a camera shows, and of which kind that is. Raises `DataError`."""
    if short(topic.type) == CLOUD:
        return cloud(message, topic), "points"
    values, deep = picture(message, topic)
    return values, "depth" if deep else "image"


class Camera:
    """The pictures, or clouds, of a topic at some of its messages, decoded when asked for."""

    def __init__(self, bag: Bag, topic: Topic, messages: NDArray[np.int64], episode: int) -> None:
        self._bag, self._topic, self._messages, self._episode = bag, topic, messages, episode
        with damage_told(bag.path, topic.name, episode):
            first, kind = next(self._read(messages[:1]))
        self.kind: Kind = kind
        self.shape, self.dtype = (len(messages), *first.shape), first.dtype

    def _read(self, places: NDArray[np.int64]) -> Iterator[tuple[NDArray[Any], Kind]]:
        for message in self._bag.decoded(self._topic.name, places.tolist()):
            yield seen(message, self._topic)

    def __getitem__(self, key: Any, /) -> NDArray[Any]:
        with damage_told(self._bag.path, self._topic.name, self._episode):
            return gathered(self, key, self._found)

    def _found(self, rows: NDArray[np.int64]) -> Iterator[tuple[Any, Any]]:
        wanted, where = np.unique(self._messages[rows], return_inverse=True)
        for number, (values, kind) in enumerate(self._read(wanted)):
            if values.shape != self.shape[1:] or kind != self.kind:
                raise DataError(f"a picture is {values.shape}, where the first is {self.shape[1:]}")
            yield where == number, values
