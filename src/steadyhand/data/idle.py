"""Where nothing moves: stretches of a second and more in which all numbers but clocks rest.

Sensors jitter: rest is what lies within a column's own noise, or is little beside how far it
usually goes in as long. So a set that is slow everywhere rests nowhere; a gripper alone is motion.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.data.kinds.meaning import is_action
from steadyhand.errors import DataError

SECONDS, LEAST = 1.0, 15
"""How long nothing must move, and in how many steps at least: of fewer, none is known to rest."""
AVERAGED = 2
"""Steps before and after one that are averaged with it: motion stays, noise is halved."""
LITTLE = 0.01
"""Share of how far a column goes in that time where it moves, below which it rests."""
MOVING = 0.75
"""How far that is: this quantile of all stretches as long in which it moves."""
CALM = (0.02, 0.1, 0.3)
"""In so many of the calmest stretches a column's noise is looked for: rest may be rare."""
TAKEN_BACK, SURE = 0.38, 4.0
"""Share of a move's square that the next must take back to be noise; how sure of it in errors."""
SMALL = 0.02
"""Which quantile of the steps that a column takes is a small one."""
NOISE, TICKS = 4.0, 2.5
"""So many times a column's noise, and its smallest steps, is rest."""
FINE, RESTLESS = 20, 0.1
"""Smallest steps are ticks where the column spans so many, or takes one in this share of steps:
else it is a switch, and they are its motion."""
MOVES = 2.0
"""It moves where it goes so many times as far as that; a column that never does says nothing."""
FEW = 12
"""Actions of no more different numbers may be speeds by keys: they alone tell no rest."""
ACCIDENTS = 3
"""So many numbers that lie far off are seen in as many stretches as they are in, and no more."""
BLOCK, WIDE = 1 << 21, 256
"""Numbers looked at together; a feature of more than so many at a step is a scan, and no place."""
NO_MOTION = {"time", "timestamp", "timestamps", "clock", "stamp", "index", "frame", "step", "steps"}
NO_MOTION |= {"reward", "rewards", "return", "discount", "success", "done", "dones", "terminated"}
NO_MOTION |= {"truncated", "task", "episode", "annotation", "id"}
"""Words in the names of features that say nothing of motion."""


@dataclass(frozen=True)
class Stretch:
    """Steps of one episode in which nothing moves."""

    episode: int
    """Its place."""
    start: int
    """First step inside the episode."""
    steps: int
    at_start: bool
    at_end: bool
    """Whether the episode begins, or ends, with it."""


def still_steps(episodes: Episodes) -> NDArray[np.bool_]:
    """Which steps, (steps,), lie in a stretch in which nothing moves; none where nothing tells."""
    least = max(LEAST, round(min(SECONDS * episodes.rate_hz, episodes.steps + 1)))
    begins = np.arange(max(episodes.steps - least + 1, 0))
    rests = episodes.owner(begins) == episodes.owner(begins + least - 1)  # in one episode
    whole, tells = np.flatnonzero(rests), False
    if len(whole):
        for key, block in motion(episodes):
            resting, moving = _resting(episodes, block, least, whole)
            rests[whole] &= resting
            few = is_action(key) and all(len(np.unique(column)) <= FEW for column in block.T)
            tells |= moving and not few
    return _covered(begins[rests & tells], least, episodes.steps)


def stretches(episodes: Episodes, still: NDArray[np.bool_]) -> list[Stretch]:
    """The stretches in which nothing moves, in order, of what `still_steps` found."""
    edges = np.flatnonzero(np.diff(still)) + 1
    cuts = np.unique(np.concatenate([edges, episodes.starts, episodes.ends])).tolist()
    found = []
    for start, stop in pairwise(cuts):
        if still[start]:
            place = int(episodes.owner(start))
            first, end = int(episodes.starts[place]), int(episodes.ends[place])
            length = stop - start
            found.append(Stretch(place, start - first, length, start == first, stop == end))
    return found


def says_motion(episodes: Episodes, key: str) -> bool:
    """Whether a feature is of numbers that say where something is, or where it is told to go."""
    array = episodes.arrays[key]
    numbers = np.dtype(array.dtype).kind in "biuf" and episodes.kind(key) == "state"
    few = prod(array.shape[1:]) <= WIDE
    return numbers and few and not NO_MOTION & set(re.findall("[a-z]+", key.lower()))


