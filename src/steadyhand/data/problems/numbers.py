"""Numbers that say nothing, say too much, or do not belong together."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.data.problems.problem import Problem

FEW = 12
"""A column with no more different numbers than this is a switch, and is at its ends by right."""
AT_END = 0.2
"""Share of steps at one end of the range beyond which a column is called saturated."""
LAGS = 15
"""Steps by which actions may come before what they bring about."""
UNRELATED = 0.2
"""Best correlation of an action's changes with the state's, below which they are unrelated."""


def inspect(
    episodes: Episodes, key: str, values: NDArray[Any], file: str | None
) -> Iterator[Problem]:
    """What is wrong with one feature (steps, columns) by itself."""
    constant = np.flatnonzero(values.max(0) == values.min(0)).tolist()
    if constant:
        message = (
            f"'{key}' never changes in columns {constant}: no harm, and no help to a policy; "
            "--observations can leave them out."
        )
        yield Problem("constant", None, file, message)
    yield from _saturated(key, values, file)


def _saturated(key: str, values: NDArray[Any], file: str | None) -> Iterator[Problem]:
    if values.dtype.kind != "f":
        return
    found = []
    for column in range(values.shape[1]):
        numbers = values[:, column]
        low, high = float(numbers.min()), float(numbers.max())
        shares = {end: float((numbers == end).mean()) for end in (low, high)}
        end = max(shares, key=lambda end: shares[end])
        if shares[end] > AT_END and len(np.unique(numbers)) > FEW:
            found.append(f"{column} ({shares[end]:.0%} at {end:.4g})")
    if found:
        message = (
            f"'{key}' sits at one end of its range in columns {', '.join(found)}: clipped by a "
            "limit, or a switch. What was meant beyond the limit is lost."
        )
        yield Problem("saturated", None, file, message)


def compare(
    episodes: Episodes, flat: dict[str, NDArray[Any]], file: str | None
) -> Iterator[Problem]:
    """What is wrong with the action beside what was observed."""
    action = flat.get("action")
    if action is None or action.ndim != 2:
        return
    for key, values in flat.items():
        if key == "action" or values.ndim != 2 or np.array_equal(values.min(0), values.max(0)):
            continue  # what never changes echoes nothing
        width = values.shape[1]
        echo = None
        for column in range(action.shape[1] - width + 1):
            if np.array_equal(values, action[:, column : column + width]):
                echo = column
                message = (
                    f"'action[{column}:{column + width}]' is '{key}' of the same step, so there is "
                    "nothing to predict: the action of a step is what the robot was told when it "
                    "saw that step, or else the next position."
                )
                yield Problem("echo", None, file, message)
        named = episodes.names.get(key) == episodes.names.get("action")
        if echo is None and width == action.shape[1] and named and "state" in key:
            yield from _follows(episodes, key, values, action, file)


def _follows(
    episodes: Episodes, key: str, state: NDArray[Any], action: NDArray[Any], file: str | None
) -> Iterator[Problem]:
    """Whether the state goes where actions send it, and not the other way round."""
    found = [follow_lag(episodes, state[:, i], action[:, i]) for i in range(action.shape[1])]
    moving = [pair for pair in found if pair is not None]
    if not moving:
        return
    # The best of many lags of few steps is high by chance alone.
    enough = max(UNRELATED, 3.5 / np.sqrt(episodes.steps))
    related = [lag for lag, correlation in moving if correlation >= enough]
    if len(related) < len(moving) / 2:
        message = (
            f"'action' and '{key}' do not follow each other: in {len(moving) - len(related)} of "
            f"{len(moving)} columns that move, what changes in one does not in the other within "
            f"{LAGS} steps. If they are of another kind or order, all is well; else check the "
            "columns and the clocks they were recorded by."
        )
        yield Problem("unrelated", None, file, message)
    elif np.median(related) < 0:
        message = (
            f"'action' comes {-np.median(related):.0f} steps after '{key}' has moved, where it "
            "should come before: actions were recorded late, or hold what was measured."
        )
        yield Problem("late", None, file, message)


def follow_lag(
    episodes: Episodes, state: NDArray[Any], action: NDArray[Any]
) -> tuple[int, float] | None:
    """(steps by which the state's changes come after the action's, their correlation there)."""
    inside = np.ones(len(state), bool)
    inside[episodes.starts] = False
    moved = [np.where(inside, np.diff(x, prepend=x[:1]), 0.0) for x in (state, action)]
    norms = [float(np.linalg.norm(x)) for x in moved]
    if min(norms) < 1e-6:
        return None
    state, action = moved[0] / norms[0], moved[1] / norms[1]
    size = len(state)
    lags = range(-LAGS, LAGS + 1)
    found = [
        float(state[max(lag, 0) : size + min(lag, 0)] @ action[max(-lag, 0) : size - max(lag, 0)])
        for lag in lags
        if abs(lag) < size
    ]
    best = int(np.argmax(found))
    return best - min(LAGS, size - 1), found[best]
