"""Which parts of films the episodes of a set are, so that films are copied and not coded again.

Views are seen through: episodes that were chosen, joined, trimmed or brought to another rate.
"""

from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.data.lazy import Formed, LazyArray, Parts, Rows, forms_of
from steadyhand.data.pictures.footage import Clip, Footage

Found = tuple[list[Clip], NDArray[np.int64], NDArray[np.int64]]
"""(clips, which of them each row is of, which of its steps)."""
CLOCK = "timestamp"
NEARLY = 1e-6
"""Seconds by which times may be off for what rounding does."""


def clips_of(episodes: Episodes, array: LazyArray) -> list[Clip] | None:
    """The clip of each episode; None where its pictures are no film shown at the episodes' rate.

    A film of depth is as it is in its file, in whatever unit (`lazy.forms_of`).
    """
    found = _seen_through(array)
    if found is None or len(forms_of(array)) > 1:
        return None
    clips, places, steps = found
    each: list[Clip] = []
    there = complete([clips[place] for place in places[episodes.starts]])
    for start, end in zip(episodes.starts, episodes.ends, strict=True):
        if len(np.unique(places[start:end])) != 1:
            return None
        clip = _part(clips[places[start]], steps[start:end], episodes, there)
        if clip is None:
            return None
        each.append(clip)
    return each


def _seen_through(array: LazyArray) -> Found | None:
    if isinstance(array, Footage):
        counts = [clip.steps for clip in array.clips]
        steps = np.concatenate([np.arange(count) for count in counts])
        return list(array.clips), np.repeat(np.arange(len(counts)), counts), steps
    if isinstance(array, Formed):
        return _seen_through(array.source)
    if isinstance(array, Rows):
        found = _seen_through(array.source)
        return found and (found[0], found[1][array.rows], found[2][array.rows])
    if isinstance(array, Parts):
        clips, places, steps = list[Clip](), [], []
        for part in array.parts:
            found = _seen_through(part)
            if found is None:
                return None
            places.append(found[1] + len(clips))
            steps.append(found[2])
            clips += found[0]
        return clips, np.concatenate(places), np.concatenate(steps)
    return None


def complete(clips: Iterable[Clip]) -> set[Path]:
    """The films of which no episode is missing among these."""
    listed = list(clips)
    counts = Counter[Path]()
    for clip in listed:
        counts[clip.file] += clip.steps
    return {clip.file for clip in listed if counts[clip.file] == clip.all_rows}


def _part(
    clip: Clip, steps: NDArray[np.int64], episodes: Episodes, there: Container[Path]
) -> Clip | None:
    """Some steps of a clip as one of its own; None where no even times lead to its pictures."""
    rate_hz = episodes.rate_hz
    same_rate = abs(clip.rate_hz / rate_hz - 1) < NEARLY
    all_of_it = same_rate and np.array_equal(steps, np.arange(clip.steps))
    if all_of_it and _is_found_again(clip, episodes, there):
        return clip
    times = clip.moments.times[steps]
    even = times[0] + np.arange(len(steps)) / rate_hz
    if np.abs(times - even).max() > 0.5 / clip.rate_hz + NEARLY:
        return None
    return replace(
        clip,
        start=float(times[0]),
        steps=len(steps),
        rate_hz=rate_hz,
        whole=False,
        before=0,
        rows=0,
        clock=None,
    )


def _is_found_again(clip: Clip, episodes: Episodes, there: Container[Path]) -> bool:
    """Whether its pictures are, in another set, where what is read by number or clock looks."""
    remark = clip.moments.remark
    clocked = remark is not None and remark[0] == "video-clock"
    return remark is None or (clip.file in there and (not clocked or CLOCK in episodes.arrays))
