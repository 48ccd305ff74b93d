"""LeRobotDataset v2.0, v2.1 and v3.0: a folder with meta/info.json, parquet files and video.

Published sets differ from the description in small ways: other placeholders in their paths, all
files in one chunk, columns left out, features that are declared and were never uploaded. What can
be understood is read; `left_out` says what there is no file for.
"""

import math
import os
from collections import Counter
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from steadyhand.data.containers import LARGEST_PICTURE
from steadyhand.data.episodes import Episodes
from steadyhand.data.files import AGAIN, LEAVE, Sum, require_whole, told
from steadyhand.data.footage import Clip, Footage
from steadyhand.data.formats.lerobot_index import (
    IndexedEpisode,
    index_v2,
    index_v3,
    unreadable,
    within,
)
from steadyhand.data.formats.parquet import Table
from steadyhand.data.formats.picture_column import MODES, Images
from steadyhand.data.lazy import LazyArray, Parts
from steadyhand.data.meaning import declared
from steadyhand.disk import read_object
from steadyhand.errors import DataError

NAME = "lerobot"
LOOKS_LIKE = "a folder with meta/info.json"
NOTE = "meta/steadyhand.json"
"""What the writer here has to say beside the format."""
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
    own = _object(path, NOTE) if (path / NOTE).exists() else {}
    sums = _sums(path, own.get("files", {}))
    for name in sums:
        if name.startswith("meta/"):
            way = f"Copy it again; if it was changed on purpose, delete {path / NOTE}."
            require_whole(f"{path / name}", within(path, name), sums[name], None, way)
    info = _object(path, "meta/info.json")
    features, rate = _features(path, info), _rate(path, info)
    cameras = [key for key, value in features.items() if value["dtype"] == "video"]
    version = info.get("codebase_version")
    if not isinstance(version, str) or not version.startswith(("v2.", "v3.")):
        raise DataError(
            f"{path} is a LeRobotDataset {told(repr(version))}, which is not read here: v2.0, v2.1 "
            "and v3.0 are. LeRobot converts older ones."
        )
    old = version.startswith("v2.")
    found, tasks = index_v2(path, cameras) if old else index_v3(path, info, cameras)
    for key in ("total_episodes", "total_frames"):
        here = len(found) if key == "total_episodes" else sum(e.steps for e in found)
        if isinstance(info.get(key), int) and info[key] != here:
            raise DataError(
                f"{path}: meta/info.json counts {info[key]} as {key}, its episodes make {here}. "
                "A part of meta/ is missing or from another version of the set; copy it again."
            )
    shared = _shared(found) | {path / name for name in _strings(own, "shared")}
    found = [episode for episode in found if episode.number not in skip]
    if not found:
        raise DataError(f"{path} has no episode that could be read.")
    if empty := [episode.number for episode in found if not episode.steps]:
        what = f"{path}: episode {empty[0]} has no steps, says its index in meta/."
        raise DataError(f"{what} {LEAVE}", episode=empty[0])
    tables = _tables(found, path, sums)
    single = {*SINGLE, *_strings(own, "single")}
    arrays: dict[str, LazyArray] = {}
    left_out: dict[str, str] = {}
    for key, feature in features.items():
        if key in COUNTED or key in _strings(own, "added"):
            continue
        if (why := declared(key, feature)) is not None:
            made = why
        elif feature["dtype"] == "video":
            made = _footage(path, key, feature, found, rate, sums, shared)
        else:
            made = _feature(path, key, feature, found, tables, single)
        if isinstance(made, str):
            left_out[key] = made
        else:
            arrays[key] = made
    for key in tables[found[0].table].columns:
        if key not in features:
            left_out[told(key)] = "it is not declared in meta/info.json"
    return Episodes(
        arrays,
        np.cumsum([episode.steps for episode in found]),
        rate,
        path,
        format=NAME,
        version=version,
        names={
            key: words
            for key in arrays
            if len(words := _words(features[key].get("names"))) == (*arrays[key].shape, 0)[1]
            and len(arrays[key].shape) == 2
        },
        rate_assumed=own.get("rate_assumed") is True,
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
    kind, shape = feature["dtype"], _shape(path, key, feature)
    missing = [e for e in found if key not in tables[e.table].columns]
    if len(missing) == len(found):
        return "no file has it, though meta/info.json declares it"
    if missing:
        most_have_it = 2 * len(missing) <= len(found)
        odd = missing[0] if most_have_it else next(e for e in found if e not in missing)
        what = "no" if most_have_it else "a"
        other = "other episodes have" if most_have_it else "most others have not"
        raise DataError(
            f"{odd.table} of episode {odd.number} has {what} column '{key}', which {other}. "
            f"{LEAVE}",
            episode=odd.number,
            file=odd.table,
        )
    if kind == "string":
        return "it is text"
    held = {tables[e.table].kind(key) for e in found}
    if kind != "image" and None not in held:
        return f"it holds {held.pop()}, not numbers"
    shape = () if key in single and shape == (1,) else shape
    if kind == "image":
        height, width, channels = _picture_shape(path, key, feature, shape)
        return Images(
            [(tables[e.table], e.first, e.steps, e.number) for e in found],
            key,
            (height, width, channels),
            root=path,
        )
    return Parts([tables[e.table].rows(key, shape, e.first, e.steps, e.number) for e in found])


def _shape(path: Path, key: str, feature: dict[str, Any]) -> tuple[int, ...]:
    shape = feature.get("shape") or ()
    whole = isinstance(shape, list | tuple) and all(type(size) is int for size in shape)
    if not whole or len(shape) > 8 or not all(0 < size < 1 << 31 for size in shape):
        said = told(repr(shape))
        raise DataError(f"{path}/meta/info.json: '{key}' has shape {said}. Write its sizes there.")
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
    there = [file is not None and os.path.exists(file) for file, _ in files]
    if not any(there):
        return "there is no video file of it, though meta/info.json declares it"
    if not all(there):
        place = there.index(False)
        file, number = files[place][0], found[place].number
        raise DataError(
            f"The video {file or f'of {key}'} of episode {number} is not there, and others of "
            f"'{key}' are. {AGAIN}",
            episode=number,
            file=file,
        )
    height, width, _ = _picture_shape(path, key, feature, _shape(path, key, feature))
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


def _picture_shape(
    path: Path, key: str, feature: dict[str, Any], shape: tuple[int, ...]
) -> tuple[int, int, int]:
    """(height, width, channels); some sets say (channels, height, width)."""
    names = _words(feature.get("names"))
    if len(shape) == 3 and (
        names[:1] in (("channel",), ("channels",), ("c",))
        or (shape[0] in (1, 3) and shape[2] not in (1, 3))
    ):
        shape = (*shape[1:], shape[0])
    if len(shape) != 3 or shape[2] not in MODES or math.prod(shape[:2]) > LARGEST_PICTURE:
        raise DataError(
            f"{path}/meta/info.json: '{key}' has shape {shape}, which is no picture: (height, "
            "width, 1, 3 or 4 channels), at most 8K."
        )
    return cast(tuple[int, int, int], shape)


def _words(names: Any) -> tuple[str, ...]:
    """The names of a feature's numbers, out of the ways in which they are written down."""
    if isinstance(names, dict):
        names = [word for words in names.values() if isinstance(words, list) for word in words]
    if isinstance(names, list) and len(names) == 1 and isinstance(names[0], list):
        names = names[0]
    return tuple(told(word) for word in names) if isinstance(names, list) else ()


def _features(path: Path, info: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What the set says that it holds; each has a `dtype`."""
    features = info.get("features")
    if not isinstance(features, dict):
        raise DataError(f"{path}/meta/info.json lacks features: name → dtype, shape.")
    for key, feature in features.items():
        kind = feature.get("dtype") if isinstance(feature, dict) else None
        if not key.isprintable() or not 0 < len(key) <= 200 or not isinstance(kind, str):
            raise DataError(
                f"{path}/meta/info.json: the feature {told(repr(key))} is {told(repr(feature))}. "
                "It needs a name in letters, dtype and shape."
            )
    return features


def _rate(path: Path, info: dict[str, Any]) -> float:
    rate = info.get("fps")
    if not isinstance(rate, int | float) or isinstance(rate, bool) or not 1e-3 <= rate <= 1e5:
        said = told(repr(rate))
        raise DataError(f"{path}/meta/info.json: fps is {said}. Write the steps a second there.")
    return float(rate)


def _sums(path: Path, files: Any) -> dict[str, Sum]:
    """Name → size and checksum, as the writer here has noted them."""
    pairs = isinstance(files, dict) and all(
        isinstance(pair, list) and len(pair) == 2 and all(type(n) is int for n in pair)
        for pair in files.values()
    )
    if not pairs:
        raise DataError(f"{path / NOTE}: its checksums cannot be read. Delete that file.")
    return {name: (size, checksum) for name, (size, checksum) in files.items()}


def _strings(own: dict[str, Any], key: str) -> list[str]:
    values = own.get(key)
    return [word for word in values if isinstance(word, str)] if isinstance(values, list) else []


def _object(path: Path, name: str) -> dict[str, Any]:
    file = within(path, name)
    try:
        return read_object(file)
    except (OSError, ValueError) as error:
        raise unreadable(file, error) from error
