"""LeRobotDataset v2.0, v2.1 and v3.0: a folder with meta/info.json, parquet files and video.

Published sets differ from the description in small ways: other placeholders in their paths, all
files in one chunk, columns left out, features that are declared and were never uploaded. What can
be understood is read; `left_out` says what there is no file for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from steadyhand.data.episodes import Episodes
from steadyhand.data.files import LEAVE, damage_of, told
from steadyhand.data.footage import Footage
from steadyhand.data.formats.format import Format
from steadyhand.data.formats.lerobot_films import Films, footage
from steadyhand.data.formats.lerobot_index import IndexedEpisode, index_v2, index_v3
from steadyhand.data.formats.lerobot_info import COUNTED, INFO, Description
from steadyhand.data.formats.lerobot_writer import write
from steadyhand.data.formats.parquet import Column, Table
from steadyhand.data.formats.picture_column import Images
from steadyhand.data.lazy import LazyArray, Parts
from steadyhand.data.meaning import declared
from steadyhand.data.problem import Problem
from steadyhand.errors import DataError

CLOCK = "timestamp"
SINGLE = (CLOCK, "task_index")
"""Columns with one number a step whose shape is said to be [1]."""


def matches(path: Path) -> bool:
    return (path / INFO).is_file()


def read(path: Path, skip: frozenset[int] = frozenset()) -> Episodes:
    """The set without the episodes of the numbers `skip`.

    Raises `DataError` where files that the index speaks of are missing or contradict it.
    """
    said = Description(path)
    cameras = [key for key, value in said.features.items() if value["dtype"] == "video"]
    old = said.version.startswith("v2.")
    indexed, tasks = index_v2(path, cameras) if old else index_v3(path, said.info, cameras)
    shared = {path / name for name in said.noted("shared")}
    films = {key: Films(key, indexed, shared) for key in cameras}
    found = _wanted(path, said.info, indexed, skip)
    content = _Content(path, said, found, films)
    made = {
        key: declared(key, feature) or content.array(key)
        for key, feature in said.features.items()
        if key not in (*COUNTED, *said.noted("added"))
    }
    arrays = {key: array for key, array in made.items() if not isinstance(array, str)}
    left_out = {key: why for key, why in made.items() if isinstance(why, str)}
    undeclared = [key for key in content.tables[found[0].table].columns if key not in said.features]
    left_out |= dict.fromkeys(map(told, undeclared), "it is not declared in meta/info.json")
    flat = {key: array.shape[1] for key, array in arrays.items() if len(array.shape) == 2}
    return Episodes(
        arrays,
        np.cumsum([episode.steps for episode in found]),
        said.rate_hz,
        path,
        version=said.version,
        names={key: words for key in flat if len(words := said.words(key)) == flat[key]},
        rate_assumed=said.rate_assumed,
        numbers=tuple(episode.number for episode in found),
        tasks=tasks if any(tasks) else (),
        left_out=left_out,
        remarks=tuple(remark for key in made for remark in _remarks(key, made[key])),
    )


def _remarks(key: str, array: LazyArray | str) -> list[Problem]:
    return array.remarks(key) if isinstance(array, Footage) else []


def _wanted(
    path: Path, info: dict[str, Any], indexed: list[IndexedEpisode], skip: frozenset[int]
) -> list[IndexedEpisode]:
    """The episodes that are read, of a whole index."""
    counted = {"total_episodes": len(indexed), "total_frames": sum(e.steps for e in indexed)}
    for key, here in counted.items():
        if isinstance(info.get(key), int) and info[key] != here:
            raise DataError(
                f"{path}: meta/info.json counts {info[key]} as {key}, its episodes make {here}. "
                "A part of meta/ is missing or from another version of the set; copy it again."
            )
    found = [episode for episode in indexed if episode.number not in skip]
    if not found:
        raise DataError(f"{path} has no episode that could be read.")
    if empty := [episode.number for episode in found if not episode.steps]:
        what = f"{path}: episode {empty[0]} has no steps, says its index in meta/."
        raise DataError(f"{what} {LEAVE}", episode=empty[0])
    return found


@dataclass(frozen=True)
class _Content:
    """What the files of some episodes hold, by feature."""

    path: Path
    said: Description
    episodes: Sequence[IndexedEpisode]
    films: Mapping[str, Films]
    """By camera."""

    @cached_property
    def tables(self) -> dict[Path, Table]:
        """Each with as many rows as its episodes have steps."""
        files = dict.fromkeys(episode.table for episode in self.episodes)
        tables = {file: Table(file, self.said.sum_of(file)) for file in files}
        for episode in self.episodes:
            table, end = tables[episode.table], episode.first + episode.steps
            with damage_of(episode.number):
                if table.length < end or (episode.whole and table.length != end):
                    rows = table.length - episode.first
                    why = f"it has {rows} rows for {episode.steps} steps"
                    raise table.damaged(why, episode.number)
        return tables

    def array(self, key: str) -> LazyArray | str:
        """The array of one feature, or why there is none."""
        kind = self.said.features[key]["dtype"]
        if kind == "video":
            return footage(key, self.said, self.films[key], self.episodes, self._clock)
        shape = self.said.shape(key)
        missing = [e for e in self.episodes if key not in self.tables[e.table].columns]
        if len(missing) == len(self.episodes):
            return "no file has it, though meta/info.json declares it"
        if missing:
            raise self._unlike(key, missing)
        if kind == "string":
            return "it is text"
        tables = [(self.tables[e.table], e.first, e.steps, e.number) for e in self.episodes]
        if kind == "image":
            return Images(tables, key, self.said.picture_shape(key), root=self.path)
        held = {table.kind(key) for table, *_ in tables}
        if None not in held:
            return f"it holds {held.pop()}, not numbers"
        shape = () if shape == (1,) and key in (*SINGLE, *self.said.noted("single")) else shape
        return Parts([Column(table, key, shape, *span) for table, *span in tables])

    def _unlike(self, key: str, missing: Sequence[IndexedEpisode]) -> DataError:
        """What to say of the episodes that have, or lack, a column where most do not."""
        if 2 * len(missing) <= len(self.episodes):
            odd, what, others = missing[0], "no", "other episodes have"
        else:
            odd = next(e for e in self.episodes if e not in missing)
            what, others = "a", "most others have not"
        said = f"{odd.table} of episode {odd.number} has {what} column '{key}', which {others}."
        return DataError(f"{said} {LEAVE}", episode=odd.number, file=odd.table)

    def _clock(self, episode: IndexedEpisode) -> LazyArray | None:
        table = self.tables[episode.table]
        if CLOCK not in table.columns or table.kind(CLOCK):
            return None
        return Column(table, CLOCK, (), episode.first, episode.steps, episode.number)


FORMAT = Format(
    name="lerobot",
    looks_like="a folder with meta/info.json",
    matches=matches,
    read=read,
    write=write,
    ending="lerobot",
    needs=("pyarrow",),
    reserved=COUNTED,
    paths=False,  # LeRobot refuses those
)
