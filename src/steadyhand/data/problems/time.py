"""Clocks that jump or run at another rate than the data says; ends that are no ends."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.data.problems.problem import Problem

OFF = 0.5
"""A step that is this share of a period too long or short is a jump."""
RATE_OFF = 0.02
"""Share by which the rate may differ from that of the timestamps."""


def inspect(
    episodes: Episodes, flat: dict[str, NDArray[Any]], file: str | None
) -> Iterator[Problem]:
    """What is wrong with `timestamp`, where it was recorded, and with flags of the end."""
    clock = flat.get("timestamp")
    if clock is not None and clock.ndim == 1 and episodes.steps > len(episodes):
        inside = np.ones(len(clock), bool)
        inside[episodes.starts] = False
        steps = np.diff(clock.astype(np.float64), prepend=0.0)
        usual = float(np.median(steps[inside]))
        rate = 1 / usual if usual > 0 else 0.0
        if abs(rate / episodes.rate_hz - 1) > RATE_OFF:
            message = (
                f"The data says {episodes.rate_hz:g} Hz, its timestamps {rate:.4g} Hz. A policy "
                "moves at the rate it says; mend one of the two."
            )
            yield Problem("rate", None, file, message)
        jumps = np.flatnonzero(inside & (np.abs(steps - usual) > OFF * max(usual, 1e-9)))
        if len(jumps) and usual > 0:
            first = int(jumps[0])
            episode = int(np.searchsorted(episodes.ends, first, side="right"))
            message = (
                f"Time jumps {len(jumps)} times, first at step "
                f"{first - int(episodes.starts[episode])} of episode {episode}: by "
                f"{steps[first]:.3g} s, where a step takes {usual:.3g} s. Frames were lost, or "
                "episodes are joined; cut them there, or leave them out."
            )
            yield Problem("jump", episode, file, message)
    yield from _ends(episodes, file)


def _ends(episodes: Episodes, file: str | None) -> Iterator[Problem]:
    """Episodes that do not say they are done at their end, where others do."""
    for key in ("next.done", "dones"):
        if key not in episodes.arrays or episodes.shapes[key] not in ((), (1,)):
            continue
        done = episodes.read(key).reshape(-1)[episodes.ends - 1].astype(bool)
        if done.any() and not done.all():
            number = int(np.argmin(done))
            message = (
                f"{int((~done).sum())} episodes end without '{key}', the first is episode "
                f"{number}: they may have been cut short."
            )
            yield Problem("early", number, file, message)
