"""What a map says of episodes beside their features: the rate, the task in words, success."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.mapping.cuts import Span
from steadyhand.data.mapping.grammar import Map, Place
from steadyhand.data.mapping.places import place_of
from steadyhand.errors import UsageError

UNITS = (("seconds", 1.0), ("milliseconds", 1e3), ("microseconds", 1e6), ("nanoseconds", 1e9))
PERIODS = ("dt", "delta_t", "timestep", "time_step", "step_time", "control_dt", "period")
"""Names of the seconds from step to step."""
STEADY = 0.2
"""Share of the usual time between steps by which one may differ and be taken for the same."""


def value_of(span: Span, place: Place) -> Any:
    """A single number or text that is said of an episode's group or file; None where none is."""
    found = place_of(span.tree, span.prefix, place.words, span.tree.said)
    return None if found is None else span.tree.said[found]


@dataclass(frozen=True)
class Clock:
    """How fast the steps follow one another, and where that is recorded, when each was."""

    rate_hz: float
    of: Callable[[int], NDArray[np.float64] | None] = lambda episode: None
    """Seconds since an episode began, (steps,)."""


def clock_of(
    spans: Sequence[Span], lengths: Sequence[int], said: Map, say: Callable[[str], None]
) -> Clock | None:
    """What the map says of the rate: a number, where one lies, or times; None where nothing."""
    place = said.said.get("rate")
    if place is None:
        return None
    rate = said.number("rate")
    if rate is None and isinstance(value := value_of(spans[0], place), int | float):
        period = re.split("[/@]", place.words)[-1].lower() in PERIODS and value > 0
        rate = 1 / value if period else float(value)
    clock = _by_times(spans, lengths, place, say) if rate is None else Clock(rate)
    if not 0 < clock.rate_hz < 1e6:
        given = f"rate={place.words} is {clock.rate_hz:g} steps a second"
        raise UsageError(f"{given}; say one as rate=30.")
    return clock


def _by_times(
    spans: Sequence[Span], lengths: Sequence[int], place: Place, say: Callable[[str], None]
) -> Clock:
    """The rate by the usual time between steps; its unit is the one that makes 1 to 1,000 Hz."""
    pairs = list(zip(spans, lengths, strict=True))
    every = np.concatenate([np.diff(_of_episode(span, steps, place)) for span, steps in pairs])
    usual = float(np.median(every)) if len(every) else 1.0
    if not usual > 0:
        raise UsageError(
            f"'{place.words}' is no clock: it usually moves by {usual:g} from step to step. "
            "Say the rate as a number: rate=30."
        )
    name, scale = next((unit for unit in UNITS if 1e-3 < usual / unit[1] <= 1.0), UNITS[0])
    rate = scale / usual
    rate = float(round(rate)) if abs(rate - round(rate)) < 0.005 * rate and rate >= 1 else rate
    say(f"By '{place.words}', read as {name}, the rate is {rate:g} Hz.")
    uneven = float(np.mean(np.abs(every / usual - 1) > STEADY)) if len(every) else 0.0
    if uneven > 0.01:
        say(
            f"{uneven:.0%} of the times between steps are not the usual one; steps are taken as "
            "they come."
        )

    def seconds(episode: int) -> NDArray[np.float64]:
        times = _of_episode(spans[episode], lengths[episode], place) / scale
        return times - times[0]

    return Clock(rate, seconds)


def _of_episode(span: Span, steps: int, place: Place) -> NDArray[Any]:
    """What an array holds of one episode, (steps, numbers)."""
    start = span.stretch[0] if span.stretch else 0
    values = np.asarray(span.array(place)[start : start + steps])
    return values.reshape(len(values), -1)[:, 0].astype(np.float64)


def tasks_of(
    spans: Sequence[Span], lengths: Sequence[int], said: Map
) -> tuple[tuple[str, ...], NDArray[np.int64] | None]:
    """(what was to be done in words, which of them in each step); words as they stand in quotes,
    or as a column, a list or a group says them."""
    place = said.said.get("task")
    if place is None:
        return (), None
    if place.names[0].exact:
        return (place.words,), np.zeros(sum(lengths), np.int64)
    texts: dict[str, int] = {}
    numbers: list[NDArray[np.int64]] = []
    for number, (span, steps) in enumerate(zip(spans, lengths, strict=True)):
        words = _words(span, number, steps, len(spans), place)
        numbers.append(np.array([texts.setdefault(word, len(texts)) for word in words]))
    return tuple(texts), np.concatenate(numbers)


def _words(span: Span, number: int, steps: int, episodes: int, place: Place) -> list[str]:
    tree = span.tree
    if (value := value_of(span, place)) is not None:
        return [str(value)] * steps
    found = place_of(tree, span.prefix, place.words, tree.words)
    if found is None:
        raise UsageError(
            f"{tree.path}: nothing says the task at '{place.words}'. Words themselves stand in "
            'double quotes: task="pick it up".'
        )
    listed = list(tree.words[found]())
    start = span.stretch[0] if span.stretch else 0
    if len(listed) >= start + steps:
        return listed[start : start + steps]
    if len(listed) not in (1, episodes):
        raise UsageError(f"{tree.path}: '{place.words}' has {len(listed)} texts for {steps} steps.")
    return [listed[number if len(listed) > 1 else 0]] * steps


def successes(spans: Sequence[Span], lengths: Sequence[int], said: Map) -> tuple[bool | None, ...]:
    """Whether each episode succeeded: by a value of it, a list of one each, or marks of steps."""
    place = said.said.get("success")
    if place is None:
        return ()
    marks: list[bool | None] = []
    for number, (span, steps) in enumerate(zip(spans, lengths, strict=True)):
        value = value_of(span, place)
        if value is None:
            array = span.array(place)
            each = array.shape[0] == len(spans) and array.shape[0] != steps
            one = np.asarray(array[number : number + 1]) if each else None
            value = bool((_of_episode(span, steps, place) if one is None else one).any())
        marks.append(bool(value))
    return tuple(marks)
