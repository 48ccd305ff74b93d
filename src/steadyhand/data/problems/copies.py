"""The same twice: episodes that are others again, and episodes that share a stretch of video.

A copy is no more data, and what is held out is no test where its copy was trained on.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.data.idle import says_motion
from steadyhand.data.lazy import LazyArray, Rows
from steadyhand.data.pictures.footage import Clip, Footage
from steadyhand.data.problem import Problem
from steadyhand.data.problems import sample
from steadyhand.data.problems.leaving import leave_out
from steadyhand.errors import DataError, SteadyhandError

SHARED = 1.5
"""Pictures that two episodes may have in common by how times are rounded."""
ALIKE = 3.0
"""How far two copies of a picture differ at most, in grey levels, where each was encoded anew."""


def inspect(episodes: Episodes, flat: dict[str, NDArray[Any]], look: bool) -> Iterator[Problem]:
    """Episodes of which each number that says how something moved is that of one before.

    With `look`, so are their first pictures: the same motion may be done before other things.
    """
    told = [v for key, v in flat.items() if says_motion(episodes, key) and np.ptp(v, axis=0).any()]
    before: dict[bytes, list[int]] = {}
    copies: list[tuple[int, int]] = []
    for place, (start, end) in enumerate(zip(episodes.starts, episodes.ends, strict=True)):
        whole = hashlib.sha256(str(end - start).encode())
        for values in told:
            whole.update(values[start:end].tobytes())
        others = before.setdefault(whole.digest(), [])
        of = next((one for one in others if not look or _look_alike(episodes, place, one)), None)
        if of is None:
            others.append(place)
        else:
            copies.append((place, of))
    if told and copies:
        copy, of = copies[0]
        more = f"; {len(copies)} of {len(episodes)} are copies" if len(copies) > 1 else ""
        message = (
            f"Episode {episodes.number(copy)} is episode {episodes.number(of)} again{more}. Copies "
            "count twice in training, and one that is held out is no test of what was trained on "
            f"the other. Leave them out: {leave_out(episodes, [place for place, _ in copies])}."
        )
        yield Problem("duplicate", message, episodes.number(copy))


def _look_alike(episodes: Episodes, place: int, other: int) -> bool:
    for key, array in episodes.arrays.items():
        if episodes.kind(key) == "image":
            try:
                pair = (np.asarray(array[int(episodes.starts[each])]) for each in (place, other))
                here, there = (picture.astype(np.float32) for picture in pair)
            except DataError:
                continue  # told where pictures are looked at
            full = 1.0 if here.max() <= 1.0 else 255.0
            if np.abs(here - there).mean() > ALIKE * full / 255.0:
                return False
    return True


def inspect_footage(episodes: Episodes, key: str) -> Iterator[Problem]:
    """Episodes that show the same stretch of one video."""
    clips = _clips(episodes.arrays[key])
    pairs = list(_overlapping(clips))
    if not pairs:
        return
    first, second, seconds = pairs[0]
    more = f" There are {len(pairs)} such pairs." if len(pairs) > 1 else ""
    message = (
        f"'{key}' shows the same {seconds:.1f} s of video in episodes {first.episode} and "
        f"{second.episode}: of one of them at least, the pictures are not what its numbers tell "
        f"of.{more} Check the times in the index of the set, or leave out what is wrong, as "
        f"{leave_out(episodes, [clips.index(second)])}."
    )
    yield Problem("shared-video", message, second.episode, str(second.file))


def _clips(array: LazyArray) -> tuple[Clip, ...]:
    """The film of each episode, also of a choice of them; nothing where it is no film."""
    if isinstance(array, Rows) and isinstance(array.source, Footage):
        places, first = np.unique(
            np.searchsorted(array.source.blocks, array.rows, side="right"), return_index=True
        )
        return tuple(array.source.clips[place] for place in places[np.argsort(first)])
    return array.clips if isinstance(array, Footage) else ()


def _overlapping(clips: tuple[Clip, ...]) -> Iterator[tuple[Clip, Clip, float]]:
    """(earlier, later, seconds) of clips of one film that begin before one before has ended."""
    last: dict[Path, tuple[float, Clip]] = {}
    looked = sample.of_films(clips).keys()
    for place in sorted(range(len(clips)), key=lambda i: (str(clips[i].file), clips[i].start)):
        clip = clips[place]
        begins, ends = clip.start, clip.start + (clip.steps - 1) / clip.rate_hz
        if place in looked:
            try:
                shown = clip.moments.times
            except SteadyhandError:
                continue  # told where its header is read
            begins, ends = float(shown[0]), float(shown[-1])
        until, before = last.get(clip.file, (begins, None))
        pictures = 1 + (min(until, ends) - begins) * clip.rate_hz
        if before is not None and pictures > SHARED:
            first, second = sorted((before, clip), key=lambda one: one.episode)
            yield first, second, pictures / clip.rate_hz
        if before is None or ends > until:
            last[clip.file] = (ends, clip)
