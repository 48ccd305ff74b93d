"""LeRobotDataset v2.0, v2.1 and v3.0: a folder with meta/info.json, parquet files and video.

Published sets differ from the description in small ways: other placeholders in their paths, all
files in one chunk, columns left out, features that are declared and were never uploaded. What can
be understood is read; `left_out` says what there is no file for.
"""

from pathlib import Path

import numpy as np

from steadyhand.data.episodes import Episodes
from steadyhand.data.formats.format import Format
from steadyhand.data.formats.lerobot.content import Content, remarks_of
from steadyhand.data.formats.lerobot.films import Films
from steadyhand.data.formats.lerobot.index import index_v2, index_v3
from steadyhand.data.formats.lerobot.info import COUNTED, INFO, Description
from steadyhand.data.formats.lerobot.marks import with_marks
from steadyhand.data.formats.lerobot.whole import counts, placed, without_steps
from steadyhand.data.formats.lerobot.words import COUNTER, words_of
from steadyhand.data.formats.lerobot.writer import write
from steadyhand.data.kinds.described import with_depth
from steadyhand.errors import DataError


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
    filled, remarks = without_steps(indexed)
    found = [episode for episode in filled if episode.number not in skip]
    if not found:
        why = "has no episode that could be read" if filled else "has only episodes of no steps"
        raise DataError(f"{path} {why}.")
    content = Content(path, said, found, films)
    if content.all_looked_at:
        remarks += tuple(placed(found, content.tables))
    remarks += tuple(counts(path, said.info, indexed, content.tables))
    made = {
        key: content.array(key)
        for key in said.features
        if key not in (*COUNTED, *said.noted("added"))
    }
    arrays = {
        key: with_depth(array, said.features[key], key)
        for key, array in made.items()
        if not isinstance(array, str)
    }
    left_out = {key: why for key, why in made.items() if isinstance(why, str)} | said.unsaid
    left_out |= dict.fromkeys(content.undeclared, "it is not declared in meta/info.json")
    counted = COUNTER in {*arrays, *said.noted("added")}
    words = words_of(content, tasks, counted=counted)
    if words.counter is not None:
        arrays[COUNTER] = words.counter
    left_out = {k: v for k, v in left_out.items() if k not in arrays and k != words.column}
    flat = {key: array.shape[1] for key, array in arrays.items() if len(array.shape) == 2}
    episodes = Episodes(
        arrays,
        np.cumsum([episode.steps for episode in found]),
        said.rate_hz,
        path,
        version=said.version,
        names={key: called for key in flat if len(called := said.words(key)) == flat[key]},
        rate_assumed=said.rate_assumed,
        numbers=tuple(episode.number for episode in found),
        tasks=words.tasks,
        left_out=left_out,
        remarks=(*remarks, *content.remarks, *remarks_of(made), *words.remarks),
    )
    return with_marks(episodes, said, content, indexed)


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
