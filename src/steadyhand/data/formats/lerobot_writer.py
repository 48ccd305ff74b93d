"""Writes LeRobotDataset v3.0, so that what is recorded here opens in LeRobot.

Video is copied as it is, never encoded again; other pictures become PNG. Checksums of
all files, and what the format cannot say (that a feature is one number and not a list of one, or
was not there before) are noted in meta/steadyhand.json.
"""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.data.files import sum_of
from steadyhand.data.footage import Clip, Footage
from steadyhand.data.formats.lerobot_stats import EpisodeStatistics, spread
from steadyhand.data.frame_store import as_pictures, picture_scale
from steadyhand.data.lazy import LazyArray, Rows
from steadyhand.errors import library
from steadyhand.spec import kind_of

NAME = "lerobot"
NEEDS: tuple[str, ...] = ("pyarrow",)
"""Packages that writing takes."""
RESERVED = ("index", "episode_index", "frame_index")
"""Names that no feature can have: they are counted anew."""
PATHS = False
"""Whether a name can be a path, as `policy/joint_pos`: LeRobot refuses those."""
FILE_BYTES = 100_000_000
"""A data file is closed when it has about so many."""
FILES_A_CHUNK = 1000
Watch = Callable[[int], object]


def write(path: Path, episodes: Episodes, watch: Watch = lambda steps: None) -> None:
    """A folder. `write_episodes` is what users call."""
    (path / "meta").mkdir(parents=True)
    clips = {
        key: found for key, array in episodes.arrays.items() if (found := _clips(episodes, array))
    }
    where = {key: _copy_videos(path, key, found) for key, found in clips.items()}
    tables = _Tables(path / "data", episodes, set(clips))
    lines, stats = list[dict[str, Any]](), EpisodeStatistics()
    for number, (start, end) in enumerate(zip(episodes.starts, episodes.ends, strict=True)):
        columns = tables.append(number, int(start), int(end))
        line: dict[str, Any] = {
            "episode_index": number,
            "tasks": _tasks_of(episodes, columns["task_index"]),
            "length": int(end - start),
            "data/chunk_index": tables.file // FILES_A_CHUNK,
            "data/file_index": tables.file % FILES_A_CHUNK,
            "dataset_from_index": int(start),
            "dataset_to_index": int(end),
        }
        for key, found in clips.items():
            clip, file = found[number], where[key][found[number].file]
            line |= {
                f"videos/{key}/chunk_index": file // FILES_A_CHUNK,
                f"videos/{key}/file_index": file % FILES_A_CHUNK,
                f"videos/{key}/from_timestamp": clip.start,
                f"videos/{key}/to_timestamp": clip.start + clip.steps / clip.rate_hz,
            }
            columns[key] = clip[spread(clip.steps)]
        lines.append(line | stats.of_episode(columns))
        watch(int(end - start) * len(episodes.arrays))
    tables.close()
    _write_meta(path, episodes, clips, lines, stats)


def _clips(episodes: Episodes, array: LazyArray) -> list[Clip] | None:
    """The clip of each episode, where the array is whole clips of video."""
    if isinstance(array, Footage):
        return list(array.clips)
    if not (isinstance(array, Rows) and isinstance(array.source, Footage)):
        return None
    footage, found = array.source, []
    starts = footage.blocks - [clip.steps for clip in footage.clips]
    for start, end in zip(episodes.starts, episodes.ends, strict=True):
        rows = array.rows[start:end]
        place = int(np.searchsorted(footage.blocks, rows[0], side="right"))
        clip = footage.clips[place]
        if not np.array_equal(rows, starts[place] + np.arange(clip.steps)):
            return None
        found.append(clip)
    return found


def _copy_videos(path: Path, key: str, clips: list[Clip]) -> dict[Path, int]:
    """Copy each file once; its new number."""
    numbers: dict[Path, int] = {}
    for clip in clips:
        if clip.file in numbers:
            continue
        clip.check()
        number = numbers[clip.file] = len(numbers)
        target = path / _place(key, number)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(clip.file, target)
    return numbers


def _shared(path: Path, key: str, clips: list[Clip]) -> list[str]:
    """The copies in which there is more than the episodes that were written."""
    numbers = {file: number for number, file in enumerate(dict.fromkeys(c.file for c in clips))}
    return [_place(key, numbers[clip.file]) for clip in clips if not clip.whole]


