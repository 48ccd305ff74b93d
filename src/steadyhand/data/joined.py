"""Several sets as one: a folder of them, or those that are converted together.

What only some of them recorded is left out and named; what is called alike must be alike.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.data.lazy import LazyArray, Mapped, Parts, Rows
from steadyhand.data.problem import Problem
from steadyhand.data.tasks import COUNTER, task_numbers
from steadyhand.errors import DataError

Sets = Mapping[str, Episodes]
"""By the names that people are told."""


def joined(sets: Sets, path: Path | None = None, *, named: bool = True) -> Episodes:
    """The episodes of all sets, one after the other, with what all of them recorded.

    A set that does not say in words what was to be done is a task by its name here; where none of
    them does, only if `named`. Raises `DataError` where rates, shapes or kinds differ.
    """
    given, where = list(sets.values()), f"{path}: " if path else ""
    rates = {name: each.rate_hz for name, each in sets.items()}
    if len(set(rates.values())) > 1:
        guess = {name: " (a guess)" if each.rate_assumed else "" for name, each in sets.items()}
        said = ", ".join(f"{name} {rate:g} Hz{guess[name]}" for name, rate in rates.items())
        way = f"Bring them to one: steadyhand convert SET… OUT --rate {min(rates.values()):g}."
        if unsaid := [name for name, each in sets.items() if each.rate_assumed]:
            way = (
                f"Say first at which {unsaid[0]} was recorded: steadyhand convert {unsaid[0]} OUT "
                "--recorded-rate 30."
            )
        raise DataError(
            f"{where}{'the' if where else 'The'} sets were recorded at different rates: {said}. "
            f"{way}"
        )
    every = [key for key in given[0].arrays if all(key in each.arrays for each in given)]
    for key in every:
        _require_alike(where, key, "shapes", sets, lambda each, key: each.shapes[key])
        _require_alike(where, key, "kinds", sets, Episodes.kind)
    orders, remarks = _orders(sets, every)
    arrays: dict[str, LazyArray] = {
        key: Parts([_cut(each, key, orders.get((name, key))) for name, each in sets.items()])
        for key in every
    }
    tasks = given[0].tasks
    if named or any(any(each.tasks) for each in given):
        tasks, arrays[COUNTER] = _tasks(sets)
    starts = np.cumsum([0, *(len(each) for each in given)]).tolist()
    for (name, each), start in zip(sets.items(), starts, strict=False):
        remarks += [_placed(remark, name, each, start) for remark in each.remarks]
    said_of = [(key, each) for key in every for each in given]
    return replace(
        given[0],
        arrays=arrays,
        ends=np.cumsum(np.concatenate([each.lengths for each in given])),
        path=path or given[0].path,
        format=f"{len(given)} sets",
        version="",
        rate_assumed=any(each.rate_assumed for each in given),
        names={key: each.names[key] for key, each in reversed(said_of) if key in each.names},
        numbers=(),
        tasks=tasks,
        left_out=_left_out(sets, every),
        kinds={key: each.kinds[key] for key, each in said_of if key in each.kinds},
        success=_success(given),
        masks=_masks(sets, starts),
        remarks=tuple(remarks),
        chosen="; ".join(f"{name}: {each.chosen}" for name, each in sets.items() if each.chosen),
    )


def _require_alike(
    where: str, key: str, what: str, sets: Sets, of: Callable[[Episodes, str], Any]
) -> None:
    found = {name: of(each, key) for name, each in sets.items()}
    if len(set(found.values())) > 1:
        said = ", ".join(f"{value} in {name}" for name, value in found.items())
        raise DataError(
            f"{where}'{key}' has different {what}: {said}. Give one of them another name or leave "
            f"it out: steadyhand convert SET OTHER --rename {key}=NAME, or --drop {key}."
        )


def _orders(
    sets: Sets, every: Sequence[str]
) -> tuple[dict[tuple[str, str], NDArray[np.int64]], list[Problem]]:
    """The order of columns in which (set, feature) is read, where it is another; what is said.

    Columns of the same names are brought into the order of the first set; other names are told.
    """
    orders: dict[tuple[str, str], NDArray[np.int64]] = {}
    remarks = list[Problem]()
    for key in every:
        known = {name: each.names[key] for name, each in sets.items() if key in each.names}
        first, names = next(iter(known.items()), ("", ()))
        for name, own in known.items():
            if own == names:
                continue
            alike = sorted(own) == sorted(names) and len(set(own)) == len(own)
            why = "they are put into that order" if alike else "they are taken for the same"
            said = f"{', '.join(own)} in {name} and {', '.join(names)} in {first}"
            remarks.append(Problem("names", f"The columns of '{key}' are {said}: {why}."))
            if alike:
                orders[name, key] = np.array([own.index(column) for column in names])
    return orders, remarks


def _cut(episodes: Episodes, key: str, order: NDArray[np.int64] | None) -> LazyArray:
    """A feature without what may come after the last episode, its columns in order."""
    array = episodes.arrays[key]
    if array.shape[0] != episodes.steps:
        array = Rows(array, np.arange(episodes.steps))
    return array if order is None else Mapped(array, lambda values: values[..., order])


def _tasks(sets: Sets) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """(the texts of all sets, each once; which of them each step has)."""
    texts = dict[str, int]()
    numbers = list[NDArray[np.int64]]()
    for name, each in sets.items():
        own = task_numbers(each) if any(each.tasks) else np.zeros(each.steps, np.int64)
        words = each.tasks if any(each.tasks) else (name,)
        places = np.array([texts.setdefault(word, len(texts)) for word in words])
        numbers.append(places[own])
    return tuple(texts), np.concatenate(numbers)


def _left_out(sets: Sets, every: Sequence[str]) -> dict[str, str]:
    """What each set says of itself, and which of them lacks what others have."""
    found = {
        f"{name}/{key}": why for name, each in sets.items() for key, why in each.left_out.items()
    }
    for key in dict.fromkeys(key for each in sets.values() for key in each.arrays):
        if key not in every and key != COUNTER:
            have = [name for name, each in sets.items() if key in each.arrays]
            lack = [name for name in sets if name not in have]
            found[key] = (
                f"{_few(have)} {'has' if len(have) == 1 else 'have'} it, and {_few(lack)} "
                f"{'has' if len(lack) == 1 else 'have'} not"
            )
    return found


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _success(given: Sequence[Episodes]) -> tuple[bool | None, ...]:
    if not any(each.success for each in given):
        return ()
    return tuple(mark for each in given for mark in each.success or (None,) * len(each))


def _masks(sets: Sets, starts: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """The choices that all sets have, under their names; those of some as `set/name`."""
    found: dict[str, tuple[int, ...]] = {}
    for (name, each), start in zip(sets.items(), starts, strict=False):
        for mask, chosen in each.masks.items():
            shared = all(mask in other.masks for other in sets.values())
            key = mask if shared else f"{name}/{mask}"
            found[key] = (*found.get(key, ()), *(start + place for place in chosen))
    return found


def _placed(remark: Problem, name: str, episodes: Episodes, start: int) -> Problem:
    """A remark of one set, of the episode as all of them count it."""
    numbers = [episodes.number(place) for place in range(len(episodes))]
    known = remark.episode in numbers
    episode = start + numbers.index(remark.episode) if known else None  # type: ignore[arg-type]
    return replace(remark, message=f"{name}: {remark.message}", episode=episode)
