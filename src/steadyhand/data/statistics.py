"""What the numbers of a feature look like: the basis of every normaliser.

Figures are made one dimension at a time, so that not even the chunks of a large data set are ever
held as a whole.
"""

from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.data.lazy import damage_told, take
from steadyhand.errors import DataError
from steadyhand.runtime.statistics import Statistics, far
from steadyhand.spec import Feature

RARE = 1000
"""Of so many numbers, the highest and the lowest may be accidents."""
ENOUGH = 100
"""With fewer numbers than this, none is taken for one."""
MOST_NUMBERS = 1 << 23
"""Of clouds of points, so many are looked at."""
ROUNDINGS = 8
"""A range of so many steps between neighbouring floating numbers is rounding and no motion."""


def statistics_of(values: NDArray[Any]) -> Statistics:
    """The statistics of values (count, …) over the first axis."""
    return assembled(((v, rounding_of(v)) for v in columns_of(values)), values.shape[1:])


def rounding_of(values: NDArray[Any]) -> float:
    """The range of one dimension's numbers that rounding alone could make.

    They are as exact as the narrowest of their own kind and float32 that holds all of them; whole
    numbers are exact, unless float64 is too coarse for their size.
    """
    if values.dtype.kind != "f":
        largest = max(abs(int(values.min())), abs(int(values.max())))
        return ROUNDINGS * float(np.finfo(np.float64).eps) * largest if largest > 2**53 else 0.0
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    kind = narrow.dtype if np.array_equal(narrow, values) else values.dtype
    exact = max(float(np.finfo(kind).eps), float(np.finfo(values.dtype).eps))
    return ROUNDINGS * exact * float(np.abs(values).max())


def narrowed(values: NDArray[Any]) -> NDArray[Any]:
    """Numbers (count, …) in float32, where it holds how they move; all others as they are."""
    if values.dtype != np.float64 or not len(values):
        return values
    low, high = values.min(0), values.max(0)
    return values if far((low + high) / 2, (high - low) / 2).any() else values.astype(np.float32)


def statistics(episodes: Episodes, features: Iterable[Feature]) -> dict[str, Statistics]:
    """The statistics of each feature of numbers; of points, those of each column, (columns,)."""
    found: dict[str, Statistics] = {}
    for feature in features:
        if feature.kind == "state":
            found[feature.name] = statistics_of(episodes.read(feature))
        elif feature.kind == "points":
            found[feature.name] = statistics_of(_points(episodes, feature))
    return found


def _points(episodes: Episodes, feature: Feature) -> NDArray[Any]:
    """Points of steps that are evenly spread, (count, columns), those that were measured."""
    many = max(1, min(episodes.steps, MOST_NUMBERS // feature.size))
    steps = np.unique(np.linspace(0, episodes.steps - 1, many).astype(np.int64))
    with damage_told(episodes.path, feature.key):
        values = take(episodes.arrays[feature.key], steps).reshape(-1, feature.shape[-1])
    there = (values[:, :3] != 0).any(-1)  # what was not measured lies at 0 0 0
    measured = values[there & np.isfinite(values).all(-1)]
    if not len(measured):
        raise DataError(
            f"{episodes.path or 'the data'}: '{feature.key}' has no point that was measured in "
            f"{len(steps)} steps that were looked at. Leave it out of --observations."
        )
    return measured


def columns_of(values: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Values (count, …), one dimension after the other, (count,) each."""
    flat = values.reshape(len(values), -1)
    return (flat[:, column] for column in range(flat.shape[1]))


def assembled(columns: Iterable[tuple[NDArray[Any], float]], shape: tuple[int, ...]) -> Statistics:
    """The statistics of dimensions, (values, the range that rounding could make) each."""
    figures = np.array([_figures(values, rounding) for values, rounding in columns])
    names = [field.name for field in fields(Statistics)]
    by_name = figures.reshape(-1, len(names)).T
    return Statistics(**{n: v.reshape(shape) for n, v in zip(names, by_name, strict=True)})


def _figures(values: NDArray[Any], rounding: float) -> tuple[float, ...]:
    """The figures of one dimension, in the order of the fields."""
    values = values.astype(np.float64)
    with np.errstate(over="ignore"):
        mean, deviation = values.mean(), values.std()
    low, high = np.quantile(values, [0.01, 0.99], overwrite_input=True)
    rare = -(-len(values) // RARE) if len(values) >= ENOUGH else 0
    values.partition([rare, len(values) - 1 - rare])
    ends = values.min(), values.max()
    return (*ends, mean, deviation, low, high, values[rare], values[-1 - rare], rounding)
