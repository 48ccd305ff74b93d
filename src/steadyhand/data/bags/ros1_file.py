"""A `.bag` file of ROS 1, read by `rosbags` as bytes; no class is made of its definitions."""

import bz2
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.bags.bag import Topic
from steadyhand.data.formats.limits import require_few
from steadyhand.disk import regular
from steadyhand.errors import library

LARGEST = 1 << 30
"""Bytes of a chunk, unpacked."""


class Ros1File:
    """Raises whatever the library does for what is no whole bag."""

    def __init__(self, path: Path) -> None:
        self.path = path
        regular(path)
        with self._opened() as reader:
            require_few(len(reader.connections), 20_000)
            self.topics: Mapping[str, Topic] = {
                each.topic: Topic(each.topic, each.msgtype, "ros1", each.msgdef.data)
                for each in reader.connections
            }
            self._times = {
                name: np.sort(
                    np.array(
                        [
                            entry.time
                            for each in reader.connections
                            if each.topic == name
                            for entry in reader.indexes[each.id]
                        ],
                        np.int64,
                    )
                )
                for name in self.topics
            }

    def times(self, topic: str) -> NDArray[np.int64]:
        return self._times[topic]

    def read(self, topic: str, places: Sequence[int]) -> Iterator[bytes]:
        wanted = np.asarray(places, np.int64)
        if not len(wanted):
            return
        times = self._times[topic]
        low, high = int(wanted.min()), int(wanted.max())
        first = int(np.searchsorted(times, times[low]))
        kept = {*wanted.tolist()}
        found: dict[int, bytes] = {}
        waiting = iter(wanted.tolist())
        following = next(waiting, None)
        with self._opened() as reader:
            own = [each for each in reader.connections if each.topic == topic]
            said = reader.messages(own, start=int(times[low]), stop=int(times[high]) + 1)
            for number, (_, _, data) in enumerate(said, first):
                if number in kept:
                    found[number] = data
                while following is not None and following in found:
                    yield found[following]
                    following = next(waiting, None)
        if following is not None:
            raise ValueError("it has fewer messages than its index says")

    def _opened(self) -> Any:
        return _Opened(self.path)


class _Opened:
    """A reader whose chunks unpack to no more than is allowed."""

    def __init__(self, path: Path) -> None:
        self._reader: Any = library("rosbags.rosbag1").Reader(path)

    def __enter__(self) -> Any:
        self._reader.open()
        self._reader.chunks = {
            place: chunk._replace(decompressor=_bounded(chunk.decompressor))
            for place, chunk in self._reader.chunks.items()
        }
        return self._reader

    def __exit__(self, *_: Any) -> None:
        self._reader.close()


def _bounded(unpack: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """The same way to unpack, which stops where a chunk grows beyond all bounds."""
    lz4: Any = library("lz4.frame")

    def bounded(data: bytes) -> bytes:
        if data.startswith(b"BZh") and unpack is bz2.decompress:
            found = bz2.BZ2Decompressor().decompress(data, LARGEST + 1)
        elif unpack is lz4.decompress:
            found = lz4.LZ4FrameDecompressor().decompress(data, max_length=LARGEST + 1)
        else:
            found = unpack(data)
        if len(found) > LARGEST:
            raise ValueError(f"a chunk of it would unpack to more than {LARGEST} bytes")
        return found

    return bounded
