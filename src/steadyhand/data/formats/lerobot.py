"""LeRobotDataset v2.0, v2.1 and v3.0: a folder with meta/info.json, parquet files and video.

Published sets differ from the description in small ways: other placeholders in their paths, all
files in one chunk, columns left out, features that are declared and were never uploaded. What can
be understood is read; `left_out` says what there is no file for.
"""

import json
from collections import Counter
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from steadyhand.data.episodes import Episodes
from steadyhand.data.files import Sum, is_damaged
from steadyhand.data.footage import Clip, Footage
from steadyhand.data.formats.lerobot_index import IndexedEpisode, index_v2, index_v3
from steadyhand.data.formats.parquet import Images, Table
from steadyhand.data.lazy import LazyArray, Parts
from steadyhand.errors import DataError

NAME = "lerobot"
LOOKS_LIKE = "a folder with meta/info.json"
COUNTED = ("index", "episode_index", "frame_index")
"""Columns that only count; they follow from the rest, and are written anew."""
SINGLE = ("timestamp", "task_index")
"""Columns with one number a step whose shape is said to be [1]."""


def matches(path: Path) -> bool:
    return (path / "meta" / "info.json").is_file()


def read(path: Path, skip: frozenset[int] = frozenset()) -> Episodes:
    """The set without the episodes of the numbers `skip`.

    Raises `DataError` where files that the index speaks of are missing or contradict it.
    """
    note = path / "meta" / "steadyhand.json"
    own = _json(note) if note.exists() else {}
    sums: dict[str, Sum] = own.get("files", {})
    for name in sums:
        if name.startswith("meta/") and is_damaged(path / name, sums[name]):
            raise DataError(
                f"{path / name} is not what was written. Copy it again; if it was changed on "
                f"purpose, delete {note}."
            )
    info = _json(path / "meta" / "info.json")
    version = str(info.get("codebase_version", ""))
    features, rate = info.get("features"), info.get("fps")
    if not isinstance(features, dict) or not isinstance(rate, int | float) or not rate > 0:
        raise DataError(f"{path}/meta/info.json lacks features or fps. Copy it again.")
    cameras = [key for key, value in features.items() if value.get("dtype") == "video"]
    if version.startswith("v2."):
        found, tasks = index_v2(path, info, cameras)
    elif version.startswith("v3."):
        found, tasks = index_v3(path, info, cameras)
    else:
        raise DataError(
            f"{path} is a LeRobotDataset '{version}', which is not read here: v2.0, v2.1 and v3.0 "
            "are. LeRobot converts older ones."
        )
    for key in ("total_episodes", "total_frames"):
        here = len(found) if key == "total_episodes" else sum(e.steps for e in found)
        if isinstance(info.get(key), int) and info[key] != here:
            raise DataError(
                f"{path}: meta/info.json counts {info[key]} as {key}, its episodes make {here}. "
                "A part of meta/ is missing or from another version of the set; copy it again."
            )
    shared = _shared(found) | {path / name for name in own.get("shared", ())}
    found = [episode for episode in found if episode.number not in skip]
    if not found:
        raise DataError(f"{path} has no episode that could be read.")
    tables = _tables(found, path, sums)
    single = {*SINGLE, *own.get("single", ())}
    arrays: dict[str, LazyArray] = {}
    left_out: dict[str, str] = {}
    for key, feature in features.items():
        if key in COUNTED or key in own.get("added", ()):
            continue
        if str(feature.get("dtype")) == "video":
            made = _footage(path, key, feature, found, float(rate), sums, shared)
        else:
            made = _feature(path, key, feature, found, tables, single)
        if isinstance(made, str):
            left_out[key] = made
        else:
            arrays[key] = made
    for key in tables[found[0].table].columns:
        if key not in features:
            left_out[key] = "it is not declared in meta/info.json"
    return Episodes(
        arrays,
        np.cumsum([episode.steps for episode in found]),
        float(rate),
        path,
        format=NAME,
        version=version,
        names={
            key: words
            for key in arrays
            if len(words := _words(features[key].get("names"))) == (*arrays[key].shape, 0)[1]
            and len(arrays[key].shape) == 2
        },
        rate_assumed=bool(own.get("rate_assumed", False)),
        numbers=tuple(episode.number for episode in found),
        tasks=tasks if any(tasks) else (),
        left_out=left_out,
    )


