"""A `.db3` file of ROS 2: an SQLite database that is only read, table by table."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.bags.bag import Topic
from steadyhand.data.formats.limits import require_few, require_stored
from steadyhand.disk import regular
from steadyhand.errors import library

TABLES = ("topics", "messages")
ZSTD = b"\x28\xb5\x2f\xfd"
"""How a message begins that is packed by itself."""
LARGEST = 1 << 28
"""Bytes of one message."""
BATCH = 500
WORK = 200_000_000
"""Steps of SQLite's machine that one question may take."""


class SqliteFile:
    """Raises `ValueError`, `OSError`, `sqlite3.Error` for what is no whole one."""

    def __init__(self, path: Path) -> None:
        self.path, self._size = path, regular(path)
        with closing(self._opened()) as found:
            kinds = dict(found.execute("SELECT name, type FROM sqlite_master"))
            if any(kinds.get(table) != "table" for table in TABLES):
                raise ValueError("it has no tables of topics and messages")
            columns = {row[1] for row in found.execute("PRAGMA table_info(topics)")}
            if not columns >= {"id", "name", "type", "serialization_format"}:
                raise ValueError("its table of topics is not that of ROS 2")
            texts = self._definitions(found, kinds)
            said = "SELECT id, name, type, serialization_format FROM topics"
            rows = found.execute(said).fetchmany(20_001)
        require_few(len(rows), 20_000)
        self._numbers: dict[str, int] = {str(row[1]): int(row[0]) for row in rows}
        self.topics: Mapping[str, Topic] = {
            str(name): Topic(str(name), str(type), str(encoding), texts.get(str(type), ""))
            for _, name, type, encoding in rows
        }
        self._found: dict[str, NDArray[np.int64]] = {}

    def _definitions(self, found: sqlite3.Connection, kinds: Mapping[str, str]) -> dict[str, str]:
        """The texts of types, which newer bags have; `.msg` alone."""
        if kinds.get("message_definitions") != "table":
            return {}
        said = "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions"
        return {str(t): str(text) for t, kind, text in found.execute(said) if kind == "ros2msg"}

    def times(self, topic: str) -> NDArray[np.int64]:
        return self._rows(topic)[:, 0]

    def _rows(self, topic: str) -> NDArray[np.int64]:
        """(messages, 2): time and number, in the order of time."""
        if topic not in self._found:
            said = "SELECT timestamp, id FROM messages WHERE topic_id = ? ORDER BY timestamp, id"
            with closing(self._opened()) as found:
                rows = found.execute(said, (self._numbers[topic],)).fetchall()
            require_stored(16 * len(rows), self._size)
            self._found[topic] = np.array(rows, np.int64).reshape(-1, 2)
        return self._found[topic]

    def read(self, topic: str, places: Sequence[int]) -> Iterator[bytes]:
        numbers = self._rows(topic)[list(places), 1].tolist()
        with closing(self._opened()) as found:
            for number in numbers:
                row = found.execute("SELECT data FROM messages WHERE id = ?", (number,)).fetchone()
                yield _unpacked(row[0] if row else None)

    def _opened(self) -> sqlite3.Connection:
        address = f"file:{quote(str(self.path.absolute()))}?mode=ro&immutable=1"
        found = sqlite3.connect(address, uri=True)
        found.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, max(min(self._size, LARGEST), 1 << 16))
        found.execute("PRAGMA trusted_schema = OFF")
        found.execute("PRAGMA cell_size_check = ON")
        steps = [0]

        def tired() -> bool:
            steps[0] += 1
            return steps[0] > WORK // 100_000

        found.set_progress_handler(tired, 100_000)
        return found


def _unpacked(data: Any) -> bytes:
    if not isinstance(data, bytes):
        raise ValueError("a message of it holds no bytes")
    if not data.startswith(ZSTD):
        return data
    zstandard: Any = library("zstandard")
    size = zstandard.frame_content_size(data)
    if size > LARGEST:
        raise ValueError(f"a message of it would unpack to {size} bytes")
    return zstandard.ZstdDecompressor().decompress(data, max_output_size=LARGEST)
