"""What is wrong with a data set, said before training rather than by a strange policy after it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.data.problem import Problem
from steadyhand.data.problems import (
    copies,
    film,
    marks,
    numbers,
    outliers,
    pictures,
    rest,
    sample,
    tasks,
    time,
)
from steadyhand.errors import DataError
from steadyhand.spec import PolicySpec

SHORT = 4
"""Episodes with fewer steps than this are reported."""
EARLY = 0.25
"""So are those that are shorter than this share of the median."""
Watch = Callable[[str, NDArray[Any] | None], None]

__all__ = ["Problem", "inspect_episodes"]


def inspect_episodes(
    episodes: Episodes,
    watch: Watch = lambda key, values: None,
    *,
    horizon: int = 0,
    look: bool = True,
    normalisation: str = "min_max",
    spec: PolicySpec | None = None,
) -> list[Problem]:
    """Every problem found, those of the whole set first.

    `watch` is given each feature, None where it cannot be read; pictures are looked at by samples,
    and not at all without `look`. So are numbers that are more than fit (`sample.py`), and it is
    said. Episodes shorter than `horizon` are reported. What is advised
    is for numbers that are normalised as `normalisation` says. Where a policy is to be trained,
    `spec` says what it sees and does: all else is left alone, but clocks and tasks.
    """
    problems = list(_of_the_set(episodes, horizon, spec))
    flat: dict[str, NDArray[Any]] = {}
    used = episodes.arrays if spec is None else {feature.key for feature in spec.features}
    few = sample.of_numbers(episodes, sample.plain(episodes, used))
    problems += sample.said(episodes, few)
    problems += rest.inspect(few)
    for key, array in episodes.arrays.items():
        if key not in used:
            continue
        if array.shape[0] > episodes.steps:
            message = f"'{key}' has steps after the end of the last episode; they are not used."
            problems.append(Problem("surplus", message))
        picture, alone = sample.pictured(episodes, key), sample.wide(episodes, key)
        if picture and not look:
            continue
        if picture:
            values, found = pictures.inspect(episodes, key, sample.of_pictures(episodes, key))
        else:
            part = sample.of_wide(episodes, key) if alone else few
            values, found = _read(part, key)
            problems += sample.said(episodes, part, f"numbers of '{key}'") if alone else ()
        problems += found
        if picture:
            problems += copies.inspect_footage(episodes, key)
            colour = spec is None and episodes.kind(key) == "image"
            problems += film.inspect(episodes, key) if colour else ()
        watch(key, values)
        if values is not None and not picture and not alone and values.dtype.kind in "iuf":
            flat[key] = values
            if values.ndim == 2:
                problems += numbers.inspect(few, key, values)
                problems += outliers.inspect(few, key, values, normalisation)
    problems += copies.inspect(few, flat, look)
    problems += time.inspect(few, flat)
    problems += tasks.inspect(few, flat, () if spec is None else used)
    problems += numbers.compare(few, flat, None if spec is None else spec.action.key)
    file = str(episodes.path) if episodes.path else None
    return [replace(problem, file=problem.file or file) for problem in problems]


def _of_the_set(episodes: Episodes, horizon: int, spec: PolicySpec | None) -> Iterator[Problem]:
    """What is known without a look at any number."""
    if spec is None:
        for name, why in episodes.left_out.items():
            yield Problem("left-out", f"'{name}' is left out: {why}.")
        yield from episodes.remarks
    yield from _lengths(episodes, horizon)
    yield from marks.inspect(episodes)


def _read(episodes: Episodes, key: str) -> tuple[NDArray[Any] | None, list[Problem]]:
    """(the numbers of a feature, None where they cannot be read; why they cannot)."""
    if 0 in (shape := tuple(episodes.arrays[key].shape)):
        return None, [Problem("empty", f"'{key}' is empty: its shape is {shape}.")]
    try:
        return episodes.read(key), []
    except DataError as error:
        kind = "unreadable" if error.kind == DataError.kind else error.kind
        file = str(error.file) if error.file else None
        return None, [Problem(kind, str(error), error.episode, file)]


def _lengths(episodes: Episodes, horizon: int) -> Iterator[Problem]:
    lengths = episodes.lengths
    usual = float(np.median(lengths))
    for number in np.flatnonzero(lengths < max(SHORT, horizon, EARLY * usual)):
        steps, i = int(lengths[number]), episodes.number(int(number))
        if steps < SHORT:
            yield Problem("short", f"Episode {i} has only {steps} steps.", i)
        elif steps < EARLY * usual:
            message = (
                f"Episode {i} ends early: after {steps} steps, where half of the episodes go on "
                f"for {usual:.0f} or more."
            )
            yield Problem("early", message, i)
        else:
            message = (
                f"Episode {i} has {steps} steps, fewer than a chunk of {horizon}: what is "
                "predicted beyond its end was never demonstrated."
            )
            yield Problem("horizon", message, i)
