"""A recording of messages, whatever it lies in: topics, when each spoke, and what in bytes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.bags.decoding import decoded_cdr, decoded_ros1
from steadyhand.data.bags.definitions import Field, fields_of
from steadyhand.data.lazy import damage_told
from steadyhand.disk import parse_json

ENCODINGS = ("cdr", "ros1", "json")


@dataclass(frozen=True)
class Topic:
    """What is said on one topic, and in which words."""

    name: str
    type: str
    encoding: str
    """How messages are written: cdr, ros1, json, or what is not read."""
    definition: str

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """Raises `ValueError`, whose text goes on from "its type"."""
        return fields_of(self.type, self.definition, "ros1" if self.encoding == "ros1" else "ros2")

    def decoded(self, data: bytes, until: str | None = None) -> dict[str, Any]:
        """The values of a message, by field. Raises `ValueError`."""
        if self.encoding == "json":
            found = parse_json(data.decode())
            if not isinstance(found, dict):
                raise ValueError("it is no object")
            return found
        if self.encoding not in ENCODINGS:
            raise ValueError(
                f"it is written as {self.encoding[:20]!a}; {', '.join(ENCODINGS)} are read"
            )
        decode = decoded_ros1 if self.encoding == "ros1" else decoded_cdr
        return decode(data, self.fields, until)


class Recording(Protocol):
    """One file of a bag."""

    path: Path

    @property
    def topics(self) -> Mapping[str, Topic]: ...
    def times(self, topic: str) -> NDArray[np.int64]:
        """When each message of a topic was recorded, nanoseconds, in order."""
        ...

    def read(self, topic: str, places: Sequence[int]) -> Iterator[bytes]:
        """The messages of those places, in that order."""
        ...


class Bag:
    """The files of one recording, as one."""

    def __init__(self, path: Path, parts: Sequence[Recording]) -> None:
        self.path, self.parts = path, tuple(parts)
        self.topics = {name: topic for part in parts for name, topic in part.topics.items()}
        self._times: dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}

    def times(self, topic: str) -> NDArray[np.int64]:
        """When each message of a topic was recorded, nanoseconds, in order."""
        return self._all(topic)[0]

    def _all(self, topic: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(times in order, for each the number of its message in all files one after the other)."""
        if topic not in self._times:
            with damage_told(self.path, topic):
                each = [p.times(topic) for p in self.parts if topic in p.topics]
            times = np.concatenate(each) if each else np.empty(0, np.int64)
            order = np.argsort(times, kind="stable")
            self._times[topic] = times[order], order
        return self._times[topic]

    def decoded(
        self, topic: str, places: Sequence[int], until: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """The values of the messages of those places, no further than the field `until`.

        Raises `DataError` for damage.
        """
        with damage_told(self.path, topic):
            for data in self._read(topic, places):
                yield self.topics[topic].decoded(data, until)

    def _read(self, topic: str, places: Sequence[int]) -> Iterator[bytes]:
        """The messages of those places, in that order."""
        parts = [part for part in self.parts if topic in part.topics]
        counts = [len(part.times(topic)) for part in parts]
        ends = np.cumsum(counts)
        numbers = self._all(topic)[1][np.asarray(places, np.int64)]
        owners = np.searchsorted(ends, numbers, side="right")
        start = 0
        while start < len(numbers):
            owner = int(owners[start])
            stop = start
            while stop < len(numbers) and owners[stop] == owner:
                stop += 1
            inside = numbers[start:stop] - (ends[owner] - counts[owner])
            yield from parts[owner].read(topic, inside.tolist())
            start = stop
