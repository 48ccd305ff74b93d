"""Films and pictures that lie beside the data, found by a pattern and given to their episodes.

Which frame a step has, `film_time` decides; what fits neither by number nor by time is refused.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.files import told
from steadyhand.data.lazy import LazyArray, Parts
from steadyhand.data.mapping.cuts import Span
from steadyhand.data.mapping.encoded import STILLS, Stills
from steadyhand.data.mapping.grammar import Place
from steadyhand.data.mapping.tree import files_in, is_called, is_group, natural
from steadyhand.data.pictures.containers import opened
from steadyhand.data.pictures.footage import Clip, Footage
from steadyhand.disk import regular
from steadyhand.errors import DataError, UsageError, plain

FILMS = (".mp4", ".mov", ".mkv", ".webm", ".avi")
SHOWN = 20
NOT_NAMED = "the map does not name it"
Remark = Callable[[str], None]


def is_beside(place: Place) -> bool:
    """Whether a place names files, by their ending."""
    return all(name.text.lower().endswith((*FILMS, *STILLS)) for name in place.names)


@dataclass(frozen=True)
class Timing:
    """When the steps of each episode were."""

    lengths: Sequence[int]
    rate_hz: float
    clock: Callable[[int], NDArray[np.float64] | None] = lambda episode: None
    """Seconds since an episode began, (steps,), where they are recorded."""


def beside(
    root: Path, place: Place, spans: Sequence[Span], timing: Timing, say: Remark
) -> LazyArray:
    """The pictures of all episodes, (steps, height, width, channels), decoded when asked for.

    Raises `UsageError` where files and episodes do not come out even, `DataError` for damage.
    """
    patterns = [name.text for name in place.names]
    found = [
        file
        for file in files_in(root, (*FILMS, *STILLS))
        if any(is_called(file.relative_to(root), pattern) for pattern in patterns)
    ]
    if not found:
        near = sorted({f"*{file.suffix}" for file in files_in(root, (*FILMS, *STILLS))})
        raise UsageError(
            f"No file in {root} is called '{place.words}'. "
            f"There are: {', '.join(near) or 'no films and no pictures'}."
        )
    if found[0].suffix.lower() in STILLS:
        return _stills(root, found, timing.lengths, place.words)
    if len(found) == 1 and len(spans) > 1:
        clips = _one_film(found[0], spans, timing, place.words, say)
    else:
        paired = _paired(found, spans, place.words, say)
        clips = [_clip(file, timing, number) for number, file in enumerate(paired)]
    sizes = {(clip.height, clip.width) for clip in clips}
    if len(sizes) > 1:
        raise DataError(f"{root}: the films '{place.words}' are of different sizes: {sizes}.")
    return Footage(clips)


def films_beside(path: Path) -> tuple[Path, list[Path]]:
    """(the folder in which films are looked for, those in it by their paths there).

    Of a single file they are those beside it and in the folders there, not any deeper.
    """
    alone = not path.is_dir() or is_group(path)
    root = path.parent if alone else path
    films = files_in(root, FILMS, depth=2 if alone else None)
    return root, [film.relative_to(root) for film in films]


def films_left(path: Path, arrays: Iterable[LazyArray]) -> dict[str, str]:
    """The films beside the data of which nothing is used, and that the map does not name them."""
    root, films = films_beside(path)
    used = {clip.file for each in arrays if isinstance(each, Footage) for clip in each.clips}
    left = [film for film in films if root / film not in used]
    cameras: dict[str, list[str]] = {}
    for film in map(str, left):
        name, ending = film[: -len(Path(film).suffix)], Path(film).suffix
        cameras.setdefault(re.sub(r"[0-9]+", "*", name) + ending, []).append(film)
    told = [
        f"{pattern} ({len(films)} films)" if len(films) > 1 else films[0]
        for pattern, films in cameras.items()
    ]
    more = {f"{len(told) - SHOWN} more films": NOT_NAMED} if len(told) > SHOWN else {}
    return {plain(name): NOT_NAMED for name in told[:SHOWN]} | more


def _paired(files: list[Path], spans: Sequence[Span], words: str, say: Remark) -> list[Path]:
    """The file of each episode: by its folder, by its name or number, or in their order."""
    if len(files) != len(spans):
        raise UsageError(
            f"'{words}' are {len(files)} files for {len(spans)} episodes. Name one an episode, or "
            "one for all; a folder is named before the file: front/*.mp4."
        )
    places = [span.tree.path / span.prefix for span in spans]
    if len(set(places)) == len(spans):
        for of, key in ((_folder, _folder), (_folder, str), (_stem, _stem)):
            by = {of(file): file for file in files}
            wanted = [key(place) for place in places]
            if len(by) == len(files) and set(by) == set(wanted):
                return [by[key] for key in wanted]
    by_number = {_number(file.stem): file for file in files}
    numbers = [_number(span.name.rpartition("/")[2]) for span in spans]
    if None not in by_number and len(by_number) == len(files) and set(numbers) == set(by_number):
        return [by_number[number] for number in numbers]
    if len(files) > 1:
        say(f"The files '{words}' are given to the episodes in the order of their names.")
    return sorted(files, key=lambda file: natural(str(file)))


def _folder(file: Path) -> str:
    return str(file.parent)


def _stem(file: Path) -> str:
    return file.stem


def _number(name: str) -> int | None:
    digits = re.findall(r"[0-9]{1,18}", name)
    return int(digits[-1]) if digits else None


def _clip(file: Path, timing: Timing, episode: int, **place: Any) -> Clip:
    """The frames of one episode. Raises `DataError` where there are not enough of them."""
    try:
        regular(file)
        with opened(file) as (_, stream):
            height, width = stream.height, stream.width
    except Exception as error:  # a damaged file can raise nearly anything
        raise DataError(f"{file} is no film that can be read: {told(error)}.", file=file) from error
    steps = timing.lengths[episode]
    rate, clock = timing.rate_hz, timing.clock(episode)
    start = place.pop("start", 0) / rate
    clip = Clip(file, start, steps, height, width, rate, episode, clock=clock, **place)
    if (why := clip.moments.lacking) is not None:
        raise DataError(
            f"{file} does not fit: {why}. Say the rate at which the data was recorded (rate=30, or "
            "a column of times), or cut the film.",
            file=file,
        )
    return clip


def _one_film(
    file: Path, spans: Sequence[Span], timing: Timing, words: str, say: Remark
) -> list[Clip]:
    """One film for all rows of a table: a frame a row."""
    stretches = [span.stretch for span in spans]
    if len({span.tree.path for span in spans}) > 1 or None in stretches:
        raise UsageError(
            f"'{words}' is one file for {len(spans)} episodes. Name one an episode: front_*.mp4."
        )
    rows = spans[0].tree.rows
    starts = [stretch[0] for stretch in stretches if stretch]
    clips = [
        _clip(file, timing, number, start=start, before=start, rows=rows, whole=False)
        for number, start in enumerate(starts)
    ]
    with clips[0].opened() as (_, stream):
        count = stream.frames
        if count and count != rows:
            say(f"{file.name} has {count} pictures for {rows} rows; each has that of its time.")
    return clips


def _stills(root: Path, files: list[Path], lengths: Sequence[int], words: str) -> LazyArray:
    folders: dict[Path, list[Path]] = {}
    for file in files:
        folders.setdefault(file.parent, []).append(file)
    groups = [sorted(group, key=lambda file: natural(file.name)) for group in folders.values()]
    if len(groups) == 1 and len(groups[0]) == sum(lengths):
        cuts = np.cumsum(lengths)[:-1].tolist()
        groups = [groups[0][a:b] for a, b in zip([0, *cuts], [*cuts, None], strict=True)]
    counts = [len(group) for group in groups]
    fits = len(counts) == len(lengths) and all(
        count in (steps, steps + 1) for count, steps in zip(counts, lengths, strict=True)
    )
    if not fits:
        raise UsageError(
            f"{root}: '{words}' are {counts[:8]} pictures in {len(counts)} folders, for episodes "
            f"of {list(lengths)[:8]} steps. There must be a picture a step."
        )
    return Parts([Stills(root, group[:n]) for group, n in zip(groups, lengths, strict=True)])