def _place(key: str, number: int) -> str:
    folder = f"videos/{key}/chunk-{number // FILES_A_CHUNK:03d}"
    return f"{folder}/file-{number % FILES_A_CHUNK:03d}.mp4"


class _Tables:
    """The data files: episodes one after the other, a new file where one is full."""

    def __init__(self, folder: Path, episodes: Episodes, videos: set[str]) -> None:
        self._folder, self._episodes = folder, episodes
        self._keys = [key for key in episodes.arrays if key not in videos]
        self._scales = {
            key: picture_scale(array)
            for key, array in episodes.arrays.items()
            if key in self._keys and _is_picture(array)
        }
        self._arrow = library("pyarrow")
        self._writer: Any = None  # opened with the first episode, whose columns it needs
        self._bytes = 0
        self.file = -1

    def append(self, number: int, start: int, end: int) -> dict[str, NDArray[Any]]:
        """Write an episode; its columns, as numbers and pictures."""
        steps = end - start
        columns = {key: self._read(key, start, end) for key in self._keys}
        columns.setdefault("timestamp", (np.arange(steps) / self._episodes.rate_hz).astype("f4"))
        columns.setdefault("task_index", np.zeros(steps, np.int64))
        columns["frame_index"] = np.arange(steps)
        columns["episode_index"] = np.full(steps, number)
        columns["index"] = np.arange(start, end)
        table = self._arrow.table(
            {
                key: self._pictures(v) if key in self._scales else self._numbers(v)
                for key, v in columns.items()
            }
        )
        if self.file < 0 or self._bytes + table.nbytes > FILE_BYTES:
            self._next(table.schema)
        self._writer.write_table(table)
        self._bytes += table.nbytes
        return columns

    def _read(self, key: str, start: int, end: int) -> NDArray[Any]:
        values = self._episodes.read(key, start, end)
        if key in self._scales:
            return as_pictures(values, self._scales[key], f"'{key}'")
        return values

    def _numbers(self, values: NDArray[Any]) -> Any:
        flat = self._arrow.array(values.reshape(-1).astype(values.dtype.newbyteorder("=")))
        if values.ndim <= 2 and values[0].size == 1:
            return flat
        if values.ndim == 2:
            return self._arrow.FixedSizeListArray.from_arrays(flat, values.shape[1])
        for size in values.shape[:0:-1]:
            offsets = np.arange(0, len(flat) + 1, size, dtype=np.int32)
            flat = self._arrow.ListArray.from_arrays(offsets, flat)
        return flat

    def _pictures(self, values: NDArray[np.uint8]) -> Any:
        pillow = library("PIL.Image")
        cells = []
        for picture in values:
            encoded = io.BytesIO()
            pillow.fromarray(picture.squeeze()).save(encoded, format="PNG")
            cells.append({"bytes": encoded.getvalue(), "path": None})
        kind = self._arrow.struct([("bytes", self._arrow.binary()), ("path", self._arrow.string())])
        return self._arrow.array(cells, type=kind)

    def _next(self, schema: Any) -> None:
        self.close()
        self.file, self._bytes = self.file + 1, 0
        folder = self._folder / f"chunk-{self.file // FILES_A_CHUNK:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        self._writer = library("pyarrow.parquet").ParquetWriter(
            folder / f"file-{self.file % FILES_A_CHUNK:03d}.parquet",
            schema,
            write_page_checksum=True,
        )

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def _is_picture(array: LazyArray) -> bool:
    return kind_of(tuple(array.shape[1:])) == "image"


def _tasks_of(episodes: Episodes, numbers: NDArray[Any]) -> list[str]:
    known = _tasks(episodes)
    return [known[int(i)] if 0 <= i < len(known) else "" for i in np.unique(numbers)]


def _tasks(episodes: Episodes) -> tuple[str, ...]:
    return episodes.tasks or ("",)


