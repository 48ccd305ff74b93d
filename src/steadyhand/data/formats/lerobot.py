"""LeRobotDataset v2.0, v2.1 and v3.0: a folder with meta/info.json, parquet files and video.

Published sets differ from the description in small ways: other placeholders in their paths, all
files in one chunk, columns left out, features that are declared and were never uploaded. What can
be understood is read; `left_out` says what there is no file for.
"""

import os
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from steadyhand.data.episodes import Episodes
from steadyhand.data.files import AGAIN, LEAVE, Sum, damage_of, require_whole, told
from steadyhand.data.footage import Clip, Footage
from steadyhand.data.formats.format import Format
from steadyhand.data.formats.lerobot_index import IndexedEpisode, index_v2, index_v3, within
from steadyhand.data.formats.lerobot_info import (
    COUNTED,
    INFO,
    NOTE,
    features_of,
    picture_shape_of,
    rate_of,
    read_info,
    shape_of,
    strings_of,
    sums_of,
    version_of,
    words_of,
)
from steadyhand.data.formats.lerobot_writer import write
from steadyhand.data.formats.parquet import Column, Table
from steadyhand.data.formats.picture_column import Images
from steadyhand.data.lazy import LazyArray, Parts
from steadyhand.data.meaning import declared
from steadyhand.errors import DataError

SINGLE = ("timestamp", "task_index")
"""Columns with one number a step whose shape is said to be [1]."""


def matches(path: Path) -> bool:
    return (path / INFO).is_file()


def read(path: Path, skip: frozenset[int] = frozenset()) -> Episodes:
    """The set without the episodes of the numbers `skip`.

    Raises `DataError` where files that the index speaks of are missing or contradict it.
    """
    own = read_info(path, NOTE) if (path / NOTE).exists() else {}
    sums = sums_of(path, own)
    for name in sums:
        if name.startswith("meta/"):
            way = f"Copy it again; if it was changed on purpose, delete {path / NOTE}."
            require_whole(f"{path / name}", within(path, name), sums[name], None, way)
    info = read_info(path, INFO)
    features, rate, version = features_of(path, info), rate_of(path, info), version_of(path, info)
    cameras = [key for key, value in features.items() if value["dtype"] == "video"]
    old = version.startswith("v2.")
    indexed, tasks = index_v2(path, cameras) if old else index_v3(path, info, cameras)
    users = Counter(file for episode in indexed for file, _ in episode.videos.values())
    shared = {file for file, count in users.items() if count > 1}
    shared |= {path / name for name in strings_of(own, "shared")}
    found = _wanted(path, info, indexed, skip)
    content = _Content(path, features, rate, found, sums, shared, strings_of(own, "single"))
    made = {
        key: declared(key, feature) or content.array(key)
        for key, feature in features.items()
        if key not in (*COUNTED, *strings_of(own, "added"))
    }
    arrays = {key: array for key, array in made.items() if not isinstance(array, str)}
    left_out = {key: why for key, why in made.items() if isinstance(why, str)}
    for key in content.tables[found[0].table].columns:
        if key not in features:
            left_out[told(key)] = "it is not declared in meta/info.json"
    flat = {key: array.shape[1] for key, array in arrays.items() if len(array.shape) == 2}
    named = {key: words_of(features[key]) for key in flat}
    return Episodes(
        arrays,
        np.cumsum([episode.steps for episode in found]),
        rate,
        path,
        format=FORMAT.name,
        version=version,
        names={key: words for key, words in named.items() if len(words) == flat[key]},
        rate_assumed=own.get("rate_assumed") is True,
        numbers=tuple(episode.number for episode in found),
        tasks=tasks if any(tasks) else (),
        left_out=left_out,
    )


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
    features: Mapping[str, dict[str, Any]]
    rate_hz: float
    episodes: Sequence[IndexedEpisode]
    sums: Mapping[str, Sum]
    shared: Container[Path]
    """Videos in which there is more than one episode."""
    single: Sequence[str]
    """Features that are a number, and no list of one."""

    @cached_property
    def tables(self) -> dict[Path, Table]:
        """Each with as many rows as its episodes have steps."""
        tables = {
            file: Table(file, self.sums.get(file.relative_to(self.path).as_posix()))
            for file in dict.fromkeys(e.table for e in self.episodes)
        }
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
        kind = self.features[key]["dtype"]
        if kind == "video":
            return self._footage(key)
        shape = shape_of(self.path, key, self.features[key])
        missing = [e for e in self.episodes if key not in self.tables[e.table].columns]
        if len(missing) == len(self.episodes):
            return "no file has it, though meta/info.json declares it"
        if missing:
            raise self._unlike(key, missing)
        if kind == "string":
            return "it is text"
        tables = [(self.tables[e.table], e.first, e.steps, e.number) for e in self.episodes]
        if kind == "image":
            size = picture_shape_of(self.path, key, self.features[key])
            return Images(tables, key, size, root=self.path)
        held = {table.kind(key) for table, *_ in tables}
        if None not in held:
            return f"it holds {held.pop()}, not numbers"
        shape = () if key in (*SINGLE, *self.single) and shape == (1,) else shape
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

    def _footage(self, key: str) -> Footage | str:
        there, clips = [e for e in self.episodes if os.path.exists(e.videos.get(key, ("",))[0])], []
        if not there:
            return "there is no video file of it, though meta/info.json declares it"
        height, width, _ = picture_shape_of(self.path, key, self.features[key])
        for episode in self.episodes:
            file, start = episode.videos.get(key, (None, 0.0))
            if file is None or not os.path.exists(file):
                raise DataError(
                    f"The video {file or f'of {key}'} of episode {episode.number} is not there, "
                    f"and others of '{key}' are. {AGAIN}",
                    episode=episode.number,
                    file=file,
                )
            clips.append(
                Clip(
                    file,
                    start,
                    episode.steps,
                    height,
                    width,
                    self.rate_hz,
                    episode.number,
                    whole=file not in self.shared,
                    expected=self.sums.get(file.relative_to(self.path).as_posix()),
                )
            )
        return Footage(clips)


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
