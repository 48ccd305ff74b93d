"""Clocks that jump or run at another rate than the data says; ends that are no ends."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.data.problem import Problem
from steadyhand.data.problems.numbers import changes
from steadyhand.errors import DataError

OFF = 0.5
"""A step that is this share of a period too long or short is a jump."""
RATE_OFF = 0.02
"""Share by which the rate may differ from that of the timestamps."""
CLOCKS = {"time", "times", "timestamp", "timestamps", "t", "ts", "stamp", "stamps", "clock"}
"""Words in the names of columns that may be clocks, though they are not declared."""
UNITS = (1.0, 1e-3, 1e-6, 1e-9)
"""Seconds in what a clock may count: the one that comes nearest to the rate is taken."""
STEADY = 0.9
"""Share of the steps by which a clock goes on; of one without such a name, by just a period."""
Numbers = NDArray[np.float64]


def inspect(episodes: Episodes, flat: dict[str, NDArray[Any]]) -> Iterator[Problem]:
    """What is wrong with the clocks that were recorded, and with flags of the end."""
    told: set[tuple[str, int]] = set()
    if episodes.steps > len(episodes):
        for key in episodes.arrays:
            clock = _clock(episodes, key, flat.get(key))
            for step, problem in () if clock is None else _of_clock(episodes, key, clock):
                if (problem.kind, step) not in told:
                    yield problem
                told.add((problem.kind, step))
    yield from _ends(episodes)


def _clock(episodes: Episodes, key: str, values: NDArray[Any] | None) -> Numbers | None:
    """Seconds since the step before, if a feature is a clock; 0 in the first step of an episode."""
    if episodes.shapes[key] not in ((), (1,)):
        return None
    try:
        values = (episodes.read(key) if values is None else values).reshape(-1)
    except DataError:
        return None  # told where it is what a policy sees
    if values.dtype.kind not in "iuf":
        return None
    steps = changes(episodes, values)
    moved = np.delete(steps, episodes.starts)
    usual = float(np.median(moved))
    if not usual > 0:
        return steps if key == "timestamp" else None
    unit = min(UNITS, key=lambda unit: abs(np.log(usual * unit * episodes.rate_hz)))
    steps *= unit
    named = bool(CLOCKS & set(re.findall("[a-z]+", key.lower())))
    regular = float((np.abs(moved / usual - 1) < RATE_OFF).mean()) >= STEADY
    near = abs(usual * unit * episodes.rate_hz - 1) < 0.1 and bool((moved > 0).all())
    goes_on = float((moved > 0).mean()) >= STEADY and not _is_phase(episodes, steps)
    return steps if key == "timestamp" or (goes_on if named else near and regular) else None


def _is_phase(episodes: Episodes, steps: Numbers) -> bool:
    """Whether it comes equally far in episodes of different lengths, and so is no time."""
    spans = np.add.reduceat(steps, episodes.starts)
    return len(set(episodes.lengths)) > 1 and bool(np.ptp(spans) <= 1e-5 * np.max(spans))


def _of_clock(episodes: Episodes, key: str, steps: Numbers) -> Iterator[tuple[int, Problem]]:
    """(the step it begins with, what is wrong) of a clock."""
    inside = np.ones(len(steps), bool)
    inside[episodes.starts] = False
    usual = float(np.median(steps[inside]))
    jumps = np.flatnonzero(
        inside & (np.abs(steps - usual) > OFF * usual) & ~_made_up(steps, inside)
    )
    inside[jumps] = False
    # Whole milliseconds make steps of 16 and 17: their mean is the rate.
    rate = 1 / float(np.mean(steps[inside])) if usual > 0 else 0.0
    # Of a clock that jitters, steps as long as the usual one are not the middle of all.
    spanned = float(steps.sum()) * episodes.rate_hz
    even = abs(spanned / (len(steps) - len(episodes)) - 1) <= RATE_OFF
    if abs(rate / episodes.rate_hz - 1) > RATE_OFF and not even:
        says = "is taken to be at" if episodes.rate_assumed else "says"
        message = (
            f"The data {says} {episodes.rate_hz:g} Hz, its '{key}' {rate:.4g} Hz. A policy moves "
            "at the rate it says; mend one of the two."
        )
        yield 0, Problem("rate", message)
    if len(jumps) and usual > 0:
        step, episode = episodes.at(int(jumps[0]))
        message = (
            f"Time jumps {len(jumps)} times in '{key}', first at step {step} of episode {episode}: "
            f"by {steps[jumps[0]]:.3g} s, where a step takes {usual:.3g} s. Frames were lost, or "
            "episodes are joined; cut them there, or leave them out."
        )
        yield int(jumps[0]), Problem("jump", message, episode)


def _made_up(steps: Numbers, inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which steps are as much too long as a neighbour is too short: late, and nothing is lost."""
    usual = float(np.median(steps[inside]))
    pairs = np.abs(steps[:-1] + steps[1:] - 2 * usual) <= OFF * usual
    pairs &= inside[:-1] & inside[1:]
    return np.append(pairs, False) | np.append(False, pairs)


def _ends(episodes: Episodes) -> Iterator[Problem]:
    """Episodes that do not say they are done at their end, where others do."""
    for key in ("next.done", "dones"):
        if key not in episodes.arrays or episodes.shapes[key] not in ((), (1,)):
            continue
        done = episodes.read(key).reshape(-1)[episodes.ends - 1].astype(bool)
        if done.any() and not done.all():
            number = episodes.number(int(np.argmin(done)))
            message = (
                f"{int((~done).sum())} episodes end without '{key}', the first is episode "
                f"{number}: they may have been cut short."
            )
            yield Problem("early", message, number)