def _write_meta(
    path: Path,
    episodes: Episodes,
    clips: dict[str, list[Clip]],
    lines: list[dict[str, Any]],
    stats: EpisodeStatistics,
) -> None:
    arrow, parquet = library("pyarrow"), library("pyarrow.parquet")
    rate = episodes.rate_hz
    features: dict[str, Any] = {}
    for key, array in episodes.arrays.items():
        features[key] = _feature(episodes, key, array, clips.get(key))
    counted = {"timestamp": "float32", "task_index": "int64", **dict.fromkeys(RESERVED, "int64")}
    for key, dtype in counted.items():
        features.setdefault(key, {"dtype": dtype, "shape": [1], "names": None})
    info = {
        "codebase_version": "v3.0",
        "robot_type": "unknown",
        "total_episodes": len(episodes),
        "total_frames": episodes.steps,
        "total_tasks": len(_tasks(episodes)),
        "chunks_size": FILES_A_CHUNK,
        "fps": int(rate) if rate == int(rate) else rate,
        "splits": {"train": f"0:{len(episodes)}"},
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
        if clips
        else None,
        "features": features,
        "data_files_size_in_mb": FILE_BYTES // 1_000_000,
        "video_files_size_in_mb": 500,
    }
    own: dict[str, Any] = {
        "added": [key for key in ("timestamp", "task_index") if key not in episodes.arrays],
        "single": [key for key, array in episodes.arrays.items() if len(array.shape) == 1],
        "rate_assumed": episodes.rate_assumed,
    }
    (path / "meta" / "info.json").write_text(json.dumps(info, indent=4) + "\n")
    (path / "meta" / "stats.json").write_text(json.dumps(stats.of_all(), indent=4) + "\n")
    folder = path / "meta" / "episodes" / "chunk-000"
    folder.mkdir(parents=True)
    here = {"meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0}
    lines = [line | here for line in lines]
    table = arrow.Table.from_pylist(lines)
    parquet.write_table(table, folder / "file-000.parquet", write_page_checksum=True)
    _write_tasks(path / "meta" / "tasks.parquet", _tasks(episodes))
    own["shared"] = sorted({name for key in clips for name in _shared(path, key, clips[key])})
    files = sorted(file for file in path.rglob("*") if file.is_file())
    own["files"] = {file.relative_to(path).as_posix(): sum_of(file) for file in files}
    (path / "meta" / "steadyhand.json").write_text(json.dumps(own, indent=1) + "\n")


def _write_tasks(file: Path, tasks: tuple[str, ...]) -> None:
    arrow, words = library("pyarrow"), list(tasks)
    table = arrow.table({"task_index": list(range(len(words))), "__index_level_0__": words})
    # LeRobot reads the words as the index of a pandas table.
    index = {
        "index_columns": ["__index_level_0__"],
        "column_indexes": [
            {
                "name": None,
                "field_name": None,
                "pandas_type": "unicode",
                "numpy_type": "object",
                "metadata": {"encoding": "UTF-8"},
            }
        ],
        "columns": [
            {
                "name": "task_index",
                "field_name": "task_index",
                "pandas_type": "int64",
                "numpy_type": "int64",
                "metadata": None,
            },
            {
                "name": None,
                "field_name": "__index_level_0__",
                "pandas_type": "unicode",
                "numpy_type": "object",
                "metadata": None,
            },
        ],
    }
    table = table.replace_schema_metadata({"pandas": json.dumps(index)})
    library("pyarrow.parquet").write_table(table, file, write_page_checksum=True)


def _feature(
    episodes: Episodes, key: str, array: LazyArray, clips: list[Clip] | None
) -> dict[str, Any]:
    sides = {"shape": list(array.shape[1:]), "names": ["height", "width", "channels"]}
    if clips is not None:
        with clips[0].opened() as (_, stream):
            codec, pixels = stream.codec_context.codec.canonical_name, stream.pix_fmt
        return {
            "dtype": "video",
            **sides,
            "info": {
                "video.height": array.shape[1],
                "video.width": array.shape[2],
                "video.codec": codec,
                "video.pix_fmt": pixels,
                "video.is_depth_map": False,
                "video.fps": episodes.rate_hz,
                "video.channels": 3,
                "has_audio": False,
            },
        }
    if _is_picture(array):
        return {"dtype": "image", **sides}
    shape = list(array.shape[1:]) or [1]
    names = list(episodes.names[key]) if key in episodes.names else None
    if names is None and len(shape) == 1 and shape != [1]:
        names = [f"{key.rpartition('.')[2]}_{i}" for i in range(shape[0])]
    return {"dtype": str(np.dtype(array.dtype)), "shape": shape, "names": names}
