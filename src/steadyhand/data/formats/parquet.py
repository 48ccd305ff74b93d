"""Columns of parquet files as arrays: numbers and lists of numbers (pyarrow).

A small file may claim, or unfold to, more than there is memory for: what it declares is held
against its size before a column is read, and words and bytes stay folded as they are stored.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.files import AGAIN, LEAVE, Sum, require_whole, told
from steadyhand.data.formats.kept import KEPT
from steadyhand.errors import DataError, library

Whole = NDArray[np.int64]
WHOLE = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
NUMBERS = ("bool", *WHOLE, "halffloat", "float", "double")
"""What arrow calls the kinds of numbers."""
DEEPEST = 8
"""Lists in lists in lists."""
ALWAYS, UNFOLDED = 1 << 26, 1000
"""Bytes that any file may unfold to, and how many more for each of its own."""
LARGEST_INDEX = 1 << 20
"""Rows of an index or a list of tasks."""
AT_ONCE, SMALL = 1 << 24, 1 << 20
"""Bytes of a column from which row groups are no longer read in one go, and of a table below which
all its columns are."""


class Table:
    """One parquet file; columns are read when asked for, and numbers kept."""

    def __init__(self, file: Path, expected: Sum | None = None, again: str = AGAIN) -> None:
        """`again` says what to do where it is damaged."""
        self.file, self._expected, self._again = file, expected, again
        self._places: dict[str, list[tuple[range, range]]] = {}

    @cached_property
    def _described(self) -> tuple[dict[str, Any], Any, list[tuple[str, str]], int]:
        """(type of each column, metadata, (path, kind) of each leaf, bytes it may unfold to)."""
        size = require_whole(str(self.file), self.file, self._expected, None, self._again)
        with self._told() as parquet, parquet.ParquetFile(self.file) as file:
            names, count = file.schema_arrow.names, file.metadata.num_columns
            rows, most = file.metadata.num_rows, ALWAYS + UNFOLDED * size
            if len(set(names)) < len(names):
                raise ValueError("two of its columns have one name")
            if not 0 <= rows * max(count, 1) * 8 <= most:
                raise ValueError(f"{rows} rows of {count} columns cannot be in {size} bytes")
            leaves = [file.schema.column(i) for i in range(count)]
            named = [(leaf.path, leaf.physical_type) for leaf in leaves]
            types = dict(zip(names, file.schema_arrow.types, strict=True))
            return types, file.metadata, named, most

    @property
    def columns(self) -> list[str]:
        return list(self._described[0])

    @property
    def length(self) -> int:
        return self._described[1].num_rows

    def _read(self, names: Sequence[str], groups: Sequence[int] | None = None) -> Any:
        """The columns of those names, of all row groups or of some, as an arrow table.

        Checksums are verified, if it has them. Words and bytes are dictionaries: each value is
        there once, however often it is meant.
        """
        metadata, leaves = self._described[1:3]
        groups = list(range(metadata.num_row_groups)) if groups is None else list(groups)
        wanted = self._leaves(names, groups)
        folded = [leaves[i][0] for i in wanted if leaves[i][1] == "BYTE_ARRAY"]
        checked = {"page_checksum_verification": True, "read_dictionary": folded}
        with self._told() as parquet, parquet.ParquetFile(self.file, **checked) as file:
            rows = sum(metadata.row_group(i).num_rows for i in groups)
            many = rows * len(wanted) * 8 > SMALL  # threads take longer to start than to read few
            found = file.read_row_groups(groups, columns=list(names), use_threads=many)
            if found.num_rows != rows:
                raise ValueError(f"its '{names[0]}' has {found.num_rows} rows, not those counted")
            return found

    def _leaves(self, names: Sequence[str], groups: Sequence[int]) -> list[int]:
        """The numbers of what lies under some columns, which may be read of those row groups."""
        _, metadata, leaves, most = self._described
        if missing := [name for name in names if name not in self.columns]:
            raise self.damaged(f"it has no column '{missing[0]}'", way="")
        prefixes = tuple(f"{name}." for name in names)
        wanted = [i for i, (path, _) in enumerate(leaves) if f"{path}.".startswith(prefixes)]
        pieces = [metadata.row_group(group).column(i) for group in groups for i in wanted]
        claimed = sum(max(8 * p.num_values, p.total_uncompressed_size) for p in pieces)
        if not 0 <= claimed <= most:
            raise self.damaged(f"'{names[0]}' would unfold to {claimed} bytes")
        return wanted

    def cells(self, name: str, row: int) -> tuple[range, Any]:
        """(numbers of the rows, arrow column) of the row group in which a row is."""
        metadata, start = self._described[1], 0
        for group in range(metadata.num_row_groups):
            rows = range(start, start + metadata.row_group(group).num_rows)
            if row in rows:
                return rows, self._read([name], [group]).column(name)
            start = rows.stop
        raise self.damaged(f"it has {start} rows and none of number {row}")

    def first(self, name: str) -> Any:
        """The first cell of a column, without the rest of it."""
        self._leaves([name], range(self._described[1].num_row_groups))
        with self._told() as parquet, parquet.ParquetFile(self.file, buffer_size=1 << 16) as file:
            return next(file.iter_batches(1, columns=[name])).column(0)[0].as_py()

    def lengths(self, name: str, rows: int) -> set[int]:
        """How long the lists are in the first cells of a column; none where it has no lists."""
        self._leaves([name], range(self._described[1].num_row_groups))
        with self._told() as parquet, parquet.ParquetFile(self.file, buffer_size=1 << 16) as file:
            cells = next(file.iter_batches(rows, columns=[name])).column(0)
            cells = getattr(cells, "storage", cells)
            if not hasattr(cells.type, "value_type") or not hasattr(cells, "value_lengths"):
                return set()
            return {count.as_py() or 0 for count in cells.value_lengths()}

    def records(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Some columns of numbers or words of an index, as a list of rows."""
        size = (self._described[3] - ALWAYS) // UNFOLDED
        if self.length > min(LARGEST_INDEX, size):
            raise self.damaged(f"{self.length} rows are too many for its size", way="")
        found = self._read(names)
        with self._told():
            columns = [self._listed(name, found.column(name)) for name in names]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def _listed(self, name: str, column: Any) -> list[Any]:
        if not hasattr(column.type, "index_type"):
            if str(column.type) not in NUMBERS:
                raise self.damaged(f"'{name}' holds {told(column.type)}, not numbers", way="")
            return column.to_pylist()
        values: list[Any] = []
        for chunk in column.chunks:
            words = [*chunk.dictionary.to_pylist(), None]
            values += [words[-1 if i is None else i] for i in chunk.indices.to_pylist()]
        return values

    def words(self, name: str) -> tuple[list[str], Whole, Whole]:
        """(texts, which of them each row has, how many it has) of a column of text or lists of it.

        A list has its first text; empty cells, and lists of nothing, have the text "".
        """
        known: dict[str, int] = {"": 0}
        found, counted = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        column = self._read([name]).column(name)
        with self._told():
            for chunk in column.chunks:
                counts = np.ones(len(chunk), np.int64)
                if hasattr(chunk, "value_lengths"):
                    lengths = chunk.value_lengths().fill_null(0)
                    counts, chunk = np.asarray(lengths, np.int64), chunk.flatten()
                if not hasattr(chunk, "dictionary"):
                    raise self.damaged(f"'{name}' holds {told(column.type)}, not text", way="")
                listed = [*chunk.dictionary.to_pylist(), ""]
                numbers = np.array([known.setdefault(w or "", len(known)) for w in listed])
                empty = len(listed) - 1
                places = np.append(np.asarray(chunk.indices.fill_null(empty), np.int64), empty)
                rows = np.where(counts > 0, np.cumsum(counts) - counts, len(places) - 1)
                found.append(numbers[places[rows]])
                counted.append(counts)
        return list(known), np.concatenate(found), np.concatenate(counted)

    def numbers(self, name: str, low: int = 0, high: int | None = None) -> NDArray[Any]:
        """The rows `low…high` of a column of numbers or lists of numbers of one length, (rows, …).

        What was read last is kept, up to so many bytes for all tables together.
        """
        high, parts = self.length if high is None else high, list[NDArray[Any]]()
        for groups, rows in self._bundles(name):
            if rows.start < high and low < rows.stop:
                values = KEPT.get((self, name, rows.start))
                if values is None:
                    values = self._kept_numbers(name, groups, rows.start)
                parts.append(values[max(low - rows.start, 0) : high - rows.start])
        if not parts:
            return self._numbers(name, [])
        if len({part.shape[1:] for part in parts}) > 1:
            raise self.damaged(f"'{name}' has rows of different lengths", way=LEAVE)
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    def _kept_numbers(self, name: str, groups: Sequence[int], row: int) -> NDArray[Any]:
        """Numbers that are kept from now on; of a small table, those of its other columns, too.

        To open a file takes longer than to read so little of it.
        """
        metadata, others = self._described[1], list[str]()
        if len(groups) == metadata.num_row_groups:
            sizes = (metadata.row_group(group).total_byte_size for group in groups)
            small = sum(sizes) < SMALL
            others = [other for other in self.columns if small and self.kind(other) is None]
        table = None
        with suppress(DataError):  # what is wrong with others is told where they are read
            table = self._read(others, groups) if name in others else None
        values = self._numbers(name, groups, table)
        KEPT.put((self, name, row), values)
        for other in others if table is not None else ():
            if KEPT.get((self, other, row)) is None:
                with suppress(DataError):
                    KEPT.put((self, other, row), self._numbers(other, groups, table))
        return values

    def _bundles(self, name: str) -> list[tuple[range, range]]:
        """(row groups, their rows) that are read in one go, for a column."""
        if name not in self._places:
            metadata, found = self._described[1], list[tuple[range, range]]()
            wanted = self._leaves([name], [])
            group = row = size = 0
            for i in range(metadata.num_row_groups):
                here = metadata.row_group(i)
                size += sum(8 * here.column(leaf).num_values for leaf in wanted)
                if size >= AT_ONCE or i + 1 == metadata.num_row_groups:
                    rows = range(row, row + sum(self._rows(range(group, i + 1))))
                    found.append((range(group, i + 1), rows))
                    group, row, size = i + 1, rows.stop, 0
            self._places[name] = found
        return self._places[name]

    def _rows(self, groups: Sequence[int]) -> list[int]:
        return [self._described[1].row_group(group).num_rows for group in groups]

    def dtype(self, name: str) -> np.dtype[Any]:
        """What the numbers of a column are; raises `DataError` where it holds others."""
        if kind := self.kind(name):
            raise self.damaged(f"'{name}' holds {kind}, not numbers", way=LEAVE)
        return np.dtype(self._innermost(name).to_pandas_dtype())

    def _innermost(self, name: str) -> Any:
        kind = self._described[0][name]
        for _ in range(DEEPEST):
            kind = getattr(kind, "storage_type", kind)
            kind = getattr(kind, "value_type", kind)
        return kind

    def kind(self, name: str) -> str | None:
        """What a column holds that are no numbers, if so."""
        kind = self._innermost(name)
        return None if str(kind) in NUMBERS else told(kind)

    def _numbers(self, name: str, groups: Sequence[int], table: Any = None) -> NDArray[Any]:
        """Some row groups of a column; `table` is what was read of them, if it was."""
        if kind := self.kind(name):
            raise self.damaged(f"'{name}' holds {kind}, not numbers", way=LEAVE)
        table = self._read([name], groups) if table is None else table
        with self._told():
            return self._unfolded(name, table.column(name).combine_chunks())

    def _unfolded(self, name: str, values: Any) -> NDArray[Any]:
        shape = [len(values)]
        while True:
            values = getattr(values, "storage", values)
            if values.null_count:
                raise self.damaged(f"'{name}' has {values.null_count} empty cells", way=LEAVE)
            if not hasattr(values, "flatten") or not hasattr(values.type, "value_type"):
                break
            inner = values.flatten()
            width, rest = divmod(len(inner), max(len(values), 1))
            if rest or np.any(np.asarray(values.value_lengths()) != width):
                raise self.damaged(f"'{name}' has rows of different lengths", way=LEAVE)
            shape.append(width)
            values = inner
        return values.to_numpy(zero_copy_only=False).reshape(shape)

    def damaged(self, why: str, episode: int | None = None, way: str | None = None) -> DataError:
        way = self._again if way is None else way
        of = "" if episode is None else f" of episode {episode}"
        what = f"{self.file}{of} cannot be used: {why}. {way}".rstrip()
        return DataError(what, episode=episode, file=self.file)

    @contextmanager
    def _told(self) -> Iterator[Any]:
        """pyarrow.parquet; whatever it says of damage is told with the file's name."""
        parquet = library("pyarrow.parquet")
        try:
            yield parquet
        except DataError:
            raise
        except Exception as error:  # a damaged file can raise nearly anything
            raise self.damaged(told(error)) from error
