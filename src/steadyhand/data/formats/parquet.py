"""Columns of parquet files as arrays: numbers, lists of numbers, and encoded pictures (pyarrow)."""

import importlib
import io
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.files import Sum, is_damaged, stamp
from steadyhand.errors import DataError, MissingExtraError

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Pillow's names of pictures with so many channels."""
AGAIN = "Copy it again, or leave the episode out: --skip-broken-episodes."


def parquet_library() -> Any:
    """pyarrow.parquet. Raises `MissingExtraError` where it is not installed."""
    try:
        return importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise MissingExtraError("pyarrow", "data") from error


def picture_library() -> Any:
    """PIL.Image. Raises `MissingExtraError` where it is not installed."""
    try:
        return importlib.import_module("PIL.Image")
    except ImportError as error:
        raise MissingExtraError("pillow", "data") from error


def read_rows(file: Path, leave_out: str | None = None) -> list[dict[str, Any]]:
    """A small table as a list of rows, without the columns that begin so."""
    table = Table(file)
    names = [n for n in table.columns if leave_out is None or not n.startswith(leave_out)]
    return table.read(names).to_pylist()


class Table:
    """One parquet file; columns are read when asked for, and numbers kept."""

    def __init__(self, file: Path, expected: Sum | None = None) -> None:
        self.file, self._expected = file, expected
        self._kept: dict[str, NDArray[Any]] = {}

    @cached_property
    def _schema(self) -> tuple[list[str], int]:
        if self.file.exists() and is_damaged(self.file, self._expected):
            raise self.damaged("it is not what was written")

        def look(library: Any) -> tuple[list[str], int]:
            with library.ParquetFile(self.file) as file:
                return list(file.schema_arrow.names), file.metadata.num_rows

        return self._try(look)

    @property
    def columns(self) -> list[str]:
        return self._schema[0]

    @property
    def length(self) -> int:
        return self._schema[1]

    def read(self, names: Sequence[str]) -> Any:
        """The columns of those names, as an arrow table; checksums are verified, if it has them."""

        missing = [name for name in names if name not in self.columns]
        if missing:
            raise self.damaged(f"it has no column '{missing[0]}'")

        def load(library: Any) -> Any:
            with library.ParquetFile(self.file, page_checksum_verification=True) as file:
                return file.read(columns=list(names))

        return self._try(load)

    def numbers(self, name: str) -> NDArray[Any]:
        """A column of numbers or lists of numbers of one length, (rows, …)."""
        if name not in self._kept:
            self._kept[name] = self._numbers(name)
        return self._kept[name]

    def _numbers(self, name: str) -> NDArray[Any]:
        values = self.read([name]).column(name).combine_chunks()
        shape = [len(values)]
        while True:
            if hasattr(values, "storage"):
                values = values.storage
            if values.null_count:
                raise self.damaged(f"'{name}' has {values.null_count} empty cells")
            if not hasattr(values, "flatten") or not hasattr(values.type, "value_type"):
                break
            inner = values.flatten()
            width, rest = divmod(len(inner), len(values)) if len(values) else (0, 0)
            lengths = np.asarray(values.value_lengths()) if len(values) else np.zeros(0)
            if rest or np.any(lengths != width):
                raise self.damaged(f"'{name}' has rows of different lengths")
            shape.append(width)
            values = inner
        result = values.to_numpy(zero_copy_only=False)
        if result.dtype.kind not in "biuf":
            raise self.damaged(f"'{name}' holds {values.type}, not numbers")
        return result.reshape(shape)

    def rows(
        self, name: str, shape: tuple[int, ...], first: int, steps: int, episode: int
    ) -> "Column":
        return Column(self, name, shape, first, steps, episode)

    def damaged(self, why: str, episode: int | None = None) -> DataError:
        of = "" if episode is None else f" of episode {episode}"
        return DataError(
            f"{self.file}{of} cannot be used: {why}. {AGAIN}", episode=episode, file=self.file
        )

    def _try(self, work: Any) -> Any:
        library = parquet_library()
        try:
            return work(library)
        except FileNotFoundError as error:
            raise self.damaged("it is not there") from error
        except Exception as error:  # a damaged file can raise nearly anything
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise self.damaged(said) from error


