"""Several sets as one: a folder of them, each a task of its own unless its episodes say theirs."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from steadyhand.data.episodes import Episodes
from steadyhand.data.lazy import LazyArray, Parts, Rows
from steadyhand.data.tasks import COUNTER, task_numbers
from steadyhand.errors import DataError


def joined(sets: Mapping[str, Episodes], path: Path | None = None) -> Episodes:
    """The episodes of all sets, one after the other, with what all of them recorded.

    A set that does not say in words what was to be done is a task by its name here. What only some
    recorded is left out. Raises `DataError` where rates or shapes differ.
    """
    names, given = list(sets), list(sets.values())
    rates = {name: each.rate_hz for name, each in sets.items()}
    if len(set(rates.values())) > 1:
        said = ", ".join(f"{name} {rate:g} Hz" for name, rate in rates.items())
        raise DataError(f"{path}: its sets were recorded at different rates: {said}.")
    texts = dict[str, int]()
    numbers = list[np.ndarray]()
    for name, each in sets.items():
        own = task_numbers(each) if any(each.tasks) else np.zeros(each.steps, np.int64)
        words = each.tasks if any(each.tasks) else (name,)
        places = np.array([texts.setdefault(word, len(texts)) for word in words])
        numbers.append(places[own])
    every = [key for key in given[0].arrays if all(key in each.arrays for each in given)]
    arrays: dict[str, LazyArray] = {}
    for key in every:
        shapes = {name: each.shapes[key] for name, each in sets.items()}
        if len(set(shapes.values())) > 1:
            said = ", ".join(f"{shape} in {name}" for name, shape in shapes.items())
            raise DataError(f"{path}: '{key}' has different shapes: {said}.")
        arrays[key] = Parts([_cut(each, key) for each in given])
    arrays[COUNTER] = np.concatenate(numbers)
    left_out = {f"{name}/{key}": why for name in names for key, why in sets[name].left_out.items()}
    some = dict.fromkeys(key for each in given for key in each.arrays if key not in arrays)
    left_out |= dict.fromkeys(some, "some of the sets have it, and not all")
    lengths = np.concatenate([each.lengths for each in given])
    first = given[0]
    return replace(
        first,
        arrays=arrays,
        ends=np.cumsum(lengths),
        path=path or first.path,
        format=f"{len(given)} sets",
        version="",
        rate_assumed=any(each.rate_assumed for each in given),
        numbers=(),
        tasks=tuple(texts),
        left_out=left_out,
    )


def _cut(episodes: Episodes, key: str) -> LazyArray:
    """A feature without what may come after the last episode."""
    array = episodes.arrays[key]
    if array.shape[0] == episodes.steps:
        return array
    return Rows(array, np.arange(episodes.steps))
