"""What a set in HDF5 says that is not so, and which episodes its lists name."""

from collections.abc import Mapping, Sequence
from typing import Any

from steadyhand.data.formats.hdf5.look import Look
from steadyhand.data.formats.hdf5.said import COUNTS, LENGTHS, SUCCESS, TOTALS, as_mark, count_in
from steadyhand.data.problem import Problem

SHOWN, SHORT = 5, 40


def remarks_of(
    found: Sequence[Look], said: Sequence[Mapping[str, Any]], *, whole: bool
) -> list[Problem]:
    """Counts that are stale, and what could not be read; counts of all only where all are there."""
    remarks = list[Problem]()
    steps = sum(look.steps for look in found)
    for names, number, what in ((TOTALS, steps, "steps"), (COUNTS, len(found), "episodes")):
        for counted in (count_in(each, names) for each in said if whole):
            if counted is not None and counted[1] != number:
                message = (
                    f"The file counts {counted[1]} {what} ({counted[0]}), and {number} are there: "
                    "episodes were taken out or are missing. What is there is read."
                )
                remarks.append(Problem("count", message))
                break
    stale = [
        (look, *counted)
        for look in found
        if (counted := count_in(look.said, LENGTHS)) is not None and counted[1] != look.steps
    ]
    if stale:
        look, name, number = stale[0]
        more = f", and {len(stale) - 1} others are counted wrong as well" * (len(stale) > 1)
        message = f"{name} of {look.spot.name} says {number}, and it has {look.steps} actions{more}"
        remarks.append(Problem("count", f"{message}. Its arrays are read.", look.spot.number))
    unread = [(look, why) for look in found for why in (*look.whys, *_no_marks(look.said))]
    if unread:
        look, why = unread[0]
        more = f"; {len(unread)} such in all" * (len(unread) > 1)
        message = f"What {look.spot.name} says of itself is not read whole: {why}{more}."
        remarks.append(Problem("attribute", message, look.spot.number))
    return remarks


def _no_marks(said: Mapping[str, Any]) -> list[str]:
    """What is called as marks of success are, and is none."""
    odd = [name for name in SUCCESS if name in said and as_mark(said[name]) is None]
    return [f"its {name} is {repr(said[name])[:SHORT]!a}, which is no mark" for name in odd]


def masks_of(
    found: Sequence[Look], named: Mapping[str, Sequence[str | int]]
) -> tuple[dict[str, tuple[int, ...]], list[Problem]]:
    """(by name: the places of the episodes that it lists, remarks on those that are not there)."""
    places: dict[str | int, int] = {}
    for place, look in enumerate(found):
        places[look.spot.name] = places[look.spot.number] = place
    masks, remarks = dict[str, tuple[int, ...]](), list[Problem]()
    for name, listed in named.items():
        masks[name] = tuple(dict.fromkeys(places[each] for each in listed if each in places))
        strangers = [str(each) for each in listed if each not in places]
        if strangers:
            which = ", ".join(strangers[:SHOWN]) + ", …" * (len(strangers) > SHOWN)
            message = f"The mask '{name}' names episodes that are not there: {which}."
            remarks.append(Problem("mask", message))
    return masks, remarks