def motion(episodes: Episodes) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """(feature, some of its columns (steps, columns), less an offset), of all that tells motion."""
    for key in episodes.arrays:
        if not says_motion(episodes, key):
            continue
        try:
            values: NDArray[Any] = episodes.read(key)
        except DataError:
            continue  # told where it is what a policy sees
        values = values.reshape(len(values), -1)
        columns = max(BLOCK // len(values), 1)
        for first in range(0, values.shape[1], columns):
            some = values[:, first : first + columns]
            if some.dtype.kind in "iu":  # counts of 64 bits differ by less than floats can tell
                counts = some.astype(np.int64).view(np.uint64)
                yield key, (counts - counts[:1]).view(np.int64).astype(np.float64)
            else:
                yield key, some.astype(np.float64) - some[:1].astype(np.float64)


def _resting(
    episodes: Episodes, block: NDArray[np.float64], least: int, whole: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], bool]:
    """(whether all columns rest in the `least` steps from each of `whole` on, whether some move).

    Clocks, what never moves and what is all noise rest all the time. Accidents alone are no motion.
    """
    inside = np.ones(len(block), np.bool_)
    inside[episodes.starts] = False
    moves = np.diff(block, axis=0, prepend=block[:1])
    steps = moves[inside]
    rounded = 1e-9 * np.abs(steps).max(0, initial=0)
    clock = (steps > 0).all(0) & (np.std(steps, axis=0) < 0.1 * np.mean(steps, axis=0))
    averaged = _averaged(episodes, block)
    went = (_running(np.maximum, averaged, least) - _running(np.minimum, averaged, least))[whole]
    resting, moves_some = np.ones(len(whole), np.bool_), False
    for column in np.flatnonzero(~clock):
        far, limit = went[:, column], rounded[column]
        noise = _noise(moves[:, column], far, least, whole)
        tick = _tick(block[:, column], steps[:, column], limit)
        floor = max(NOISE * noise, TICKS * tick, limit)
        moving = far[far > MOVES * floor]
        if len(moving):
            resting &= far <= max(LITTLE * float(np.quantile(moving, MOVING)), floor)
        moves_some |= len(moving) > ACCIDENTS * (least + 2 * AVERAGED)
    return resting, moves_some


def _noise(
    moves: NDArray[np.float64], far: NDArray[np.float64], least: int, whole: NDArray[np.int64]
) -> float:
    """The standard deviation of white noise (0 where there is none) of a column that moves so.

    In noise each move takes the one before half back; in a walk at random there is no telling, and
    in motion they are alike. It is looked for where the column moves least.
    """
    calmest = np.argsort(far, kind="stable")
    noise = 0.0
    for share in CALM:
        begins = whole[calmest[: max(1, round(share * len(whole)))]]
        inside = _covered(begins + 2, least - 2, len(moves))  # with the move before in them, too
        pairs = np.flatnonzero(inside)
        back, energy = -moves[pairs] * moves[pairs - 1], float(np.mean(moves[pairs] ** 2))
        if float(back.mean()) > max(TAKEN_BACK, SURE / np.sqrt(len(pairs))) * energy:
            noise = max(noise, float(np.sqrt(back.mean())))
    return noise


def _covered(begins: NDArray[np.int64], length: int, steps: int) -> NDArray[np.bool_]:
    """Which steps lie in the stretches of that length from each of `begins` on."""
    edges = np.zeros(steps + 1, np.int64)
    np.add.at(edges, begins, 1)
    np.add.at(edges, begins + length, -1)
    return np.cumsum(edges[:-1]) > 0


def _tick(column: NDArray[np.float64], steps: NDArray[np.float64], rounded: float) -> float:
    """The size of a column's small steps, as one count of an encoder; 0 where it has none."""
    sizes = np.abs(steps)
    moved = sizes[sizes > rounded]
    if not len(moved):
        return 0.0
    tick = float(np.quantile(moved, SMALL))
    fine = float(np.ptp(column)) >= FINE * tick or len(moved) > RESTLESS * len(sizes)
    return tick if fine else 0.0


def _averaged(episodes: Episodes, block: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each step with its neighbours in the episode, averaged."""
    total = np.concatenate([np.zeros((1, block.shape[1])), np.cumsum(block, axis=0)])
    step = np.arange(len(block))
    place = episodes.owner(step)
    low = np.maximum(step - AVERAGED, episodes.starts[place])
    high = np.minimum(step + AVERAGED + 1, episodes.ends[place])
    return (total[high] - total[low]) / (high - low)[:, None]


def _running(pick: np.ufunc, block: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """The largest (or smallest) of `size` rows from each on, by doubling; short at the end."""
    found, covered = block, 1
    while covered < size:
        more = min(covered, size - covered)
        found = pick(found[:-more], found[more:])
        covered += more
    return found
