"""What is wrong with a data set, said before training rather than by a strange policy after it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.errors import DataError

FAR = 3
"""Numbers so many times the 1 to 99 % range away from it are reported."""
SHORT = 4
"""Episodes with fewer steps than this are reported."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong."""

    kind: str
    episode: int | None
    file: str | None
    message: str


def inspect_episodes(
    episodes: Episodes,
    watch: Callable[[str, NDArray[Any] | None], None] = lambda key, values: None,
) -> list[Problem]:
    """Every problem found; `watch` is given each feature, or None where it cannot be read."""
    file = str(episodes.path) if episodes.path else None
    flat: dict[str, NDArray[Any]] = {}
    problems = [
        Problem("short", int(i), file, f"Episode {i} has only {episodes.lengths[i]} steps.")
        for i in np.flatnonzero(episodes.lengths < SHORT)
    ]
    for key, array in episodes.arrays.items():
        if array.shape[0] > episodes.steps:
            message = f"'{key}' has steps after the end of the last episode; they are not used."
            problems.append(Problem("surplus", None, file, message))
        try:
            values = episodes.read(key)
        except DataError as error:
            kind = "unreadable" if error.kind == DataError.kind else error.kind
            problems.append(Problem(kind, None, file, str(error)))
            watch(key, None)
            continue
        watch(key, values)
        if values.size == 0:
            message = f"'{key}' is empty: its shape is {values.shape}."
            problems.append(Problem("empty", None, file, message))
        elif values.ndim == 2 and values.dtype.kind in "iuf":
            problems += _of_numbers(episodes, key, values, file)
            flat[key] = values
    return problems + _echoes(flat, file)


def _echoes(flat: dict[str, NDArray[Any]], file: str | None) -> list[Problem]:
    """Columns of the action that are what was observed in the very same step."""
    problems: list[Problem] = []
    action = flat.pop("action", None)
    if action is None:
        return problems
    for key, values in flat.items():
        width = values.shape[1]
        if np.array_equal(values.min(0), values.max(0)):
            continue  # what never changes echoes nothing
        for column in range(action.shape[1] - width + 1):
            if np.array_equal(values, action[:, column : column + width]):
                message = (
                    f"'action[{column}:{column + width}]' is '{key}' of the same step, so there is "
                    "nothing to predict: the action of a step is what the robot was told when it "
                    "saw that step, or else the next position."
                )
                problems.append(Problem("echo", None, file, message))
    return problems


def _of_numbers(
    episodes: Episodes, key: str, values: NDArray[Any], file: str | None
) -> list[Problem]:
    problems = []
    constant = np.flatnonzero(values.max(0) == values.min(0)).tolist()
    if constant:
        message = (
            f"'{key}' never changes in columns {constant}: no harm, and no help to a policy; "
            "--observations can leave them out."
        )
        problems.append(Problem("constant", None, file, message))
    low, high = np.quantile(values, [0.01, 0.99], axis=0)
    beyond = np.maximum(low - values, values - high) / np.maximum(high - low, 1e-9)
    far = np.where(high > low, beyond, 0) > FAR
    if far.any():
        step = int(np.argmax(far.any(axis=1)))
        episode = int(np.searchsorted(episodes.ends, step, side="right"))
        message = (
            f"'{key}' has {int(far.sum())} numbers that lie {FAR} times its usual range away, the "
            f"first at step {step - int(episodes.starts[episode])} of episode {episode}. Repair "
            "them, or train with --normalisation quantile: otherwise they squeeze all others."
        )
        problems.append(Problem("outliers", episode, file, message))
    return problems