def _tables(found: Sequence[IndexedEpisode], path: Path, sums: dict[str, Sum]) -> dict[Path, Table]:
    """The tables, each with as many rows as its episodes have steps."""
    tables = {
        file: Table(file, sums.get(file.relative_to(path).as_posix()))
        for file in dict.fromkeys(e.table for e in found)
    }
    for episode in found:
        table = tables[episode.table]
        try:
            rows, ends = table.length, episode.first + episode.steps
        except DataError as error:
            raise DataError(str(error), episode=episode.number, file=error.file) from error
        if rows < ends or (episode.whole and rows != ends):
            raise table.damaged(
                f"it has {rows - episode.first} rows for {episode.steps} steps", episode.number
            )
    return tables


def _feature(
    path: Path,
    key: str,
    feature: dict[str, Any],
    found: Sequence[IndexedEpisode],
    tables: dict[Path, Table],
    single: Container[str],
) -> LazyArray | str:
    """The array of one feature, or why there is none."""
    kind, shape = str(feature.get("dtype")), _shape(path, key, feature)
    missing = [e for e in found if key not in tables[e.table].columns]
    if len(missing) == len(found):
        return "no file has it, though meta/info.json declares it"
    if missing:
        most_have_it = 2 * len(missing) <= len(found)
        odd = missing[0] if most_have_it else next(e for e in found if e not in missing)
        what = "no" if most_have_it else "a"
        other = "other episodes have" if most_have_it else "most others have not"
        raise DataError(
            f"{odd.table} of episode {odd.number} has {what} column '{key}', which {other}. Copy "
            "it again, or leave the episode out: --skip-broken-episodes.",
            episode=odd.number,
            file=odd.table,
        )
    if kind == "string":
        return "it is text"
    shape = () if key in single and shape == (1,) else shape
    if kind == "image":
        height, width, channels = _picture_shape(feature, shape)
        return Images(
            [(tables[e.table], e.first, e.steps, e.number) for e in found],
            key,
            (height, width, channels),
            root=path,
        )
    return Parts([tables[e.table].rows(key, shape, e.first, e.steps, e.number) for e in found])


def _shape(path: Path, key: str, feature: dict[str, Any]) -> tuple[int, ...]:
    shape = feature.get("shape") or ()
    if not isinstance(shape, list) or not all(isinstance(s, int) and s >= 0 for s in shape):
        raise DataError(f"{path}/meta/info.json: '{key}' has shape {shape}. Copy it again.")
    return tuple(shape)


def _shared(found: Sequence[IndexedEpisode]) -> set[Path]:
    """The videos that several episodes are in, whether or not they are read."""
    users = Counter(file for episode in found for file, _ in episode.videos.values())
    return {file for file, count in users.items() if count > 1}


def _footage(
    path: Path,
    key: str,
    feature: dict[str, Any],
    found: Sequence[IndexedEpisode],
    rate: float,
    sums: dict[str, Sum],
    shared: Container[Path],
) -> Footage | str:
    files = [e.videos.get(key, (None, 0.0)) for e in found]
    there = [file is not None and file.exists() for file, _ in files]
    if not any(there):
        return "there is no video file of it, though meta/info.json declares it"
    if not all(there):
        place = there.index(False)
        file, number = files[place][0], found[place].number
        raise DataError(
            f"The video {file or f'of {key}'} of episode {number} is not there, and others of "
            f"'{key}' are. Copy it again, or leave the episode out: --skip-broken-episodes.",
            episode=number,
            file=file,
        )
    height, width, _ = _picture_shape(feature, _shape(path, key, feature))
    return Footage(
        [
            Clip(
                file,
                start,
                e.steps,
                height,
                width,
                rate,
                e.number,
                whole=file not in shared,
                expected=sums.get(file.relative_to(path).as_posix()),
            )
            for (file, start), e in zip(files, found, strict=True)
            if file is not None
        ]
    )


def _picture_shape(feature: dict[str, Any], shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(height, width, channels); some sets say (channels, height, width)."""
    if len(shape) != 3:
        raise DataError(f"meta/info.json: a picture has the shape {shape}, not three numbers.")
    names = _words(feature.get("names"))
    if names[:1] in (("channel",), ("channels",), ("c",)) or (
        shape[0] in (1, 3) and shape[2] not in (1, 3)
    ):
        return shape[1], shape[2], shape[0]
    return shape[0], shape[1], shape[2]


def _words(names: Any) -> tuple[str, ...]:
    """The names of a feature's numbers, out of the ways in which they are written down."""
    if isinstance(names, dict):
        names = [word for words in names.values() for word in (words or [])]
    if isinstance(names, list) and len(names) == 1 and isinstance(names[0], list):
        names = names[0]
    return tuple(str(word) for word in names) if isinstance(names, list) else ()


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read ({error}). Copy it again.", file=file) from error
    if not isinstance(content, dict):
        raise DataError(f"{file} holds no object. Copy it again.", file=file)
    return content
