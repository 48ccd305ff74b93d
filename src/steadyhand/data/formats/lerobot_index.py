"""Where the episodes of a LeRobotDataset lie: its index, in the three versions of the format."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from steadyhand.data.formats.parquet import read_rows
from steadyhand.errors import DataError


@dataclass
class IndexedEpisode:
    """Where one episode lies."""

    number: int
    steps: int
    table: Path
    first: int = 0
    """Its first row in the table."""
    whole: bool = True
    """Whether nothing else is in the table."""
    videos: dict[str, tuple[Path, float]] = field(default_factory=dict)
    """Camera → (file, seconds at which it starts there)."""


def index_v2(
    path: Path, info: dict[str, Any], cameras: Sequence[str]
) -> tuple[list[IndexedEpisode], tuple[str, ...]]:
    """One table and one video an episode, named by number wherever they lie."""
    listed = _lines(path / "meta" / "episodes.jsonl")
    chunk = int(info.get("chunks_size") or 1000)
    tables = _by_number(path / "data", "episode_*.parquet")
    videos = {key: _by_number(path / "videos", "episode_*.mp4", key) for key in cameras}
    found = []
    for line in sorted(listed, key=lambda line: int(line["episode_index"])):
        number, steps = int(line["episode_index"]), int(line["length"])
        table = tables.get(number)
        if table is None:
            table = path / "data" / f"chunk-{number // chunk:03d}" / f"episode_{number:06d}.parquet"
        clips = {key: (videos[key][number], 0.0) for key in cameras if number in videos[key]}
        found.append(IndexedEpisode(number, steps, table, videos=clips))
    return _checked(path, found), _tasks(_lines(path / "meta" / "tasks.jsonl", needed=False))


def _by_number(folder: Path, pattern: str, part: str | None = None) -> dict[int, Path]:
    """The files by the number in their names; of two of one number, the first by path."""
    found: dict[int, Path] = {}
    for file in sorted(folder.rglob(pattern), reverse=True):
        number = file.stem.removeprefix("episode_")
        if number.isdecimal() and (part is None or part in file.relative_to(folder).parts):
            found[int(number)] = file
    return found


def index_v3(
    path: Path, info: dict[str, Any], cameras: Sequence[str]
) -> tuple[list[IndexedEpisode], tuple[str, ...]]:
    """Many episodes a file; an index in parquet says where each begins."""
    files = sorted((path / "meta" / "episodes").rglob("*.parquet"))
    if not files:
        raise DataError(f"{path} has no meta/episodes/*/*.parquet, its index. Copy it again.")
    lines = [line for file in files for line in read_rows(file, leave_out="stats/")]
    tables = info.get("data_path", "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet")
    videos = info.get(
        "video_path", "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
    )
    found = []
    try:
        for line in sorted(lines, key=lambda line: line["episode_index"]):
            table = path / _formatted(path, tables, line, "data")
            clips = {}
            for key in cameras:
                if line.get(f"videos/{key}/file_index") is not None:
                    file = path / _formatted(path, videos, line, f"videos/{key}", video_key=key)
                    clips[key] = (file, float(line[f"videos/{key}/from_timestamp"]))
            first, number = int(line["dataset_from_index"]), int(line["episode_index"])
            if int(line["dataset_to_index"]) - first != int(line["length"]):
                raise DataError(
                    f"{path}/meta/episodes: episode {number} counts {line['length']} steps, and "
                    f"rows {first} to {line['dataset_to_index']}. Copy it again."
                )
            found.append(IndexedEpisode(number, int(line["length"]), table, first, videos=clips))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}/meta/episodes lacks {error}. Copy it again.") from error
    # Rows are counted over the whole set; within a file they begin with its first episode.
    shared: dict[Path, list[IndexedEpisode]] = {}
    for episode in found:
        shared.setdefault(episode.table, []).append(episode)
    for users in shared.values():
        start = min(episode.first for episode in users)
        for episode in users:
            episode.first -= start
            episode.whole = len(users) == 1
    file = path / "meta" / "tasks.parquet"
    return _checked(path, found), _tasks(read_rows(file) if file.exists() else [])


def _formatted(path: Path, template: str, line: dict[str, Any], kind: str, **more: str) -> str:
    try:
        return template.format(
            chunk_index=line[f"{kind}/chunk_index"], file_index=line[f"{kind}/file_index"], **more
        )
    except (KeyError, IndexError, ValueError) as error:
        raise DataError(
            f"{path}/meta/info.json: the path '{template}' cannot be filled in ({error!r})."
        ) from error


def _checked(path: Path, found: list[IndexedEpisode]) -> list[IndexedEpisode]:
    if not found:
        raise DataError(f"{path} has no episodes. Copy it again.")
    if len({episode.number for episode in found}) < len(found):
        raise DataError(f"{path}/meta: an episode is listed twice. Copy it again.")
    if bad := [episode.number for episode in found if episode.steps < 1]:
        raise DataError(f"{path}/meta: episode {bad[0]} has no steps. Copy it again.")
    return found


def _tasks(lines: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """The tasks in words, by their number."""
    numbered = {}
    for line in lines:
        words = [value for key, value in line.items() if key != "task_index"]
        if isinstance(line.get("task_index"), int) and words:
            numbered[line["task_index"]] = str(words[0])
    return tuple(numbered.get(number, "") for number in range(max(numbered, default=-1) + 1))


def _lines(file: Path, *, needed: bool = True) -> list[dict[str, Any]]:
    if not needed and not file.exists():
        return []
    try:
        lines = [json.loads(line) for line in file.read_text().splitlines() if line.strip()]
        if needed and not all({"episode_index", "length"} <= line.keys() for line in lines):
            raise ValueError("a line has no episode_index or length")
    except (OSError, ValueError, AttributeError) as error:
        raise DataError(f"{file} cannot be read ({error}). Copy it again.", file=file) from error
    return lines
