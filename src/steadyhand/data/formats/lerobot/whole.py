"""Whether the index of a LeRobotDataset is all of it: its counts, its files, episodes of no steps.

Counts that were not mended, where all files agree with the index, are said and passed over.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from steadyhand.data.formats.empty import without_empty
from steadyhand.data.formats.lerobot.index import IndexedEpisode, files_in
from steadyhand.data.formats.parquet import Table
from steadyhand.data.problem import Problem
from steadyhand.errors import DataError

SHOWN = 3


def without_steps(
    indexed: Sequence[IndexedEpisode],
) -> tuple[list[IndexedEpisode], tuple[Problem, ...]]:
    """The episodes that have steps, and what is to be said of the others."""
    ends = np.cumsum([episode.steps for episode in indexed])
    numbers = tuple(episode.number for episode in indexed)
    remarks = without_empty(ends, numbers)[2]
    return [episode for episode in indexed if episode.steps], remarks


def counts(
    path: Path,
    info: Mapping[str, Any],
    indexed: Sequence[IndexedEpisode],
    tables: Mapping[Path, Table],
) -> list[Problem]:
    """What is to be said of counts that are not those of the index, and of files besides.

    Raises `DataError` where the files are not those of the index either: a part of it is missing.
    """
    here = {"total_episodes": len(indexed), "total_frames": sum(e.steps for e in indexed)}
    stale = [key for key in here if type(info.get(key)) is int and info[key] != here[key]]
    meant = {episode.table for episode in indexed}
    files = sorted(name for name in files_in(path, "data") if name.endswith(".parquet"))
    besides = [name for name in files if path / name not in meant]
    if stale:
        said = f"{path}: meta/info.json counts {info[stale[0]]} as {stale[0]}, its episodes make "
        said += f"{here[stale[0]]}."
        if besides or not _are_full(indexed, tables):
            raise DataError(
                f"{said} A part of meta/ is missing or from another version of the set; copy it "
                "again."
            )
        return [Problem("count", f"{said} Its files are those of its episodes: all are read.")]
    if besides:
        names = ", ".join(besides[:SHOWN]) + ", …" * (len(besides) > SHOWN)
        what = f"{path} has {len(besides)} files that no episode of its index is in: {names}"
        return [Problem("surplus", f"{what}. They are not read.")]
    return []


def placed(indexed: Sequence[IndexedEpisode], tables: Mapping[Path, Table]) -> list[Problem]:
    """Put episodes where their rows are, in tables that begin with another row than the index says.

    So it is where episodes before them were taken out of the index, and not out of the table.
    Raises `DataError` where they are not to be found.
    """
    users: dict[Path, list[IndexedEpisode]] = {}
    for episode in indexed:
        if episode.row is not None and episode.table in tables:
            users.setdefault(episode.table, []).append(episode)
    remarks = []
    for file, listed in users.items():
        begins = _begins(tables[file])
        if begins is None or begins == min(episode.row or 0 for episode in listed):
            continue
        numbers = tables[file].numbers("episode_index").reshape(-1)
        for episode in listed:
            rows = np.flatnonzero(numbers == episode.number)
            if len(rows) != episode.steps or rows[-1] - rows[0] + 1 != len(rows):
                why = f"it has {len(rows)} rows of that number, its index says {episode.steps}"
                raise tables[file].damaged(why, episode.number)
            episode.first, episode.whole = int(rows[0]), len(rows) == len(numbers)
        said = f"{file} begins with row {begins}, and its index with another one"
        told = f"{said}: episodes are read where their numbers are."
        remarks.append(Problem("rows", told, listed[0].number, str(file)))
    return remarks


def _begins(table: Table) -> int | None:
    """The number in the whole set of the first row of a table, where the table says."""
    if not {"index", "episode_index"} <= {*table.columns} or not table.length:
        return None
    first = table.first("index")
    return first if type(first) is int and table.kind("episode_index") is None else None


def _are_full(indexed: Sequence[IndexedEpisode], tables: Mapping[Path, Table]) -> bool:
    """Whether tables of several episodes have no rows besides theirs."""
    rows: dict[Path, int] = {}
    for episode in indexed:
        if not episode.whole:
            rows[episode.table] = rows.get(episode.table, 0) + episode.steps
    return all(tables[file].length == steps for file, steps in rows.items() if file in tables)
