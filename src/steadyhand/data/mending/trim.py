"""Episodes without the time at their start and end in which nothing moves.

What rests inside an episode stays, since to cut it out would make the robot jump.
"""

from dataclasses import replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.data.idle import AVERAGED, TICKS, motion, still_steps, stretches
from steadyhand.data.lazy import LazyArray, Rows

CLOCK = "timestamp"
"""The feature that counts seconds from the beginning of each episode."""


MARGIN = AVERAGED + ceil(TICKS) + 1
"""Steps by which the edge of a rest may be off: little moves are rest, and moves are averaged."""


def trimmed(episodes: Episodes) -> tuple[Episodes, list[str]]:
    """(the episodes, each from the step before it first moves to its last move; what to say of it).

    Where sensors jitter, a few steps of rest are kept. One that rests all the time is left out.
    """
    first, last, moves = episodes.starts.copy(), episodes.ends - 1, _moves(episodes)
    inside, whole = list[str](), list[int]()
    for stretch in stretches(episodes, still_steps(episodes)):
        place, number = stretch.episode, episodes.number(stretch.episode)
        if stretch.at_start and stretch.at_end:
            whole.append(place)
        elif stretch.at_start:
            first[place] = _first(moves, first[place] + stretch.steps - 1, first[place])
        elif stretch.at_end:
            last[place] = _last(moves, last[place] - stretch.steps + 1, last[place])
        else:
            inside.append(f"{number} ({stretch.steps / episodes.rate_hz:.1f} s)")
    left = [place for place in range(len(episodes)) if place not in set(whole)]
    gone = {f"episode {episodes.number(place)}": "nothing moves in it" for place in whole}
    found = _from_to(episodes, first, last, left)
    removed = episodes.steps - found.steps
    cut = int(((first > episodes.starts) | (last < episodes.ends - 1))[left].sum())
    said = [
        f"Trimmed: {removed} of {episodes.steps} steps, in which nothing moves, at the start or "
        f"end of {cut} of {len(episodes)} episodes."
    ]
    if inside:
        more = ", …" if len(inside) > 10 else ""
        said.append(f"What rests inside episodes stays: {', '.join(inside[:10])}{more}.")
    return replace(found, left_out={**found.left_out, **gone}), said


def _moves(episodes: Episodes) -> NDArray[np.bool_]:
    """Whether any number that tells motion is another than at the step before, (steps,)."""
    found = np.zeros(episodes.steps, bool)
    for _, values in motion(episodes):
        found[1:] |= (np.diff(values, axis=0) != 0).any(1)
    found[episodes.starts] = False
    return found


def _first(moves: NDArray[np.bool_], rests: int, start: int) -> int:
    """The step before the first move, a few steps before or after the last one that rests."""
    low = max(rests - MARGIN, start)
    found = np.flatnonzero(moves[low : rests + MARGIN + 1])
    return max(low + int(found[0]) - 1, start) if len(found) else rests


def _last(moves: NDArray[np.bool_], rests: int, end: int) -> int:
    """The last move, a few steps before or after the first one that rests."""
    low, high = rests - MARGIN, min(rests + MARGIN, end)
    found = np.flatnonzero(moves[low : high + 1])
    return low + int(found[-1]) if len(found) else rests


def _from_to(
    episodes: Episodes, first: NDArray[np.int64], last: NDArray[np.int64], left: list[int]
) -> Episodes:
    """Some of the episodes, each from its first to its last step."""
    some = episodes.subset(left)
    rows = np.concatenate([np.arange(first[i], last[i] + 1) for i in left])
    arrays: dict[str, LazyArray] = {key: Rows(a, rows) for key, a in episodes.arrays.items()}
    lengths = (last - first + 1)[left]
    if CLOCK in arrays:  # which goes on from where it began
        began, begins = (episodes.read(CLOCK)[at[left]] for at in (episodes.starts, first))
        late = np.repeat(begins - began, lengths, axis=0)
        arrays[CLOCK] = (episodes.read(CLOCK)[rows] - late).astype(episodes.arrays[CLOCK].dtype)
    return replace(some, arrays=arrays, ends=np.cumsum(lengths))
