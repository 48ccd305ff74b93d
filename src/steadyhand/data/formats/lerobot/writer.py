"""Writes LeRobotDataset v3.0, so that what is recorded here opens in LeRobot.

Video is copied as it is, never encoded again; other pictures become PNG, or TIFF. Checksums of
all files, and what the format cannot say (that a feature is one number and not a list of one, or
was not there before) are noted in meta/steadyhand.json.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.data.files import sum_of
from steadyhand.data.formats.format import Watch
from steadyhand.data.formats.lerobot.depth import said_of_films, said_of_pictures
from steadyhand.data.formats.lerobot.index import DATA_PATH, VIDEO_PATH
from steadyhand.data.formats.lerobot.info import COUNTED
from steadyhand.data.formats.lerobot.stats import EpisodeStatistics, spread
from steadyhand.data.formats.lerobot.tables import (
    FILE_BYTES,
    FILES_A_CHUNK,
    Tables,
    index_of,
    place_of,
)
from steadyhand.data.formats.noted import noted
from steadyhand.data.lazy import forms_of
from steadyhand.data.pictures.clips import clips_of, complete
from steadyhand.data.pictures.footage import Clip
from steadyhand.errors import library

SIDES = ["height", "width", "channels"]


def write(path: Path, episodes: Episodes, watch: Watch) -> None:
    """A folder. `write_episodes` is what users call."""
    (path / "meta").mkdir(parents=True)
    found = {key: clips_of(episodes, array) for key, array in episodes.arrays.items()}
    clips = {key: listed for key, listed in found.items() if listed is not None}
    where = {key: _copy_videos(path, key, listed) for key, listed in clips.items()}
    tables = Tables(path, episodes, clips)
    depths = [key for key in episodes.arrays if episodes.kind(key) == "depth"]
    lines, stats = list[dict[str, Any]](), EpisodeStatistics(depths)
    for number, (start, end) in enumerate(zip(episodes.starts, episodes.ends, strict=True)):
        columns = tables.append(number, int(start), int(end))
        line: dict[str, Any] = {
            "episode_index": number,
            "tasks": _tasks_of(episodes, columns["task_index"]),
            "length": int(end - start),
            **index_of("data", tables.file),
            "dataset_from_index": int(start),
            "dataset_to_index": int(end),
        }
        for key, listed in clips.items():
            clip = listed[number]
            line |= {
                **index_of(f"videos/{key}", where[key][clip.file]),
                f"videos/{key}/from_timestamp": clip.start,
                f"videos/{key}/to_timestamp": clip.start + clip.steps / clip.rate_hz,
            }
            columns[key] = _formed(episodes, key, clip[spread(clip.steps)])
        lines.append({**line, **stats.of_episode(columns), **index_of("meta/episodes", 0)})
        watch(int(end - start) * len(episodes.arrays))
    tables.close()
    _write_json(path / "meta" / "info.json", _info(episodes, clips, tables.depths), indent=4)
    _write_json(path / "meta" / "stats.json", stats.of_all(), indent=4)
    _write_table(path / place_of("meta/episodes", 0, "parquet"), lines)
    _write_table(path / "meta" / "tasks.parquet", *_tasks_table(episodes))
    shared = {
        place_of(f"videos/{key}", where[key][file], "mp4")
        for key, listed in clips.items()
        for file in {clip.file for clip in listed} - complete(listed)
    }
    _write_json(path / "meta" / "steadyhand.json", _note(path, episodes, shared), indent=1)


def _formed(episodes: Episodes, key: str, frames: NDArray[Any]) -> NDArray[Any]:
    """Frames of a film as they are read: depth in metres."""
    [form] = forms_of(episodes.arrays[key])
    return frames if form is None else form(frames)


def _copy_videos(path: Path, key: str, clips: list[Clip]) -> dict[Path, int]:
    """Copy each file once; its new number."""
    numbers: dict[Path, int] = {}
    for clip in clips:
        if clip.file in numbers:
            continue
        clip.check()
        number = numbers[clip.file] = len(numbers)
        target = path / place_of(f"videos/{key}", number, "mp4")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(clip.file, target)
    return numbers


def _tasks_of(episodes: Episodes, numbers: NDArray[Any]) -> list[str]:
    known = _tasks(episodes)
    return [known[int(i)] if 0 <= i < len(known) else "" for i in np.unique(numbers)]


def _tasks(episodes: Episodes) -> tuple[str, ...]:
    return episodes.tasks or ("",)


def _info(
    episodes: Episodes, clips: dict[str, list[Clip]], depths: dict[str, float]
) -> dict[str, Any]:
    """What the set says of itself; `clips` by camera, `depths` what is depth in pictures."""
    rate = episodes.rate_hz
    counted = {"timestamp": "float32", "task_index": "int64", **dict.fromkeys(COUNTED, "int64")}
    features = {key: _feature(episodes, key, clips.get(key)) for key in episodes.arrays}
    for key, per_metre in depths.items():
        described = {"dtype": "image", "shape": list(episodes.shapes[key]), "names": SIDES}
        features[key] = {**described, "info": said_of_pictures(per_metre)}
    for key, kind in counted.items():
        features.setdefault(key, {"dtype": kind, "shape": [1], "names": None})
    return {
        "codebase_version": "v3.0",
        "robot_type": "unknown",
        "total_episodes": len(episodes),
        "total_frames": episodes.steps,
        "total_tasks": len(_tasks(episodes)),
        "chunks_size": FILES_A_CHUNK,
        "fps": int(rate) if rate == int(rate) else rate,
        "splits": _splits(episodes),
        "data_path": DATA_PATH,
        "video_path": VIDEO_PATH if clips else None,
        "features": features,
        "data_files_size_in_mb": FILE_BYTES // 1_000_000,
        "video_files_size_in_mb": 500,
    }


def _splits(episodes: Episodes) -> dict[str, str]:
    """The choices of episodes that are spans; all of them are in the note."""
    spans = {
        name: f"{min(chosen)}:{max(chosen) + 1}"
        for name, chosen in episodes.masks.items()
        if chosen and sorted(chosen) == list(range(min(chosen), max(chosen) + 1))
    }
    return spans if "train" in spans else {"train": f"0:{len(episodes)}", **spans}


def _feature(episodes: Episodes, key: str, clips: list[Clip] | None) -> dict[str, Any]:
    array = episodes.arrays[key]
    shape = list(array.shape[1:])
    if clips is not None:
        with clips[0].opened() as (_, stream):
            codec, pixels = stream.codec_context.codec.canonical_name, stream.pix_fmt
        video = {
            "video.height": array.shape[1],
            "video.width": array.shape[2],
            "video.codec": codec,
            "video.pix_fmt": pixels,
            "video.is_depth_map": False,
            "video.fps": episodes.rate_hz,
            "video.channels": shape[2],
            "has_audio": False,
        }
        if episodes.kind(key) == "depth":
            video |= said_of_films(*forms_of(array))
        return {"dtype": "video", "shape": shape, "names": SIDES, "info": video}
    if episodes.kind(key) == "image":
        return {"dtype": "image", "shape": shape, "names": SIDES}
    names = list(episodes.names[key]) if key in episodes.names else None
    if names is None and len(shape) == 1 and shape != [1]:
        names = [f"{key.rpartition('.')[2]}_{i}" for i in range(shape[0])]
    return {"dtype": str(np.dtype(array.dtype)), "shape": shape or [1], "names": names}


def _tasks_table(episodes: Episodes) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The tasks by number, whose words LeRobot reads as the index of a pandas table."""
    words = "__index_level_0__"

    def described(name: str | None, field: str | None, kind: str, numpy: str) -> dict[str, Any]:
        named = {"name": name, "field_name": field}
        return {**named, "pandas_type": kind, "numpy_type": numpy, "metadata": None}

    level = described(None, None, "unicode", "object") | {"metadata": {"encoding": "UTF-8"}}
    columns = [
        described("task_index", "task_index", "int64", "int64"),
        described(None, words, "unicode", "object"),
    ]
    index = {"index_columns": [words], "column_indexes": [level], "columns": columns}
    return [{"task_index": i, words: task} for i, task in enumerate(_tasks(episodes))], index


def _note(path: Path, episodes: Episodes, shared: set[str]) -> dict[str, Any]:
    """What the format cannot say, and the checksums of all files."""
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return {
        "success": [],
        **noted(episodes),
        "added": [key for key in ("timestamp", "task_index") if key not in episodes.arrays],
        "single": [key for key, array in episodes.arrays.items() if len(array.shape) == 1],
        "rate_assumed": episodes.rate_assumed,
        "shared": sorted(shared),
        "files": {file.relative_to(path).as_posix(): sum_of(file) for file in files},
    }


def _write_table(
    file: Path, lines: list[dict[str, Any]], pandas: dict[str, Any] | None = None
) -> None:
    table = library("pyarrow").Table.from_pylist(lines)
    if pandas is not None:
        table = table.replace_schema_metadata({"pandas": json.dumps(pandas)})
    file.parent.mkdir(parents=True, exist_ok=True)
    library("pyarrow.parquet").write_table(table, file, write_page_checksum=True)


def _write_json(file: Path, content: dict[str, Any], *, indent: int) -> None:
    file.write_text(json.dumps(content, indent=indent) + "\n")
