"""Where the episodes of a LeRobotDataset lie: its index, in the three versions of the format.

An index is a stranger's: its numbers count something, its paths stay in the folder, and a template
of paths is filled in with the words known here and nothing else.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from steadyhand.data.files import told
from steadyhand.data.formats.parquet import Table
from steadyhand.disk import inside, parse_json, read_text
from steadyhand.errors import DataError

MOST = 10**12
"""Steps, rows and numbers of files and episodes are below."""
MOST_TASKS = 10**6
PLACEHOLDER = re.compile(r"\{(chunk_index|file_index|episode_index|video_key)(?::0([1-9])d)?\}")
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
WANTED = ("episode_index", "length", "dataset_from_index", "dataset_to_index")
WANTED += ("data/chunk_index", "data/file_index")
"""The columns of an index that are used; its statistics are as large as all the rest."""
FILM = ("chunk_index", "file_index", "from_timestamp")
"""What it says of each camera's film."""
FILMED = r"episode_(\d{1,18})\.(?:mp4|mov|mkv|webm|avi)"
MARKS = ("success", "is_success", "episode_success", "is_episode_successful")
"""How an index says whether episodes succeeded."""
AGAIN = "Copy it again."
DEEPEST = 20
"""Folders in folders."""


@dataclass
class IndexedEpisode:
    """Where one episode lies."""

    number: int
    steps: int
    table: Path
    first: int = 0
    """Its first row in the table."""
    row: int | None = None
    """Its first row in the whole set, where the index says."""
    whole: bool = True
    """Whether nothing else is in the table."""
    videos: dict[str, tuple[Path, float]] = field(default_factory=dict)
    """Camera → (file, seconds at which it starts there)."""
    text: str = ""
    """What was to be done, the first of its texts."""
    texts: int = 0
    success: bool | None = None
    """Whether the index says that it succeeded."""


def within(path: Path, name: str | Path) -> Path:
    """The file `name` of the data set in `path`. Raises `DataError` where it is none of its own."""
    try:
        if len(str(name)) > 1000 or not str(name).isprintable():
            raise ValueError(f"'{told(name)}' is no name of a file")
        return inside(path, name)
    except ValueError as error:
        raise DataError(f"{path} is not read: {error}.") from error


def index_v2(path: Path, cameras: Sequence[str]) -> tuple[list[IndexedEpisode], tuple[str, ...]]:
    """One table and one video an episode, named by number wherever they lie."""
    lines = _lines(path, "meta/episodes.jsonl")
    tables = _by_number(path, "data", r"episode_(\d{1,18})\.parquet")
    videos = {key: _by_number(path, "videos", FILMED, key) for key in cameras}
    found = []
    for where, line in lines:
        number, steps = _count(where, line, "episode_index"), _count(where, line, "length")
        usual = f"data/chunk-{number // 1000:03d}/episode_{number:06d}.parquet"
        table = tables.get(number) or within(path, usual)
        clips = {key: (files[number], 0.0) for key, files in videos.items() if number in files}
        said = line.get("tasks")
        said = [said] if isinstance(said, str) else said if isinstance(said, list) else []
        text = said[0] if said and isinstance(said[0], str) else ""
        found.append(
            IndexedEpisode(
                number,
                steps,
                table,
                videos=clips,
                text=text,
                texts=len(said),
                success=_marked(line),
            )
        )
    there = (path / "meta" / "tasks.jsonl").exists()
    return _sorted(path, found), _tasks(_lines(path, "meta/tasks.jsonl") if there else [])


def _by_number(path: Path, folder: str, pattern: str, part: str | None = None) -> dict[int, Path]:
    """The files by the number in their names; of two of one number, the first by path."""
    found: dict[int, Path] = {}
    for name in sorted(files_in(path, folder), reverse=True):
        *folders, last = name.split("/")
        named = re.fullmatch(pattern, last)
        if named and (part is None or part in folders):
            found[int(named[1])] = path / name
    return found


def files_in(path: Path, folder: str) -> Iterator[str]:
    """The files in a folder of the data set and in its folders, as `folder/…`.

    Raises `DataError` for what leads out of the data set.
    """
    within(path, folder)
    with suppress(OSError), os.scandir(path / folder) as entries:
        for entry in entries:
            name = f"{folder}/{entry.name}"
            if entry.is_symlink():
                within(path, name)
            if entry.is_dir(follow_symlinks=False) and name.count("/") < DEEPEST:
                yield from files_in(path, name)
            else:
                yield name


def index_v3(
    path: Path, info: dict[str, Any], cameras: Sequence[str]
) -> tuple[list[IndexedEpisode], tuple[str, ...]]:
    """Many episodes a file; an index in parquet says where each begins."""
    files = sorted(within(path, "meta/episodes").rglob("*.parquet"))
    if not files:
        raise DataError(f"{path} has no meta/episodes/*/*.parquet, its index. Copy it again.")
    templates = info.get("data_path", DATA_PATH), info.get("video_path", VIDEO_PATH)
    there, found = cache(partial(within, path)), []  # many episodes, few files
    for file in files:
        table = Table(within(path, file.relative_to(path)), again=AGAIN)
        films = [f"videos/{key}/{what}" for key in cameras for what in FILM]
        marks = [name for name in MARKS if name in table.columns and table.kind(name) is None]
        used = [*(name for name in films if name in table.columns), *marks]
        here = [
            _episode_v3(path, there, table.file, line, templates, cameras)
            for line in table.records([*WANTED, *used])
        ]
        if "tasks" in table.columns and "string" in (table.kind("tasks") or ""):
            texts, places, counts = table.words("tasks")
            for episode, place, count in zip(here, places, counts, strict=True):
                episode.text, episode.texts = texts[place], int(count)
        found += here
    # Rows are counted over the whole set; within a file they begin with its first episode.
    shared: dict[Path, list[IndexedEpisode]] = {}
    for episode in found:
        shared.setdefault(episode.table, []).append(episode)
    for users in shared.values():
        start = min(episode.first for episode in users)
        for episode in users:
            episode.first -= start
            episode.whole = len(users) == 1
    return _sorted(path, found), _tasks_v3(path)


