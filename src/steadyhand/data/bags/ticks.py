"""Topics that speak when they like, at one rate: which message each tick has, and how old it is.

By last value a tick has the newest message that was there; by nearest, one that came later, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

By = Literal["last", "nearest"]
SECOND = 10**9
OFTEN = 1.0
"""Messages a second from which a topic is one whose silence ends an episode."""
GAP = 0.5
"""Seconds of silence of such a topic that are told, if they are more than 3 ticks."""
ROUNDED = 1000
"""Nanoseconds by which a message may come late and be of a tick: else, of a camera at the very rate
of the ticks, every few pictures would be those before, as stamps and ticks are rounded."""
MOST = 20_000_000
"""Ticks of one bag."""
LONGEST = 7 * 24 * 3600
"""Seconds of one bag."""


@dataclass(frozen=True)
class Ticks:
    """The steps of one bag."""

    times: NDArray[np.int64]
    """Nanoseconds, (ticks,)."""
    places: Mapping[str, NDArray[np.int64]]
    """Of each topic: the message that each tick has."""
    ages: Mapping[str, NDArray[np.float64]]
    """Of each topic: seconds since that message, (ticks,); below 0 where it came later."""
    dropped: float
    """Seconds at the beginning in which not every topic had spoken."""
    held: frozenset[str]
    """Topics that speak less than once a second."""


def ticks_of(clocks: Mapping[str, NDArray[np.int64]], rate_hz: float, by: By) -> Ticks | None:
    """The ticks at which every topic has spoken, up to the first that falls silent for good.

    Topics that speak less than once a second are held instead. None where there is no such tick,
    or more of them than anybody records.
    """
    begin = max(int(times[0]) for times in clocks.values())
    often = [times for times in clocks.values() if rate_of(times) >= OFTEN]
    ends = [int(times[-1]) for times in often or clocks.values()]
    end = min(ends) if often else max(ends)
    if end < begin or end - begin > LONGEST * SECOND:
        return None
    count = int((end - begin) * rate_hz / SECOND + 1e-9) + 1
    if count > MOST:
        return None
    times = begin + np.rint(np.arange(count) * (SECOND / rate_hz)).astype(np.int64)
    places, ages = {}, {}
    for topic, spoken in clocks.items():
        places[topic] = chosen(spoken, times, by)
        ages[topic] = (times - spoken[places[topic]]) / SECOND
    first = min(int(spoken[0]) for spoken in clocks.values())
    held = frozenset(topic for topic, spoken in clocks.items() if rate_of(spoken) < OFTEN)
    return Ticks(times, places, ages, (begin - first) / SECOND, held)


def chosen(spoken: NDArray[np.int64], times: NDArray[np.int64], by: By) -> NDArray[np.int64]:
    """The number of the message that each of the times has."""
    last = np.maximum(np.searchsorted(spoken, times + ROUNDED, side="right") - 1, 0)
    if by == "last":
        return last
    after = np.minimum(last + 1, len(spoken) - 1)
    nearer = np.abs(spoken[after] - times) < np.abs(times - spoken[last])
    return np.where(nearer, after, last)


def rate_of(spoken: NDArray[np.int64]) -> float:
    """Messages a second, as a mean."""
    span = (int(spoken[-1]) - int(spoken[0])) / SECOND if len(spoken) > 1 else 0.0
    return (len(spoken) - 1) / span if span > 0 else 0.0


def lag_told(topic: str, ages: Sequence[NDArray[np.float64]], rate_hz: float, how: str) -> str:
    """How old what ticks have is, over all episodes."""
    every = np.abs(np.concatenate(list(ages)))
    middle, most, worst = np.quantile(every, 0.5), np.quantile(every, 0.95), every.max()
    said = (
        f"{topic} at {rate_hz:g} Hz, {how}: {_told(middle)} old at the median, {_told(most)} at "
        f"95 %, {_told(worst)} at worst"
    )
    return f"{said}."


def gaps_told(topic: str, ages: Sequence[NDArray[np.float64]], rate_hz: float) -> str | None:
    """Where a topic was silent for long, if it was."""
    most = [float(np.abs(each).max()) for each in ages]
    worst = int(np.argmax(most))
    if most[worst] <= max(GAP, 3 / rate_hz):
        return None
    return f"{topic} says nothing for {_told(most[worst])} in episode {worst}."


def _told(seconds: float) -> str:
    return f"{seconds:.2g} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"
