"""An MCAP file: its records are walked by their sizes, chunks are unpacked when they are needed.

Index records save unpacking; where a chunk has none, it is unpacked once to make them.
"""

import io
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.bags.bag import Topic
from steadyhand.data.formats.limits import require_few, require_stored
from steadyhand.disk import regular
from steadyhand.errors import library

MAGIC = b"\x89MCAP0\r\n"
FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK, INDEX, END = 2, 3, 4, 5, 6, 7, 15
LARGEST = 1 << 30
"""Bytes of a chunk, unpacked, and of any record but one."""
RECORDS = 20_000_000
"""Messages of one file."""
IN_FILE = -1
"""In place of a chunk's number, where a message stands by itself."""


@dataclass(frozen=True)
class Chunk:
    """Where one lies, and how it is packed."""

    start: int
    packed: int
    unpacked: int
    crc: int
    compression: str


class McapFile:
    """Raises `ValueError`, `OSError` for what is no whole MCAP file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._size = regular(path)
        self._chunks: list[Chunk] = []
        self._schemas: dict[int, tuple[str, str, str]] = {}
        self._channels: dict[int, tuple[str, str, int]] = {}
        self._entries: dict[int, list[tuple[int, int, int]]] = {}
        self._count = 0
        self.cut_off: int | None = None
        """The byte at which a recording ends that nobody finished, or that is damaged there."""
        self._held: tuple[int, bytes] = (IN_FILE - 1, b"")
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise ValueError("it does not begin as MCAP does")
            self._walk(file)
            self._describe_rest(file)
        self._sorted: dict[str, NDArray[np.int64]] = {}

    @property
    def topics(self) -> Mapping[str, Topic]:
        found = {}
        for number, (name, encoding, schema) in self._channels.items():
            type, kind, text = self._schemas.get(schema, ("", "", ""))
            if number in self._entries and name:
                text = text if kind in ("ros1msg", "ros2msg") else ""
                found[name] = Topic(name, type, encoding, text)
        return found

    def times(self, topic: str) -> NDArray[np.int64]:
        return self._messages(topic)[:, 0]

    def read(self, topic: str, places: Sequence[int]) -> Iterator[bytes]:
        messages = self._messages(topic)
        with self.path.open("rb") as file:
            for place in places:
                _, chunk, offset = messages[place].tolist()
                if chunk == IN_FILE:
                    yield self._record(file, offset)[22:]
                    continue
                data = self._unpacked(file, chunk)
                opcode, size = struct.unpack_from("<BQ", data, offset)
                if opcode != MESSAGE or offset + 9 + size > len(data) or size < 22:
                    raise ValueError("its index points to what is no message")
                yield data[offset + 31 : offset + 9 + size]

    def _messages(self, topic: str) -> NDArray[np.int64]:
        """(messages, 3): time, chunk, offset, in the order of time."""
        if topic not in self._sorted:
            own = [n for n, channel in self._channels.items() if channel[0] == topic]
            listed = [entry for number in own for entry in self._entries.get(number, [])]
            found = np.array(listed, np.int64).reshape(-1, 3)
            self._sorted[topic] = found[np.argsort(found[:, 0], kind="stable")]
        return self._sorted[topic]

    def _walk(self, file: BinaryIO) -> None:
        """All records, without what is in chunks that have an index."""
        bare: int | None = None
        while True:
            at = file.tell()
            head = file.read(9)
            opcode, size = struct.unpack("<BQ", head) if len(head) == 9 else (0, 0)
            if opcode != INDEX and bare is not None:
                self._index(file, bare)
                bare = None
                file.seek(at + 9)
            if opcode == FOOTER:
                return
            if opcode == 0 or size > self._size - at - 9:
                self.cut_off = at
                if not self._count:
                    raise ValueError(f"it ends after {at} bytes, before anything was recorded")
                return
            if opcode == CHUNK:
                bare = self._chunk(file, at + 9, size)
            elif opcode == INDEX:
                bare = None if self._indexed(file.read(size)) else bare
            elif opcode in (SCHEMA, CHANNEL):
                self._describe(opcode, self._bounded(file, size))
            elif opcode == MESSAGE:
                channel, _, time = struct.unpack("<HIQ", file.read(14))
                self._add(channel, time, IN_FILE, at)
            file.seek(at + 9 + size)

    def _bounded(self, file: BinaryIO, size: int) -> bytes:
        if size > LARGEST:
            raise ValueError(f"a record of {size} bytes is more than is read")
        return file.read(size)

    def _record(self, file: BinaryIO, at: int) -> bytes:
        file.seek(at)
        _, size = struct.unpack("<BQ", file.read(9))
        return self._bounded(file, size)

    def _describe(self, opcode: int, content: bytes) -> None:
        records = library("mcap.records")
        stream = library("mcap.data_stream").ReadDataStream(io.BytesIO(content))
        require_few(len(self._schemas) + len(self._channels), 20_000)
        if opcode == SCHEMA:
            schema = records.Schema.read(stream)
            text = schema.data.decode(errors="replace") if "msg" in schema.encoding else ""
            self._schemas[schema.id] = (schema.name, schema.encoding, text)
        else:
            channel = records.Channel.read(stream)
            self._channels[channel.id] = (
                channel.topic,
                channel.message_encoding,
                channel.schema_id,
            )

    def _chunk(self, file: BinaryIO, start: int, size: int) -> int:
        fixed = file.read(32)
        _, _, unpacked, crc, length = struct.unpack("<QQQII", fixed)
        if length > 32:
            raise ValueError("a chunk of it is packed in a way that is not read here")
        compression = file.read(length).decode()
        (packed,) = struct.unpack("<Q", file.read(8))
        if packed > size - 40 - length or unpacked > LARGEST:
            raise ValueError(f"a chunk of it has {packed} bytes that make {unpacked}")
        require_stored(unpacked, packed)
        chunk = Chunk(start + 40 + length, packed, unpacked, crc, compression)
        self._chunks.append(chunk)
        return len(self._chunks) - 1

    def _indexed(self, content: bytes) -> bool:
        """Whether an index record was understood: (channel, bytes, then pairs of time, offset)."""
        channel, size = struct.unpack_from("<HI", content)
        if size != len(content) - 6 or size % 16:
            raise ValueError("an index of it is damaged")
        for time, offset in struct.iter_unpack("<QQ", content[6:]):
            self._add(channel, time, len(self._chunks) - 1, offset)
        return True

    def _index(self, file: BinaryIO, number: int) -> None:
        """Go through a chunk that has no index of its own."""
        data = self._unpacked(file, number)
        for opcode, start, stop in _records(data):
            if opcode in (SCHEMA, CHANNEL):
                self._describe(opcode, data[start:stop])
            elif opcode == MESSAGE:
                channel, _, time = struct.unpack_from("<HIQ", data, start)
                self._add(channel, time, number, start - 9)

    def _describe_rest(self, file: BinaryIO) -> None:
        """What is said of channels in chunks alone, where a recording was never finished."""
        for channel, entries in self._entries.items():
            if channel in self._channels or (number := entries[0][1]) == IN_FILE:
                continue
            for opcode, start, stop in _records(data := self._unpacked(file, number)):
                if opcode in (SCHEMA, CHANNEL):
                    self._describe(opcode, data[start:stop])

    def _add(self, channel: int, time: int, chunk: int, offset: int) -> None:
        self._count += 1
        if self._count > RECORDS or time >= 2**63 or offset >= 2**63:
            raise ValueError("it has more messages than are read, or times beyond all clocks")
        self._entries.setdefault(channel, []).append((time, chunk, offset))

    def _unpacked(self, file: BinaryIO, number: int) -> bytes:
        if self._held[0] != number:
            chunk = self._chunks[number]
            file.seek(chunk.start)
            data = _unpack(file.read(chunk.packed), chunk)
            if len(data) != chunk.unpacked or (chunk.crc and zlib.crc32(data) != chunk.crc):
                raise ValueError("a chunk of it is not what was written")
            self._held = (number, data)
        return self._held[1]


def _records(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(kind, first byte, last byte) of what each record in a chunk holds."""
    at = 0
    while at + 9 <= len(data):
        opcode, size = struct.unpack_from("<BQ", data, at)
        if size > len(data) - at - 9:
            raise ValueError("a record in a chunk does not fit into it")
        yield opcode, at + 9, at + 9 + size
        at += 9 + size


def _unpack(data: bytes, chunk: Chunk) -> bytes:
    """No more than a chunk is said to hold is made of it."""
    if chunk.compression == "":
        return data
    if chunk.compression == "zstd":
        zstandard: Any = library("zstandard")
        if zstandard.frame_content_size(data) not in (-1, chunk.unpacked):
            raise ValueError("a chunk of it would unpack to another size than it says")
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=chunk.unpacked)
    if chunk.compression == "lz4":
        lz4: Any = library("lz4.frame")
        return lz4.LZ4FrameDecompressor().decompress(data, max_length=chunk.unpacked + 1)
    raise ValueError(f"its chunks are packed as {chunk.compression!a}; zstd and lz4 are read")
