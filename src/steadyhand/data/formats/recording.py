"""What a recorder has written so far: read as it is, also where it was killed. Not one to keep.

A folder with recording.json (rate and features), for each feature the numbers of all steps, and the
steps at which episodes ended. A step counts once all of its features are there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.data.files import stamp
from steadyhand.data.formats import limits
from steadyhand.data.formats.format import Format
from steadyhand.data.formats.noted import with_noted
from steadyhand.data.lazy import damage_told, gathered
from steadyhand.disk import inside, parse_json, read_object, read_text, regular
from steadyhand.errors import DataError

HEADER, ENDS, TASKS = "recording.json", "ends.txt", "tasks.txt"
KIND, VERSION = "steadyhand-recording", 1
PIECE = 1 << 24
"""Bytes that are read at once."""


def matches(path: Path) -> bool:
    return (path / HEADER).is_file()


def file_of(number: int) -> str:
    """Where the numbers of the feature with that place in the header are."""
    return f"{number:03d}.numbers"


def read(path: Path, skip: frozenset[int] = frozenset()) -> Episodes:
    """All steps that were written whole. Raises `DataError` where there are none, or no header."""
    try:
        header = read_object(inside(path, HEADER))
        if (header.get("kind"), header.get("version")) != (KIND, VERSION):
            raise ValueError(f"{HEADER} is of another kind or version")
        rate: Any = header.get("rate_hz")
        listed: Any = header.get("features")
        if type(rate) not in (int, float) or not 1e-3 <= rate <= 1e5:
            raise ValueError(f"{HEADER} says no rate")
        if not isinstance(listed, list):
            raise ValueError(f"{HEADER} lists no features")
        limits.require_few(len(listed))
        arrays = dict(_feature(path, number, said) for number, said in enumerate(listed))
        steps = min((array.shape[0] for array in arrays.values()), default=0)
        ends = [end for end in _ends(path) if end < steps]
        tasks = _tasks(path)
    except (OSError, ValueError, TypeError) as error:
        why = getattr(error, "strerror", None) or error
        raise DataError(f"{path} is no recording that can be read: {why}.") from error
    if not steps:
        raise DataError(f"Nothing was recorded in {path}: no step was written whole. Delete it.")
    held = {key: array.until(steps) for key, array in arrays.items()}
    episodes = Episodes(
        held, np.array([*ends, steps]), float(rate), path, version=str(VERSION), tasks=tasks
    )
    try:
        episodes = with_noted(episodes, {"kinds": header.get("kinds")})
    except ValueError as error:
        raise DataError(f"{path} is no recording that can be read: {HEADER}: {error}.") from error
    if skip:
        kept = [number for number in range(len(episodes)) if number not in skip]
        return episodes.subset(kept)
    return episodes


@dataclass(frozen=True)
class Stored:
    """An array (steps, …) whose numbers are in a file, one after the other."""

    file: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def until(self, steps: int) -> "Stored":
        return Stored(self.file, self.name, (steps, *self.shape[1:]), self.dtype)

    def fingerprint(self) -> list[Any]:
        return [stamp(self.file), self.name]

    def __getitem__(self, key: Any, /) -> NDArray[Any]:
        with damage_told(self.file, self.name):
            return gathered(self, key, self._rows)

    def _rows(self, rows: NDArray[np.int64]) -> Iterator[tuple[Any, NDArray[Any]]]:
        """Neighbours are read at once, up to a piece of them."""
        each = max(int(np.prod(self.shape[1:])), 1)
        most = max(PIECE // (each * self.dtype.itemsize), 1)
        breaks = np.flatnonzero(np.diff(rows) != 1) + 1
        for begin, end in zip([0, *breaks], [*breaks, len(rows)], strict=True):
            for first in range(int(begin), int(end), most):
                count = min(most, int(end) - first)
                place = int(rows[first]) * each * self.dtype.itemsize
                values = np.fromfile(self.file, self.dtype, count * each, offset=place)
                yield slice(first, first + count), values.reshape(count, *self.shape[1:])


def _feature(path: Path, number: int, said: Any) -> tuple[str, Stored]:
    """A feature as the header says it; its steps are those its file has room for."""
    if not isinstance(said, dict):
        raise ValueError(f"{HEADER} describes a feature by {str(said)[:40]!a}")
    name, kind = said.get("name"), said.get("dtype")
    if not isinstance(name, str) or not isinstance(kind, str):
        raise ValueError(f"a feature in {HEADER} has no name or no dtype")
    limits.require_name(name)
    dtype = np.dtype(kind[:20])
    limits.require_numbers(dtype)
    shape = limits.whole_numbers(said.get("shape"), least=1)
    each = limits.bytes_of(shape, dtype)
    if each > limits.FREE:
        raise ValueError(f"a step of '{name}' has {each} bytes")
    file = inside(path, file_of(number))
    return name, Stored(file, name, (regular(file) // each, *shape), dtype)


def _ends(path: Path) -> list[int]:
    """Where episodes ended; a last line that was cut short is none."""
    if not (path / ENDS).exists():
        return []
    lines = read_text(inside(path, ENDS)).split("\n")[:-1]
    ends = [int(line) for line in lines if line.isdecimal() and len(line) < 16]
    if len(ends) < len(lines) or any(a >= b for a, b in zip([0, *ends], ends, strict=False)):
        raise ValueError(f"{ENDS} holds no increasing numbers")
    return ends


def _tasks(path: Path) -> tuple[str, ...]:
    if not (path / TASKS).exists():
        return ()
    lines = read_text(inside(path, TASKS)).split("\n")[:-1]
    found = [parse_json(line) for line in lines]
    if not all(isinstance(words, str) for words in found):
        raise ValueError(f"{TASKS} holds no words")
    return tuple(found)


FORMAT = Format(
    name="recording",
    looks_like="a folder with recording.json, which a recorder has not finished",
    matches=matches,
    read=read,
)
