"""Tables: parquet, and CSV with or without a header. Columns of numbers, of words, of pictures."""

import csv
import io
import re
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.files import told
from steadyhand.data.formats.limits import require_few, require_name
from steadyhand.data.formats.parquet import Table
from steadyhand.data.mapping.encoded import STILLS, Encoded, Stills
from steadyhand.data.mapping.tree import Tree
from steadyhand.disk import regular
from steadyhand.errors import DataError, SteadyhandError, library

LARGEST = 1 << 30
"""Bytes of a CSV file, which is read as a whole."""
AGAIN = "Copy it again."


def parquet_tree(path: Path) -> Tree:
    """Raises `DataError` where the file is damaged."""
    table = Table(path, again=AGAIN)
    arrays: dict[str, Any] = {}
    words, refused = {}, {}
    for name in table.columns:
        try:
            require_name(name)
            kind = table.kind(name)
            if kind is None:
                arrays[name] = Column(table, name)
            elif kind.startswith("struct<bytes: binary"):
                arrays[name] = Encoded(Cells(table, name), path)
            elif "string" in kind:
                words[name] = partial(_listed, table, name)
            else:
                refused[name] = f"it holds {kind}"
        except (ValueError, DataError) as error:
            refused[name] = str(error)
    return Tree(path=path, kind="parquet", arrays=arrays, words=words, refused=refused)


def _listed(table: Table, name: str) -> list[str]:
    return ["" if row[name] is None else str(row[name]) for row in table.records([name])]


class Column:
    """A column of numbers, or of lists of numbers: (rows, …), read when it is asked for."""

    def __init__(self, table: Table, name: str) -> None:
        self._table, self._name = table, name

    @cached_property
    def _values(self) -> NDArray[Any]:
        return self._table.numbers(self._name)

    @property
    def shape(self) -> tuple[int, ...]:
        return self._values.shape

    @property
    def dtype(self) -> Any:
        return self._values.dtype

    def __getitem__(self, key: Any, /) -> Any:
        return self._values[key]


class Cells:
    """A column of `{bytes, path}`, of which the bytes are given."""

    def __init__(self, table: Table, name: str) -> None:
        self._table, self._name, self.shape = table, name, (table.length,)
        self._held: tuple[range, Any] = (range(0), None)

    def __getitem__(self, step: int, /) -> NDArray[np.uint8]:
        if step not in self._held[0]:
            self._held = self._table.cells(self._name, step)
        rows, cells = self._held
        found = cells[step - rows.start].as_py()
        return np.frombuffer((found or {}).get("bytes") or b"", np.uint8)


def csv_tree(path: Path) -> Tree:
    """Raises `DataError` for what is no table of one width."""
    try:
        size = regular(path)
        if size > LARGEST:
            raise ValueError(f"it has {size} bytes, more than the {LARGEST} that are read")
        with path.open("rb") as file:
            head = file.read(1 << 16)
        between = _delimiter(head, path.suffix.lower())
        names, skipped = _header(head, between)
        parsed = library("pyarrow.csv")
        table = parsed.read_csv(
            path,
            read_options=parsed.ReadOptions(column_names=names, skip_rows=skipped),
            parse_options=parsed.ParseOptions(delimiter=between),
            convert_options=parsed.ConvertOptions(
                strings_can_be_null=True, decimal_point=_point(head, between)
            ),
        )
        arrays, words, refused = _columns(names, table)
        for name, texts in list(words.items()):
            if (pictures := _named_pictures(path.parent, texts())) is not None:
                arrays[name] = pictures
                del words[name]
    except SteadyhandError:
        raise
    except Exception as error:  # a damaged file can raise nearly anything
        what = f"{path} is no table that can be read ({told(error)})."
        raise DataError(f"{what} It needs a header and rows of one width.", file=path) from error
    return Tree(path=path, kind="CSV", arrays=arrays, words=words, refused=refused)


def _delimiter(head: bytes, ending: str) -> str:
    first = next((line for line in head.splitlines() if line.strip()), b"")
    counts = {mark: first.count(mark.encode()) for mark in (",", ";", "\t")}
    counts |= {} if any(counts.values()) else {" ": 1}
    return "\t" if ending == ".tsv" else max(counts, key=lambda mark: counts[mark])


def _point(head: bytes, between: str) -> str:
    """A comma where numbers are written with one, between semicolons or tabs."""
    return "," if between in (";", "\t") and re.search(rb"[0-9],[0-9]", head) else "."


def _header(head: bytes, between: str) -> tuple[list[str], int]:
    """(names of the columns, lines before the first row); `c0, c1, …` where a file has none."""
    lines = head.decode("utf-8-sig", errors="replace").splitlines()
    skipped = 0
    while skipped < len(lines) - 1 and (
        not lines[skipped].strip() or _is_comment(lines[skipped], lines[skipped + 1], between)
    ):
        skipped += 1
    first = lines[skipped].lstrip("# ") if skipped < len(lines) else ""
    names = [name.strip() for name in next(csv.reader(io.StringIO(first), delimiter=between), [])]
    require_few(len(names))
    if all(map(_is_number, names)):
        return [f"c{i}" for i in range(len(names))], skipped
    names = [name or f"c{i}" for i, name in enumerate(names)]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"two of its columns are named '{twice[:40]}'")
    for name in names:
        require_name(name.replace("[", "").replace("]", ""))
    return names, skipped + 1


def _is_comment(line: str, following: str, between: str) -> bool:
    """Whether a line is a remark: after it comes another one, or a header of more columns."""
    return line.startswith("#") and line.count(between) < following.count(between)


def _is_number(text: str) -> bool:
    try:
        return text == "" or bool(float(text) or True)
    except ValueError:
        return False


def _columns(names: list[str], table: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, str]]:
    """(numbers, words, what is neither and why) by column."""
    arrays: dict[str, Any] = {}
    words: dict[str, Any] = {}
    refused: dict[str, str] = {}
    for name in names:
        column = table.column(name).combine_chunks()
        if str(column.type).startswith("timestamp"):  # seconds since 1970
            whole = column.cast(library("pyarrow").timestamp("us", column.type.tz)).cast("int64")
            column = library("pyarrow.compute").divide(whole.cast("double"), 1e6)
        kind = str(column.type)
        if kind in ("string", "large_string"):
            words[name] = partial(_texts, column)
        elif kind not in ("int64", "double", "bool"):
            refused[name] = "it is empty" if kind == "null" else f"it holds {kind}"
        else:
            values = column.cast("double") if column.null_count and kind != "bool" else column
            if kind == "bool" and column.null_count:
                refused[name] = f"it has {column.null_count} empty cells"
            else:  # an empty cell becomes one that is no number, which is told with its row
                arrays[name] = values.to_numpy(zero_copy_only=False)
    return arrays, words, refused


def _named_pictures(folder: Path, names: list[str]) -> Stills | None:
    """The pictures of a column that names a file in each row, as far as the first is there."""
    if not names or not all(name.lower().endswith(STILLS) for name in names):
        return None
    try:
        return Stills(folder, names)
    except DataError:  # they are words then, and told as such
        return None


def _texts(column: Any) -> list[str]:
    return ["" if text is None else text for text in column.to_pylist()]
