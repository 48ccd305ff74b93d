"""Demonstrations out of a robot's bags: topics at one rate, an episode a bag, as a map says.

Only the messages that a tick has are decoded, and pictures only when they are asked for. How old
they are at their ticks is a remark for each topic.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.bags.bag import Bag, Topic
from steadyhand.data.bags.cameras import Camera
from steadyhand.data.bags.found import open_bags
from steadyhand.data.bags.said import (
    RESAMPLED,
    cut_offs,
    lags_said,
    successes_said,
    tasks_said,
)
from steadyhand.data.bags.series import series
from steadyhand.data.bags.ticks import Ticks, rate_of, ticks_of
from steadyhand.data.bags.values import HEADER, is_picture, split_place, stamp_of
from steadyhand.data.episodes import Episodes
from steadyhand.data.lazy import LazyArray, Parts, Rows
from steadyhand.data.mapping.grammar import Map, Place, parse_map
from steadyhand.data.problem import Problem
from steadyhand.data.tasks import COUNTER
from steadyhand.errors import DataError, UsageError, plain
from steadyhand.sizes import Kind

SLOWEST, FASTEST = 1.0, 200.0
"""Hz between which a rate lies that nobody has said."""


def open_bag(path: str | Path, text: str, *, rate_hz: float | None = None) -> Episodes:
    """Demonstrations in MCAP, ROS 2 or ROS 1 bags, as a map of topics says.

    Raises `UsageError` for a map that does not fit what is there, `DataError` for damage.
    """
    path, said = Path(path), parse_map(text)
    if "episodes" in said.said:
        raise UsageError("Each bag is an episode: leave episodes= out of a map of topics.")
    bags = open_bags(path)
    remarks = cut_offs(bags)
    rate = rate_hz if rate_hz is not None else said.number("rate")
    if rate is None and "rate" not in said.said:
        rate = _usual_rate(bags[0], said, remarks)
    if rate is None or not 0 < rate <= 1e5:
        what = said.said["rate"].words if rate is None else f"{rate:g}"
        raise UsageError(f"rate={what} is no rate in steps a second; say one as rate=20.")
    used = _topics(said)
    clocks = [_clocks(bag, used(bag), said, remarks) for bag in bags]
    ticks = [_ticked(bag, times, rate, said) for bag, times in zip(bags, clocks, strict=True)]
    arrays: dict[str, LazyArray] = {}
    kinds: dict[str, Kind] = {}
    names: dict[str, tuple[str, ...]] = {}
    for key, place in said.features.items():
        found = [
            _feature(bag, place, each, episode, remarks)
            for episode, (bag, each) in enumerate(zip(bags, ticks, strict=True))
        ]
        parts = [array for array, _ in found]
        shapes = {tuple(part.shape[1:]) for part in parts}
        if len(shapes) > 1 or len({called for _, called in found}) > 1:
            told = ", ".join(map(str, sorted(shapes)))
            raise DataError(f"{path}: '{key}' has other shapes or joints in other bags: {told}.")
        arrays[key] = parts[0] if len(parts) == 1 else Parts(parts)
        names |= {key: found[0][1]} if found[0][1] else {}
        if isinstance(parts[0], Camera) and parts[0].kind != "image":
            kinds[key] = parts[0].kind
    ends = np.cumsum([len(t.times) for t in ticks])
    later = {key: _of_next(arrays[key], ends) for key, p in said.features.items() if p.later}
    tasks, counter = tasks_said(bags, ticks, said)
    arrays |= later | ({} if counter is None else {COUNTER: counter})
    return Episodes(
        arrays,
        ends,
        rate,
        path,
        format="bag",
        version=bags[0].parts[0].path.suffix.removeprefix("."),
        kinds=kinds,
        names=names,
        tasks=tasks,
        success=successes_said(bags, said),
        left_out=_left_out(bags[0], used(bags[0])),
        remarks=(*remarks, *lags_said(ticks, rate, said)),
    )


def _topics(said: Map) -> Any:
    """Of a bag: the topics that its features, and the task, are made of."""

    def of(bag: Bag) -> list[str]:
        places = [*said.features.values()]
        places += [p for k, p in said.said.items() if k == "task" and not p.names[0].exact]
        found = [split_place(name.text, bag.topics)[0] for p in places for name in p.names]
        return list(dict.fromkeys(found))

    return of


def _usual_rate(bag: Bag, said: Map, remarks: list[Problem]) -> float:
    """The rate of the slowest of the topics that speak often: no picture is then seen twice."""
    rates = {name: rate_of(bag.times(name)) for name in _topics(said)(bag) if len(bag.times(name))}
    often = {name: rate for name, rate in rates.items() if SLOWEST <= rate <= FASTEST} or rates
    if not often:
        raise DataError(f"{bag.path}: the topics of the map say nothing in it.")
    name = min(often, key=lambda name: often[name])
    rate = float(max(round(often[name]), 1))
    what = f"The rate is that of {name}, {rate:g} Hz; another one is said as rate=20."
    remarks.append(Problem(RESAMPLED, what))
    return rate


def _clocks(
    bag: Bag, topics: Sequence[str], said: Map, remarks: list[Problem]
) -> dict[str, NDArray[np.int64]]:
    """When each topic spoke: as it was recorded, or as its messages say, in order."""
    place = said.said.get("clock")
    clock = "log" if place is None else place.words
    if clock not in ("log", HEADER):
        raise UsageError(f"clock={clock} is none; there are log (when it was recorded) and header.")
    found: dict[str, NDArray[np.int64]] = {}
    for name in topics:
        times = bag.times(name)
        if not len(times):
            raise DataError(f"{bag.path}: {name} says nothing in it.", file=bag.path)
        if clock == HEADER:
            stamps = _stamps(bag, bag.topics[name], len(times))
            if stamps is None:
                what = f"{name} has no stamps in its headers: when it was recorded is taken."
                remarks += [p for p in [Problem(RESAMPLED, what)] if p not in remarks]
            times = times if stamps is None else stamps
        found[name] = times
    return found


def _stamps(bag: Bag, topic: Topic, count: int) -> NDArray[np.int64] | None:
    if topic.encoding != "json" and HEADER not in [field.name for field in topic.fields[:1]]:
        return None
    each = [stamp_of(message) for message in bag.decoded(topic.name, range(count), HEADER)]
    if None in each:
        return None
    # A stamp that goes back is that of the one before: messages keep their order.
    return np.maximum.accumulate(np.array(each, np.int64))


def _ticked(bag: Bag, clocks: Mapping[str, NDArray[np.int64]], rate: float, said: Map) -> Ticks:
    place = said.said.get("by")
    by: Any = "last" if place is None else place.words
    if by not in ("last", "nearest"):
        raise UsageError(f"by={by} is no way to choose messages; there are last and nearest.")
    ticks = ticks_of(clocks, rate, by)
    if ticks is None:
        spans = ", ".join(
            f"{name} {(times[0] - min(map(min, clocks.values()))) / 1e9:.3g} to "
            f"{(times[-1] - min(map(min, clocks.values()))) / 1e9:.3g} s"
            for name, times in clocks.items()
        )
        raise DataError(
            f"{bag.path}: there is no time at which all topics of the map speak: {spans}. Leave "
            "one out, or say clock=header or a lower rate.",
            file=bag.path,
        )
    return ticks


def _feature(
    bag: Bag, place: Place, ticks: Ticks, episode: int, remarks: list[Problem]
) -> tuple[LazyArray, tuple[str, ...]]:
    """(one feature of one bag at its ticks (ticks, …), what its numbers are called)."""
    places = [split_place(name.text, bag.topics) for name in place.names]
    topic, path, _ = places[0]
    if is_picture(bag.topics[topic], path):
        if len(places) > 1:
            raise UsageError(f"'{place.words}': pictures do not stand side by side.")
        return Camera(bag, bag.topics[topic], ticks.places[topic], episode), ()
    each = [series(bag, *split, ticks.places[split[0]], episode) for split in places]
    for (name, _, _), found in zip(places, each, strict=True):
        if found.merged:
            what = f"{name} speaks of some joints at a time: each is as it was last said."
            remarks += [p for p in [Problem(RESAMPLED, what)] if p not in remarks]
    called = [found.called for found in each]
    joined = np.concatenate([found.values for found in each], axis=1)
    return joined, tuple(name for own in called for name in own) if all(called) else ()


def _of_next(array: LazyArray, ends: NDArray[np.int64]) -> LazyArray:
    """Each step's is the one of the step after; the last one of an episode stays."""
    following = np.arange(1, ends[-1] + 1)
    following[ends - 1] -= 1
    return Rows(array, following)


def _left_out(bag: Bag, used: Sequence[str]) -> dict[str, str]:
    return {
        plain(name): f"the map does not name it ({plain(topic.type)})"
        for name, topic in bag.topics.items()
        if name not in used
    }
