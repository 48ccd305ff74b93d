"""What is said of a bag beside its features: tasks, success, how old what ticks have is."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.bags.bag import Bag
from steadyhand.data.bags.ticks import Ticks, gaps_told, lag_told
from steadyhand.data.bags.values import HEADER, at_path, split_place
from steadyhand.data.mapping.grammar import Map
from steadyhand.data.problem import Problem

RESAMPLED = "resampled"


def cut_offs(bags: Sequence[Bag]) -> list[Problem]:
    """Which files end in the middle."""
    return [
        Problem(
            "cut-off",
            f"{part.path.name} was not finished, or is damaged after {at} bytes: what was recorded "
            "before is read.",
            file=str(part.path),
        )
        for bag in bags
        for part in bag.parts
        if (at := getattr(part, "cut_off", None)) is not None
    ]


def tasks_said(
    bags: Sequence[Bag], ticks: Sequence[Ticks], said: Map
) -> tuple[tuple[str, ...], NDArray[np.int64] | None]:
    place = said.said.get("task")
    if place is None:
        return (), None
    texts: dict[str, int] = {}
    counted: list[NDArray[np.int64]] = []
    for bag, each in zip(bags, ticks, strict=True):
        if place.names[0].exact:
            texts[place.words] = 0
            counted.append(np.zeros(len(each.times), np.int64))
            continue
        name, path, _ = split_place(place.words, bag.topics)
        wanted, where = np.unique(each.places[name], return_inverse=True)
        found = bag.decoded(name, wanted.tolist())
        words = [str(at_path(message, path or "data", bag.topics[name])) for message in found]
        counted.append(np.array([texts.setdefault(word, len(texts)) for word in words])[where])
    return tuple(texts), np.concatenate(counted)


def successes_said(bags: Sequence[Bag], said: Map) -> tuple[bool | None, ...]:
    """Of each bag the last thing that is said on a topic; None where nothing is."""
    place = said.said.get("success")
    if place is None:
        return ()
    marks: list[bool | None] = []
    for bag in bags:
        name, path, _ = split_place(place.words, bag.topics)
        count = len(bag.times(name))
        last = list(bag.decoded(name, range(count)[-1:]))
        marks.append(bool(at_path(last[0], path or "data", bag.topics[name])) if last else None)
    return tuple(marks)


def lags_said(ticks: Sequence[Ticks], rate: float, said: Map) -> list[Problem]:
    """How old each topic's messages are at their ticks, what was silent, and what was cut off."""
    clock = said.said.get("clock")
    way = "nearest" if "by" in said.said and said.said["by"].words == "nearest" else "last value"
    how = f"by {way}, {'header' if clock is not None and clock.words == HEADER else 'log'} time"
    told: list[Problem] = []
    for topic in ticks[0].places:
        if all(topic in each.held for each in ticks):
            what = f"{topic} speaks less than once a second: what it last said is held."
            told.append(Problem(RESAMPLED, what))
            continue
        ages = [each.ages[topic] for each in ticks]
        told.append(Problem(RESAMPLED, lag_told(topic, ages, rate, how)))
        if silent := gaps_told(topic, ages, rate):
            told.append(Problem("gap", silent))
    dropped = max(each.dropped for each in ticks)
    if dropped > 1 / rate:
        what = f"Up to {dropped:.3g} s at the beginning are left out: not every topic had spoken."
        told.append(Problem(RESAMPLED, what))
    return told
