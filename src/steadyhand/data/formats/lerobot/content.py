"""What the files of some episodes of a LeRobotDataset hold, by feature.

Where there are thousands of tables, some of them are looked at when the set is opened; the others
are held against these when they are read.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from pathlib import Path

import numpy as np

from steadyhand.data.files import LEAVE, damage_of, told
from steadyhand.data.formats.lerobot.films import Films, footage, of_size, shown_size
from steadyhand.data.formats.lerobot.index import IndexedEpisode
from steadyhand.data.formats.lerobot.info import Description
from steadyhand.data.formats.parquet import Table
from steadyhand.data.formats.parquet_column import Column
from steadyhand.data.formats.picture_column import Images
from steadyhand.data.lazy import LazyArray, Parts
from steadyhand.data.pictures.footage import Footage
from steadyhand.data.problem import Problem
from steadyhand.errors import DataError

PICTURES = ("image", "depth")
"""What info.json calls columns of encoded pictures."""
FEW = 8
"""Steps and tables that are looked at for how many rows there are to a step."""
ONE_SHAPE = "store as many rows in each, as points that are drawn from a cloud"
CLOCK = "timestamp"
SINGLE = (CLOCK, "task_index")
"""Columns with one number a step whose shape is said to be [1]."""
EAGER, LOOKED = 500, 50
"""Tables that are all looked at when a set is opened; of more than that, so many are."""
TEXT = ("string", "large_string")
"""What arrow calls text."""


@dataclass(frozen=True)
class Content:
    """The arrays of some episodes."""

    path: Path
    said: Description
    episodes: Sequence[IndexedEpisode]
    films: Mapping[str, Films]
    """By camera."""
    remarks: list[Problem] = field(default_factory=list)
    """What is read otherwise than declared, once it is asked for."""

    @cached_property
    def tables(self) -> dict[Path, Table]:
        files = dict.fromkeys(episode.table for episode in self.episodes)
        return {file: Table(file, self.said.sum_of(file)) for file in files}

    @property
    def all_looked_at(self) -> bool:
        return len(self.tables) <= EAGER

    @cached_property
    def looked(self) -> Sequence[IndexedEpisode]:
        """The episodes whose tables are looked at; they have as many rows as steps."""
        found = self.episodes
        if not self.all_looked_at:
            places = np.unique(np.linspace(0, len(found) - 1, LOOKED).astype(int))
            found = [found[i] for i in places]
        for episode in found:
            table, end = self.tables[episode.table], episode.first + episode.steps
            with damage_of(episode.number):
                if table.length < end or (episode.whole and table.length != end):
                    rows = table.length - episode.first
                    why = f"it has {rows} rows for {episode.steps} steps"
                    raise table.damaged(why, episode.number)
        return found

    @cached_property
    def seen(self) -> dict[Path, Table]:
        """The tables that are looked at."""
        return {episode.table: self.tables[episode.table] for episode in self.looked}

    @property
    def undeclared(self) -> list[str]:
        """Columns that meta/info.json does not speak of."""
        columns = self.tables[self.looked[0].table].columns
        known = {*self.said.features, *self.said.unsaid}
        return [told(key) for key in columns if key not in known]

    @cached_property
    def held(self) -> dict[str, str | None]:
        """What the columns hold that are no numbers, by name; None where it is numbers."""
        first = self.tables[self.looked[0].table]
        return {key: first.kind(key) for key in first.columns}

    def array(self, key: str) -> LazyArray | str:
        """The array of one feature, or why there is none."""
        kind = self.said.features[key]["dtype"]
        if kind == "video":
            film = footage(key, self.said, self.films[key], self.episodes, self.clock)
            if isinstance(film, str) or (shown := shown_size(film)) in (None, film.shape[1:3]):
                return film
            sizes = [f"{width}×{height}" for height, width in (shown, film.shape[1:3])]
            what = f"'{key}' has pictures of {sizes[0]}, where meta/info.json says {sizes[1]}"
            self.remarks.append(Problem("shape", f"{what}: they are read as they are."))
            return of_size(film, *shown)
        if self.said.varies(key):
            return f"its shape varies from step to step, says meta/info.json; {ONE_SHAPE}"
        shape = self.said.shape(key)
        lacking = {file for file, table in self.seen.items() if key not in table.columns}
        missing = [e for e in self.looked if e.table in lacking]
        if len(missing) == len(self.looked):
            return "no file has it, though meta/info.json declares it"
        if missing:
            raise self._unlike(key, missing)
        if kind in PICTURES:
            spans = [(self.tables[e.table], e.first, e.steps, e.number) for e in self.episodes]
            return Images(spans, key, self.said.picture_shape(key), root=self.path)
        held = {table.kind(key) for table in self.seen.values()}
        if None not in held:
            text = held.pop()
            return "it is text" if text in TEXT else f"it holds {text}, not numbers"
        if len(shape) > 1 and len(counts := self._rows_of(key)) > 1:
            return f"it has {min(counts)} to {max(counts)} rows at a step; {ONE_SHAPE}"
        shape = () if shape == (1,) and key in (*SINGLE, *self.said.noted("single")) else shape
        if (width := self._width(key)) not in (None, prod(shape)):
            what = f"'{key}' has {width} numbers at each step, where meta/info.json says {shape}"
            self.remarks.append(Problem("shape", f"{what}: all of them are read."))
            shape = (width,)
        return self._column(key, shape)

    def _width(self, key: str) -> int | None:
        """How many numbers a step of a flat feature has, where the first and last table agree."""
        tables, widths = list(self.seen.values()), set[int | None]()
        for table in (tables[0], tables[-1]):
            with suppress(DataError):  # what is damaged is told where it is read
                cell = table.first(key)
                flat = isinstance(cell, list) and not any(isinstance(n, list) for n in cell)
                widths.add(len(cell) if flat else None)
        return next(iter(widths)) if len(widths) == 1 else None

    def _rows_of(self, key: str) -> set[int]:
        """How many rows a step of a feature of several axes has, in a few steps of a few tables."""
        tables = list(self.seen.values())
        places = np.unique(np.linspace(0, len(tables) - 1, FEW).astype(int))
        return set[int]().union(*(tables[place].lengths(key, FEW) for place in places))

    def _column(self, key: str, shape: tuple[int, ...]) -> Parts:
        dtype = np.result_type(*{table.dtype(key) for table in self.seen.values()})
        columns = [
            Column(
                self.tables[e.table],
                key,
                shape,
                e.first,
                e.steps,
                e.number,
                dtype=dtype,
                whole=e.whole,
            )
            for e in self.episodes
        ]
        return Parts(columns)

    def _unlike(self, key: str, missing: Sequence[IndexedEpisode]) -> DataError:
        """What to say of the episodes that have, or lack, a column where most do not."""
        if 2 * len(missing) <= len(self.looked):
            odd, what, others = missing[0], "no", "other episodes have"
        else:
            odd = next(e for e in self.looked if e not in missing)
            what, others = "a", "most others have not"
        said = f"{odd.table} of episode {odd.number} has {what} column '{key}', which {others}."
        return DataError(f"{said} {LEAVE}", episode=odd.number, file=odd.table)

    def clock(self, episode: IndexedEpisode) -> LazyArray | None:
        """When each step of an episode was, where that is recorded."""
        if self.held.get(CLOCK, "") is not None:
            return None
        table = self.tables[episode.table]
        return Column(table, CLOCK, (), episode.first, episode.steps, episode.number)


def remarks_of(arrays: Mapping[str, LazyArray | str]) -> list[Problem]:
    """What is to be said of how films are read."""
    films = {key: array for key, array in arrays.items() if isinstance(array, Footage)}
    return [remark for key, film in films.items() for remark in film.remarks(key)]