class Column:
    """The rows of one episode in a column of numbers."""

    def __init__(
        self, table: Table, name: str, shape: tuple[int, ...], first: int, steps: int, episode: int
    ) -> None:
        self._table, self._name, self._first, self._episode = table, name, first, episode
        self.shape = (steps, *shape)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        return self._values.dtype

    @cached_property
    def _values(self) -> NDArray[Any]:
        try:
            values = self._table.numbers(self._name)
        except DataError as error:
            if error.episode is None:
                raise DataError(str(error), episode=self._episode, file=error.file) from error
            raise
        steps, inner = self.shape[0], self.shape[1:]
        if int(np.prod(values.shape[1:])) != int(np.prod(inner)):
            raise self._table.damaged(
                f"'{self._name}' has shape {values.shape[1:]} at each step, where meta/info.json "
                f"says {inner}",
                self._episode,
            )
        if len(values) < self._first + steps:
            raise self._table.damaged(
                f"it has {len(values) - self._first} rows for {steps} steps", self._episode
            )
        return values[self._first : self._first + steps].reshape(self.shape)

    def __getitem__(self, key: Any, /) -> NDArray[Any]:
        return self._values[key]


class Images:
    """A column of encoded pictures, `{bytes, path}` each: (steps, height, width, channels)."""

    def __init__(
        self,
        spans: Sequence[tuple[Table, int, int, int]],
        name: str,
        shape: tuple[int, int, int],
        *,
        root: Path,
    ) -> None:
        self._spans, self._name, self._root = spans, name, root
        self.blocks = np.cumsum([steps for _, _, steps, _ in spans])
        self.shape, self.dtype = (int(self.blocks[-1]), *shape), np.dtype(np.uint8)
        self._held: tuple[Table | None, list[Any]] = (None, [])

    def fingerprint(self) -> list[Any]:
        return [[*stamp(table.file), first, steps] for table, first, steps, _ in self._spans]

    def __getitem__(self, key: Any, /) -> NDArray[np.uint8]:
        wanted = np.arange(self.shape[0])[key]
        flat = np.atleast_1d(wanted).reshape(-1)
        result = np.empty((len(flat), *self.shape[1:]), np.uint8)
        for place, step in enumerate(flat):
            result[place] = self._picture(int(step))
        return result.reshape(*np.shape(wanted), *self.shape[1:])

    def _picture(self, step: int) -> NDArray[np.uint8]:
        block = int(np.searchsorted(self.blocks, step, side="right"))
        table, first, steps, episode = self._spans[block]
        row = first + step - (int(self.blocks[block]) - steps)
        if self._held[0] is not table:
            self._held = (table, table.read([self._name]).column(self._name).to_pylist())
        cells = self._held[1]
        if row >= len(cells):
            raise table.damaged(f"it has {len(cells) - first} rows for {steps} steps", episode)
        cell = cells[row] or {}
        library = picture_library()
        try:
            source = io.BytesIO(cell["bytes"]) if cell.get("bytes") else self._root / cell["path"]
            with library.open(source) as picture:
                if picture.mode.startswith(("I", "F")):
                    raise ValueError(f"mode {picture.mode}: depth and other measures are not read")
                values = np.asarray(picture.convert(MODES[self.shape[3]]))
        except Exception as error:  # a damaged picture can raise nearly anything
            raise table.damaged(
                f"the picture '{self._name}' of its row {row} ({error})", episode
            ) from error
        values = values.reshape(*values.shape[:2], -1)
        if values.shape != self.shape[1:]:
            raise table.damaged(
                f"the picture '{self._name}' of its row {row} is {values.shape}, not "
                f"{self.shape[1:]}",
                episode,
            )
        return values
