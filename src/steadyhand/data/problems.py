"""What is wrong with a data set, said before training rather than by a strange policy after it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from steadyhand.data.episodes import Episodes
from steadyhand.errors import DataError

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
    episodes: Episodes, watch: Callable[[str], None] = lambda key: None
) -> list[Problem]:
    """Every problem found; `watch` is called with each feature's key once it is read."""
    file = str(episodes.path) if episodes.path else None
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
            continue
        finally:
            watch(key)
        if values.ndim == 2 and np.issubdtype(values.dtype, np.number):
            constant = np.flatnonzero(values.max(0) == values.min(0)).tolist()
            if constant:
                message = f"'{key}' never changes in columns {constant}."
                problems.append(Problem("constant", None, file, message))
    return problems
