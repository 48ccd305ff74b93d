"""Which part of which film belongs to an episode of a LeRobotDataset, and what else lies in it."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

from steadyhand.data.files import AGAIN
from steadyhand.data.formats.lerobot.index import IndexedEpisode
from steadyhand.data.formats.lerobot.info import Description
from steadyhand.data.lazy import LazyArray
from steadyhand.data.pictures.footage import Clip, Footage, spread
from steadyhand.errors import DataError

Clock = Callable[[IndexedEpisode], LazyArray | None]
"""When each step of an episode was, in seconds since it began, where that is recorded."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """What else is in the film of an episode."""

    whole: bool
    """Whether nothing else is."""
    before: int
    """Steps of other episodes whose frames come before."""
    rows: int
    """Steps of all its episodes; 0 where some of them are not known."""


class Films:
    """The films of one camera."""

    def __init__(self, key: str, indexed: Iterable[IndexedEpisode], shared: set[Path]) -> None:
        """Of all episodes in the index; `shared` are films of episodes besides."""
        self._parts: dict[tuple[Path, int], Part] = {}
        users: dict[Path, list[tuple[float, int, int]]] = {}
        for episode in indexed:
            if key in episode.videos:
                file, start = episode.videos[key]
                users.setdefault(file, []).append((start, episode.number, episode.steps))
        for file, listed in users.items():
            listed.sort()
            ends = list(accumulate(steps for *_, steps in listed))
            whole, rows = len(listed) == 1 and file not in shared, ends[-1]
            for end, (_, number, steps) in zip(ends, listed, strict=True):
                known = rows if file not in shared else 0
                part = Part(whole=whole, before=end - steps, rows=known)
                self._parts[file, number] = part

    def part(self, file: Path, episode: int) -> Part:
        return self._parts[file, episode]


def footage(
    key: str, said: Description, films: Films, episodes: Sequence[IndexedEpisode], clock: Clock
) -> Footage | str:
    """The film of a camera in some episodes, or why there is none.

    Raises `DataError` where some of its files are missing.
    """
    found = [episode.videos.get(key, (None, 0.0)) for episode in episodes]
    there = [file is not None and os.path.exists(file) for file, _ in found]
    if not any(there):
        return "there is no video file of it, though meta/info.json declares it"
    height, width, _ = said.picture_shape(key)
    clips = []
    for (file, start), is_there, e in zip(found, there, episodes, strict=True):
        if file is None or not is_there:
            what = f"The video {file or f'of {key}'} of episode {e.number} is not there"
            text = f"{what}, and others of '{key}' are. {AGAIN}"
            raise DataError(text, episode=e.number, file=file)
        part = films.part(file, e.number)
        clip = Clip(
            file,
            start,
            e.steps,
            height,
            width,
            said.rate_hz,
            e.number,
            part.whole,
            said.sum_of(file),
            before=part.before,
            rows=part.rows,
            clock=clock(e),
        )
        clips.append(clip)
    return Footage(clips)


def shown_size(film: Footage) -> tuple[int, int] | None:
    """(height, width) of the pictures by the headers of some films; None where they differ.

    Only where the first is not as declared, others are opened.
    """
    declared = (film.shape[1], film.shape[2])
    if next(_sizes(film.clips[:1]), declared) == declared:
        return declared
    sizes = {*_sizes(film.clips[place] for place in spread(len(film.clips)))}
    return sizes.pop() if len(sizes) == 1 else None


def of_size(film: Footage, height: int, width: int) -> Footage:
    return Footage([replace(clip, height=height, width=width) for clip in film.clips])


def _sizes(clips: Iterable[Clip]) -> Iterator[tuple[int, int]]:
    for clip in clips:
        with suppress(DataError), clip.opened() as (_, stream):
            yield stream.height, stream.width
