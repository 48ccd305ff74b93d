"""What the numbers of a feature look like: the basis of every normaliser.

Figures are made one dimension at a time, so that not even the chunks of a large data set are ever
held as a whole.
"""

from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.actions import to_relative
from steadyhand.data.episodes import Episodes
from steadyhand.data.windows import make_windows
from steadyhand.errors import DataError
from steadyhand.runtime.statistics import LARGEST, Statistics, far
from steadyhand.spec import Feature, PolicySpec

RARE = 1000
"""Of so many numbers, the highest and the lowest may be accidents."""
ENOUGH = 100
"""With fewer numbers than this, none is taken for one."""
ROUNDINGS = 8
"""A range of so many steps between neighbouring floating numbers is rounding and no motion."""


def statistics_of(values: NDArray[Any]) -> Statistics:
    """The statistics of values (count, …) over the first axis."""
    return _assembled(((v, rounding_of(v)) for v in _columns(values)), values.shape[1:])


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
    """The statistics of each state feature."""
    return {
        feature.name: statistics_of(episodes.read(feature))
        for feature in features
        if feature.kind == "state"
    }


def policy_statistics(episodes: Episodes, spec: PolicySpec) -> dict[str, Statistics]:
    """What a policy's normaliser needs; relative actions are seen as the chunks they come in.

    Raises `DataError` for numbers that are too large to be squared.
    """
    if spec.reference is None:
        found = statistics(episodes, spec.features)
    else:
        chunks = _relative_columns(episodes, spec, spec.reference)
        action = {spec.action.name: _assembled(chunks, spec.action.shape)}
        found = {**statistics(episodes, spec.observations), **action}
    for name, figures in found.items():
        if max(np.abs(figures.minimum).max(), np.abs(figures.maximum).max()) > LARGEST:
            raise DataError(
                f"{episodes.path or 'the data'}: '{name}' has numbers beyond {LARGEST:g}, of which "
                "nothing can be learned. Store them in another unit."
            )
    return found


def _columns(values: NDArray[Any]) -> Iterator[NDArray[Any]]:
    flat = values.reshape(len(values), -1)
    return (flat[:, column] for column in range(flat.shape[1]))


def _relative_columns(
    episodes: Episodes, spec: PolicySpec, reference: Feature
) -> Iterator[tuple[NDArray[Any], float]]:
    """Each dimension of all rows of all chunks that lie in their episode, and its rounding."""
    windows, steps = make_windows(episodes, spec.chunking), np.arange(episodes.steps)
    meant, inside = windows.action(steps), ~windows.padded(steps)
    pair = (_columns(episodes.read(feature)) for feature in (spec.action, reference))
    for action, now in zip(*pair, strict=True):
        told, there = _signed(action), _signed(now)
        rows = [
            to_relative(told[meant[here, row]], there[here]) for row, here in enumerate(inside.T)
        ]
        yield np.concatenate(rows), rounding_of(action) + rounding_of(now)


def _signed(values: NDArray[Any]) -> NDArray[Any]:
    """Numbers whose differences do not wrap round, as those of counts without a sign would."""
    return values if values.dtype.kind == "f" else values.astype(np.float64)


def _assembled(columns: Iterable[tuple[NDArray[Any], float]], shape: tuple[int, ...]) -> Statistics:
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
