"""What only one picture after the other shows: cuts, cameras that hang, moments of darkness.

Whole episodes are looked at, evenly spread, as many as some seconds suffice for.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.data.idle import LEAST, SECONDS, says_motion
from steadyhand.data.kinds.meaning import is_action
from steadyhand.data.pictures.colour import as_pictures, picture_scale
from steadyhand.data.problem import Problem
from steadyhand.data.problems import sample
from steadyhand.errors import DataError

TOGETHER = 8_000_000
"""Pixels in memory at a time."""
SIDE, SAMPLED = 24, 4
"""Pictures are compared in about so many blocks a side, each of so many pixels a side."""
NEAR, STILL = 10, 0.05
"""A picture is held against so many before and after it that changed by more than this: a film of a
lower rate than the robot shows each for a while."""
ABOVE = 4.0
"""A cut changes it so many times as much as nine of ten of those near it change."""
CHANGE, AREA, BLOCK = 2.0, 0.03, 8.0
"""And by so many grey levels on average, and in this share of it by so many: a lamp is no cut."""
LASTS, LATER = 0.6, 3
"""This share of the change lies between so many pictures before and after: a flash is no cut."""
TEXTURE, LIGHT = 5.0, 0.4
"""Where pictures have so much texture, and brightness and contrast explain all but this share of
the change, a light was switched."""
EXPLAINS, JOINED = 3.0, 5.0
"""Numbers that jump at a cut, too, explain it where they go so many times as far as near it; so
many times as far as ever else they are of another recording."""
SAME, MOVES_ON = 1.5, 0.5
"""No block changes by more grey levels while a camera hangs; numbers go this share as far as they
do while pictures change."""
AVERAGED = 2
"""So many steps before and after one are averaged with it: what sensors jitter is no motion."""
DARK = 0.03
"""Share of full brightness below which the brightest pixels make a picture black."""
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Seen:
    """What was seen of one episode."""

    place: int
    small: NDArray[np.float32]
    """(steps, rows, columns, channels) of blocks, in grey levels."""
    black: NDArray[np.bool_]
    """(steps,)"""
    travel: Numbers | None
    """(steps - 1,) how far what says motion goes, by its usual step; None where nothing does."""
    moved: Numbers | None
    """The same of numbers without their jitter."""


def inspect(episodes: Episodes, key: str) -> Iterator[Problem]:
    """What is wrong between the pictures of a feature."""
    seen = list(_looked_at(episodes, key))
    for kind, tell in (("cut", _cut), ("frozen", _hung), ("black", _dark)):
        found = [(one.place, said) for one in seen if (said := tell(one, episodes)) is not None]
        if found:
            place, said = found[0]
            also = f" So do {len(found)} of the {len(seen)} episodes looked at."
            message = f"'{key}' {said}{also if len(found) > 1 else ''}"
            yield Problem(kind, message, episodes.number(place))


def _looked_at(episodes: Episodes, key: str) -> Iterator[Seen]:
    array, count = episodes.arrays[key], len(episodes)
    pixels = int(np.prod(array.shape[1:3]))
    room = sample.pixels_of(episodes)
    most = int(np.clip(room * count // (pixels * episodes.steps), 1, min(sample.FILMS, count)))
    try:
        scale = picture_scale(array)
    except Exception:  # what is damaged is told where each is looked at
        return
    places = sample.of_pictures(episodes, key)
    for place in places[sample.evenly(len(places), most)].tolist():
        start = int(episodes.starts[place])
        if episodes.ends[place] - start < 2:
            continue
        end = min(int(episodes.ends[place]), start + max(2, room // pixels))
        step = max(1, TOGETHER // sample.bytes_of(episodes, key))
        small, black = [], []
        try:
            for first in range(start, end, step):
                recorded = np.asarray(array[first : min(first + step, end)])
                blocks, dark = _in_blocks(as_pictures(recorded, scale, key))
                small.append(blocks)
                black.append(dark)
        except Exception:  # the same
            continue
        travel = _travel(episodes, start, end)
        yield Seen(place, np.concatenate(small), np.concatenate(black), *travel)


def _in_blocks(pictures: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """(blocks (n, rows, columns, channels), which pictures are black)."""
    apart = max(1, min(pictures.shape[1:3]) // (SIDE * SAMPLED))
    sampled = pictures[:, ::apart, ::apart]
    count, height, width, channels = sampled.shape
    side = max(1, min(height, width) // SIDE)
    rows, columns = height // side, width // side
    blocks = sampled[:, : rows * side, : columns * side].astype(np.float32)
    blocks = blocks.reshape(count, rows, side, columns, side, channels).mean((2, 4))
    black = blocks.max((1, 2, 3)) < 2 * DARK * 255  # only then are all pixels looked at
    for i in np.flatnonzero(black):
        black[i] = np.quantile(sampled[i], 0.99) < DARK * 255
    return blocks, black


def _travel(
    episodes: Episodes, start: int, end: int
) -> tuple[Numbers, Numbers] | tuple[None, None]:
    """How far each step goes, the mean over columns that move, each by its own usual step.

    Of the numbers as they are, and of them with their neighbours averaged.
    """
    keys = [key for key in episodes.arrays if says_motion(episodes, key)]
    sharp, smooth = [], []
    for key in [key for key in keys if not is_action(key)] or keys:
        try:
            values = episodes.read(key, start, end).reshape(end - start, -1).astype(np.float64)
        except DataError:
            continue
        steps = np.abs(np.diff(values, axis=0))
        calm = np.abs(np.diff(_averaged(values), axis=0))
        usual = np.quantile(steps, 0.9, axis=0)
        for column in np.flatnonzero(usual > 0):
            sharp.append(steps[:, column] / usual[column])
            smooth.append(calm[:, column] / usual[column])
    return (np.mean(sharp, axis=0), np.mean(smooth, axis=0)) if sharp else (None, None)


def _averaged(values: Numbers) -> Numbers:
    """Each row with those near it averaged."""
    padded = np.pad(values, ((AVERAGED, AVERAGED), (0, 0)), mode="edge")
    return sliding_window_view(padded, 2 * AVERAGED + 1, axis=0).mean(-1)


def _cut(seen: Seen, episodes: Episodes) -> str | None:
    """What to say of the clearest cut."""
    change = np.abs(np.diff(seen.small, axis=0)).mean((1, 2, 3)).astype(np.float64)
    changed = np.flatnonzero(change > STILL)
    hang, found = _hang(seen, episodes), []
    # Cameras begin and end as they like, and jump to now when they have hung.
    for i in range(LATER, len(change) - LATER):
        if hang is not None and i == sum(hang):
            continue
        if change[i] <= CHANGE:
            continue
        above = change[i] / max(_near(change[changed], int(np.searchsorted(changed, i))), 1e-9)
        if above > ABOVE and _is_other(seen.small, i, float(change[i])):
            joined = _joined(seen.travel, i)
            found += [] if joined is None else [(above, i + 1, joined)]
    if not found:
        return None
    _, step, joined = max(found)
    first = (
        f"jumps to another picture at step {step} of episode {episodes.number(seen.place)} "
        f"({step / episodes.rate_hz:.1f} s)"
    )
    if joined:
        return (
            f"{first}, and the numbers jump with it: two recordings are joined there. Divide the "
            "episode at that step, or leave it out with --select."
        )
    return (
        f"{first}, while the numbers go on as before: pictures were lost, or are of another "
        "moment, and do not belong to the numbers from there on. Leave the episode out with "
        "--select, or record it again."
    )


def _joined(travel: Numbers | None, i: int) -> bool | None:
    """Whether numbers jump at a cut as they never do else; None where they explain it."""
    if travel is None:
        return False
    here = float(travel[i - 2 : i + 3].max())
    if here <= EXPLAINS * max(_near(travel, i, 2), 1e-9):
        return False
    others = np.delete(travel, range(i - 2, i + 3))
    return True if here > JOINED * float(others.max(initial=0)) else None


def _near(values: Numbers, i: int, around: int = 0) -> float:
    """What nine of ten values near one do not exceed, less itself and those `around` it."""
    before, after = values[max(0, i - NEAR) : i - around], values[i + around + 1 : i + NEAR + 1]
    others = np.concatenate([before, after])
    return float(np.quantile(others, 0.9)) if len(others) else 0.0


def _is_other(small: NDArray[np.float32], i: int, change: float) -> bool:
    """Whether a large part of the picture is another from step `i` to the next, and stays so."""
    at = (i - LATER + 1, i, i + 1, i + LATER)
    before, here, then, later = (small[step].astype(np.float64) for step in at)
    if float((np.abs(then - here).max(-1) > BLOCK).mean()) < AREA:
        return False
    if float(np.abs(later - before).mean()) < LASTS * change:
        return False
    if min(here.std(), then.std()) < TEXTURE:
        return True
    slope, offset = np.polyfit(here.ravel(), then.ravel(), 1)
    lit = float(np.abs(slope * here + offset - then).mean()) < LIGHT * change
    return not (lit and slope > 0)


def _hang(seen: Seen, episodes: Episodes) -> tuple[int, int] | None:
    """(first step, steps) of the longest stretch of one picture while the numbers move on."""
    if seen.moved is None:
        return None
    same = np.abs(np.diff(seen.small, axis=0)).max((1, 2, 3)) <= SAME
    if same.all():
        return None  # one picture all the while is told where each is looked at
    usual = float(np.median(seen.moved[~same]))
    if not usual > 0:
        return None
    edges = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]])))
    long = [
        (stop - start, start)
        for start, stop in edges.reshape(-1, 2).tolist()
        if stop - start >= max(LEAST, SECONDS * episodes.rate_hz)
        and float(seen.moved[start:stop].mean()) >= MOVES_ON * usual
    ]
    if not long:
        return None
    steps, start = max(long)
    return start, steps


def _hung(seen: Seen, episodes: Episodes) -> str | None:
    """What to say of a camera that hung."""
    if (hang := _hang(seen, episodes)) is None:
        return None
    start, steps = hang
    return (
        f"shows one picture for {steps / episodes.rate_hz:.1f} s of episode "
        f"{episodes.number(seen.place)}, from step {start} on, while the robot moves: the camera "
        "hung. Leave the episode out with --select, or record it again."
    )


def _dark(seen: Seen, episodes: Episodes) -> str | None:
    """What to say of pictures that are black, unless those looked at first are."""
    black, last = seen.black, len(seen.black) - 1
    if not black.any() or black[[0, last // 2, last]].any():
        return None
    number, first = episodes.number(seen.place), int(np.argmax(black))
    return f"is black in {black.sum()} steps of episode {number}, the first is step {first}."