def _episode_v3(
    path: Path,
    there: Callable[[str], Path],
    file: Path,
    line: dict[str, Any],
    templates: tuple[Any, Any],
    cameras: Sequence[str],
) -> IndexedEpisode:
    number = _count(file, line, "episode_index")
    where = f"{file}: episode {number}"
    if line["length"] == 0:  # it may lie nowhere
        return IndexedEpisode(number, 0, path)
    table = there(_filled(path, templates[0], where, line, "data"))
    clips = {}
    for key in cameras:
        if line.get(f"videos/{key}/file_index") is not None:
            name = _filled(path, templates[1], where, line, f"videos/{key}", key)
            start = line.get(f"videos/{key}/from_timestamp")
            if not isinstance(start, int | float) or not 0 <= start < MOST:
                raise DataError(f"{where}: its film '{key}' begins at {start}, which is no time.")
            clips[key] = (there(name), float(start))
    steps, first, end = (_count(where, line, name) for name in WANTED[1:4])
    if end - first != steps:
        raise DataError(f"{where} counts {steps} steps, and rows {first} to {end}. Mend the index.")
    return IndexedEpisode(number, steps, table, first, first, videos=clips, success=_marked(line))


def _filled(
    path: Path, template: Any, where: str, line: dict[str, Any], kind: str, key: str = ""
) -> str:
    """A path, made of numbers of the index and the name of the camera."""
    if not isinstance(template, str) or set("{}") & set(PLACEHOLDER.sub("", template)):
        known = "{chunk_index:03d}, {file_index:03d}, {episode_index:06d} and {video_key}"
        raise DataError(
            f"{path}/meta/info.json: the path '{told(template)}' cannot be filled in; it may have "
            f"{known}."
        )

    def word(found: re.Match[str]) -> str:
        name, width = found.groups(default="0")
        if name == "video_key":
            return key
        column = name if name == "episode_index" else f"{kind}/{name}"
        return f"{_count(where, line, column):0{width}d}"

    return PLACEHOLDER.sub(word, template)


def _marked(line: dict[str, Any]) -> bool | None:
    """Whether an episode is said to have succeeded, or not."""
    said = next((line[name] for name in MARKS if name in line), None)
    return bool(said) if said in (True, False, 0, 1) and not isinstance(said, float) else None


def _count(where: str | Path, line: dict[str, Any], key: str) -> int:
    """A number that counts something."""
    value = line.get(key)
    if isinstance(value, float) and abs(value) < MOST and value == int(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < MOST:
        raise DataError(f"{where}: {key} is {told(repr(value))}, where a count belongs. Mend it.")
    return value


def _sorted(path: Path, found: list[IndexedEpisode]) -> list[IndexedEpisode]:
    """By number; each number once."""
    if not found:
        raise DataError(f"{path}: its index in meta/ lists no episodes. Copy it again.")
    found = sorted(found, key=lambda episode: episode.number)
    for one, other in pairwise(found):
        if one.number == other.number:
            raise DataError(f"{path}/meta lists episode {one.number} twice. Take out one of them.")
    return found


def _tasks_v3(path: Path) -> tuple[str, ...]:
    file = path / "meta" / "tasks.parquet"
    if not file.exists():
        return ()
    table = Table(within(path, "meta/tasks.parquet"), again=AGAIN)
    words = [name for name in table.columns if name != "task_index"][:1]
    return _tasks((file, line) for line in table.records(["task_index", *words]))


def _tasks(lines: Iterable[tuple[str | Path, dict[str, Any]]]) -> tuple[str, ...]:
    """The tasks in words, by their number."""
    numbered = {}
    for where, line in lines:
        words = [value for key, value in line.items() if key != "task_index"]
        if line.get("task_index") is not None and words and isinstance(words[0], str):
            number = _count(where, line, "task_index")
            if number >= MOST_TASKS:
                raise DataError(f"{where}: there is no task {number}; they are counted from 0.")
            numbered[number] = words[0]
    return tuple(numbered.get(number, "") for number in range(max(numbered, default=-1) + 1))


def _lines(path: Path, name: str) -> list[tuple[str, dict[str, Any]]]:
    """(where it is, what it holds) of each line of a file."""
    file = within(path, name)
    try:
        lines = [
            (f"{file}, line {number}", parse_json(line))
            for number, line in enumerate(read_text(file).split("\n"), 1)
            if line.strip()
        ]
    except (OSError, ValueError) as error:
        raise unreadable(file, error) from error
    for where, line in lines:
        if not isinstance(line, dict):
            raise DataError(f"{where} holds no object. Each line describes one.", file=file)
    return lines


def unreadable(file: Path, error: Exception) -> DataError:
    """What to say of a description that cannot be read."""
    if isinstance(error, FileNotFoundError):
        return DataError(f"{file} is not there: a part of meta/ is missing. {AGAIN}", file=file)
    said = told(error.strerror or error if isinstance(error, OSError) else error)
    return DataError(f"{file} cannot be read: {said}.", file=file)
