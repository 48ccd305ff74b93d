"""Numbers that say nothing, say too much, or do not belong together."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.data.kinds.meaning import is_action
from steadyhand.data.problem import Problem
from steadyhand.data.problems.columns import column_told

FEW = 12
"""A column with no more different numbers than this is a switch, and is at its ends by right."""
AT_END = 0.2
"""Share of steps at one end of the range beyond which a column is called saturated."""
LAGS = 15
"""Steps by which actions may come before what they bring about."""
LOOKS = 64
"""Steps at which columns are held against each other before they are at all."""
UNRELATED = 0.2
"""Best correlation of an action's changes with the state's, below which they are unrelated."""


def inspect(episodes: Episodes, key: str, values: NDArray[Any]) -> Iterator[Problem]:
    """What is wrong with one feature (steps, columns) by itself."""
    constant = np.flatnonzero(values.max(0) == values.min(0)).tolist()
    if constant:
        told = [column_told(episodes, key, column) for column in constant]
        where = f" in column{'s' * (len(told) > 1)} {', '.join(told)}"
        where = "" if len(told) == values.shape[1] else where
        them = "them" if where and len(told) > 1 else "it"
        message = (
            f"'{key}' never changes{where}: no harm, and no help to a "
            f"policy; --observations can leave {them} out."
        )
        yield Problem("constant", message)
    found = []
    for column, numbers in enumerate(values.T if values.dtype.kind == "f" else ()):
        low, high = float(numbers.min()), float(numbers.max())
        shares = {end: float((numbers == end).mean()) for end in (low, high)}
        end = max(shares, key=lambda end: shares[end])
        if shares[end] > AT_END and len(np.unique(numbers)) > FEW:
            found.append(column_told(episodes, key, column, f"{shares[end]:.0%} at {end:.4g}"))
    if found:
        message = (
            f"'{key}' sits at one end of its range in columns {', '.join(found)}: clipped by a "
            "limit, or a switch. What was meant beyond the limit is lost."
        )
        yield Problem("saturated", message)


def changes(episodes: Episodes, values: NDArray[Any]) -> NDArray[np.float64]:
    """What (steps,) numbers change by at each step, also far from zero; 0 at an episode's first."""
    if values.dtype.kind in "iu":
        # Counts of 64 bits differ by less than float64 could tell apart.
        counts = values.astype(np.int64).view(np.uint64)
        centred = (counts - counts[:1]).view(np.int64).astype(np.float64)
    else:
        centred = values.astype(np.float64) - values[:1].astype(np.float64)
    moved = np.diff(centred, prepend=0.0)
    moved[episodes.starts] = 0.0
    return moved


def compare(
    episodes: Episodes, flat: dict[str, NDArray[Any]], action: str | None = None
) -> Iterator[Problem]:
    """What is wrong with the action beside what was observed.

    Unless it is named, every feature with the name of an action is one, and what is called the next
    of something was not observed.
    """
    actions = [key for key in flat if is_action(key)] if action is None else [action]
    names = episodes.names
    for told in actions:
        done = flat.get(told)
        if done is None or done.ndim != 2:
            continue
        for key, values in flat.items():
            if key in actions or (action is None and key.startswith("next")):
                continue
            seen = values.reshape(len(values), -1)
            if np.array_equal(seen.min(0), seen.max(0)):
                continue  # what never changes echoes nothing
            what = _echo(key, seen, told, done)
            if what is not None:
                message = (
                    f"{what} of the same step, so there is nothing to predict: the action of a "
                    "step is what the robot was told when it saw that step, or else the next "
                    "position."
                )
                yield Problem("echo", message)
            elif (
                values.shape == done.shape and "state" in key and names.get(key) == names.get(told)
            ):
                yield from _follows(episodes, key, values, told, done)


def _echo(key: str, seen: NDArray[Any], told: str, done: NDArray[Any]) -> str | None:
    """How an observation (steps, columns) is found again in the action, if it is."""
    if seen.dtype.kind == done.dtype.kind == "f":  # the same numbers, of which one copy is rounded
        kind = min(seen.dtype, done.dtype, key=lambda dtype: dtype.itemsize)
        seen, done = seen.astype(kind), done.astype(kind)
    width, size = seen.shape[1], done.shape[1]
    for column in range(size - width + 1):
        if np.array_equal(seen, done[:, column : column + width]):
            return f"'{told}[{column}:{column + width}]' is '{key}'"
    for column in range(width - size + 1):
        if np.array_equal(done, seen[:, column : column + size]):
            return f"'{told}' is '{key}[{column}:{column + size}]'"
    if _holds(done, seen):
        return f"Each column of '{told}' that moves is one of '{key}'"
    return f"Each column of '{key}' that moves is one of '{told}'" if _holds(seen, done) else None


def _holds(inner: NDArray[Any], outer: NDArray[Any]) -> bool:
    """Whether each column of `inner` that moves is a column of `outer`."""
    moving = np.flatnonzero(inner.max(0) > inner.min(0))
    rows = np.linspace(0, len(inner) - 1, LOOKS).astype(int)
    alike = (inner[rows][:, moving, None] == outer[rows][:, None, :]).all(0)
    return len(moving) > 0 and all(
        any(np.array_equal(inner[:, i], outer[:, j]) for j in np.flatnonzero(same))
        for i, same in zip(moving, alike, strict=True)
    )


def _follows(
    episodes: Episodes, key: str, state: NDArray[Any], told: str, action: NDArray[Any]
) -> Iterator[Problem]:
    """Whether the state goes where actions send it, and not the other way round."""
    found = [follow_lag(episodes, *columns) for columns in zip(state.T, action.T, strict=True)]
    moving = [pair for pair in found if pair is not None]
    if not moving:
        return
    # The best of many lags of few steps is high by chance alone.
    enough = max(UNRELATED, 3.5 / np.sqrt(episodes.steps))
    related = [lag for lag, correlation in moving if correlation >= enough]
    if len(related) < len(moving) / 2:
        message = (
            f"'{told}' and '{key}' do not follow each other: in {len(moving) - len(related)} of "
            f"{len(moving)} columns that move, what changes in one does not in the other within "
            f"{LAGS} steps. If they are of another kind or order, all is well; else check the "
            "columns and the clocks they were recorded by."
        )
        yield Problem("unrelated", message)
    elif np.median(related) < 0:
        message = (
            f"'{told}' comes {-np.median(related):.0f} steps after '{key}' has moved, where it "
            "should come before: actions were recorded late, or hold what was measured."
        )
        yield Problem("late", message)


def follow_lag(
    episodes: Episodes, state: NDArray[Any], action: NDArray[Any]
) -> tuple[int, float] | None:
    """(steps by which the state's changes come after the action's, their correlation there)."""
    moved = []
    for values in (state, action):
        change = changes(episodes, values)
        norm, rounding = float(np.linalg.norm(change)), 0.0
        if values.dtype.kind == "f":  # how far apart the largest numbers are as recorded
            rounding = float(np.finfo(values.dtype).eps) * float(np.abs(values).max())
        if not norm > rounding * np.sqrt(len(values)):
            return None
        moved.append(change / norm)
    (state, action), size = moved, len(state)
    most = min(LAGS, size - 1)
    found = [
        float(state[max(lag, 0) : size + min(lag, 0)] @ action[max(-lag, 0) : size - max(lag, 0)])
        for lag in range(-most, most + 1)
    ]
    best = int(np.argmax(found))
    return best - most, found[best]
