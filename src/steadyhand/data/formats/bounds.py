"""Where the episodes of plain arrays end, by the names that people give to what says so.

Ends, lengths, starts, flags of the first or last step, or a number an episode at each step: only
what leaves no doubt is taken; where nothing is found, the caller says what is needed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.kinds.meaning import is_action
from steadyhand.data.lazy import LazyArray
from steadyhand.data.problem import Problem

ENDS = "episode_ends"
LENGTHS = ("episode_lengths", "episode_length", "episode_lens", "ep_lengths", "ep_lens")
LENGTHS += ("traj_lengths", "trajectory_lengths", "lengths")
STARTS = ("episode_starts", "episode_start", "traj_starts", "trajectory_starts", "starts")
LAST = ("terminals", "timeouts", "dones", "done", "terminations", "truncations", "is_last")
FIRST = ("is_first",)
NUMBERS = ("episode_index", "episode_indices", "episode_id", "episode_ids", "episode", "traj_id")
NUMBERS += ("traj_ids", "traj_index", "trajectory_id", "trajectory_ids", "demo_id", "demo_ids")


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Cumulative ends (episodes,), the arrays that said them, and what is to be known of it."""

    ends: NDArray[Any]
    by: tuple[str, ...]
    """What is no feature: one number an episode."""
    remarks: tuple[Problem, ...] = ()


def bounds_of(arrays: Mapping[str, LazyArray]) -> Bounds | None:
    """The bounds of episodes that arrays speak of, by the last part of their names.

    None where none of them does. Raises `ValueError`, whose text goes on from "it", where they
    contradict each other or leave it open.
    """
    named = {name.rpartition("/")[2]: name for name in reversed([*arrays])}
    if (ends := named.get(ENDS)) is not None:
        return Bounds(ends=arrays[ends][:], by=(ends,))
    steps = steps_of(arrays)
    found = _by_lengths(arrays, named, steps) or _by_starts(arrays, named, steps)
    return found or _by_flags(arrays, named, steps) or _by_numbers(arrays, named, steps)


def steps_of(arrays: Mapping[str, LazyArray]) -> int:
    """How many steps there are, as far as arrays tell: those of the action, or of most."""
    rows = {name: array.shape[0] for name, array in arrays.items() if array.shape}
    told = [count for name, count in rows.items() if is_action(name.rpartition("/")[2])]
    counts = told or list(rows.values()) or [0]
    return max(counts, key=counts.count)


def _by_lengths(
    arrays: Mapping[str, LazyArray], named: Mapping[str, str], steps: int
) -> Bounds | None:
    lengths = _counted(arrays, named, LENGTHS)
    if lengths is None:
        return None
    name, values = lengths
    ends = np.cumsum(values)
    if (values < 0).any() or ends[-1] > steps:
        raise ValueError(f"its '{name}' make {ends[-1]} steps, and it has {steps}")
    starts = _counted(arrays, named, STARTS)
    by = (name,)
    if starts is not None and len(starts[1]) == len(ends):
        if not np.array_equal(starts[1], ends - values):
            raise ValueError(f"its '{name}' and '{starts[0]}' contradict each other")
        by = (name, starts[0])
    return _told(ends, by)


def _by_starts(
    arrays: Mapping[str, LazyArray], named: Mapping[str, str], steps: int
) -> Bounds | None:
    starts = _counted(arrays, named, STARTS)
    if starts is None:
        flags = _flagged(arrays, named, (*FIRST, *STARTS), steps)
        if not flags:
            return None
        first = np.flatnonzero(np.any([values for _, values in flags], axis=0))
        return _told(np.append(first[1:], steps), tuple(name for name, _ in flags), kept=True)
    name, values = starts
    if values[0] != 0 or (np.diff(values) < 0).any() or values[-1] > steps:
        raise ValueError(f"its '{name}' do not begin at 0 and rise to at most its {steps} steps")
    return _told(np.append(values[1:], steps), (name,))


def _by_flags(
    arrays: Mapping[str, LazyArray], named: Mapping[str, str], steps: int
) -> Bounds | None:
    flags = _flagged(arrays, named, LAST, steps)
    if not flags:
        return None
    last = np.flatnonzero(np.any([values for _, values in flags], axis=0))
    if not len(last) or (np.diff(last) == 1).any():
        names = "' and '".join(name for name, _ in flags)
        raise ValueError(f"its '{names}' do not say where episodes end, but something else")
    ends = last + 1 if last[-1] == steps - 1 else np.append(last + 1, steps)
    return _told(ends, tuple(name for name, _ in flags), kept=True)


def _by_numbers(
    arrays: Mapping[str, LazyArray], named: Mapping[str, str], steps: int
) -> Bounds | None:
    for name in filter(named.__contains__, NUMBERS):
        values = _flat(arrays[named[name]], steps)
        if values is None or values.dtype.kind not in "iuf":
            continue
        last = np.append(np.flatnonzero(np.diff(values)), steps - 1)
        if len(np.unique(values[last])) < len(last):
            raise ValueError(f"its '{name}' comes back to the same number")
        return _told(last + 1, (named[name],), kept=True)
    return None


def _told(ends: NDArray[Any], by: tuple[str, ...], *, kept: bool = False) -> Bounds:
    """With a remark; `kept` are features as well: they say something at each step."""
    names = "' and '".join(by)
    message = (
        f"There is no 'episode_ends': episodes are cut by '{names}', into {len(ends)}. If that is "
        "not how they end, steadyhand convert --map cuts them otherwise."
    )
    return Bounds(ends=ends, by=() if kept else by, remarks=(Problem("bounds", message),))


def _counted(
    arrays: Mapping[str, LazyArray], named: Mapping[str, str], names: tuple[str, ...]
) -> tuple[str, NDArray[np.int64]] | None:
    """(name, whole numbers (episodes,)) of the first that holds such, and not one a step."""
    for name in filter(named.__contains__, names):
        values = _flat(arrays[named[name]], None)
        if values is None or values.dtype.kind not in "iuf" or not len(values):
            continue
        if (values == np.floor(values)).all() and (np.abs(values) < 2**53).all():
            whole = values.astype(np.int64)
            if not (len(whole) > 1 and set(np.unique(whole)) <= {0, 1}):
                return named[name], whole
    return None


def _flagged(
    arrays: Mapping[str, LazyArray], named: Mapping[str, str], names: tuple[str, ...], steps: int
) -> list[tuple[str, NDArray[np.bool_]]]:
    """(name, whether each step is marked) of those that hold one mark a step."""
    found = []
    for name in filter(named.__contains__, names):
        values = _flat(arrays[named[name]], steps)
        if values is not None and values.dtype.kind in "biuf" and np.isin(values, (0, 1)).all():
            found.append((named[name], values.astype(bool)))
    return found


def _flat(array: LazyArray, steps: int | None) -> NDArray[Any] | None:
    """The numbers of an array of one a row, (rows,); None of others, or of other rows."""
    flat = len(array.shape) == 1 or (len(array.shape) == 2 and array.shape[1] == 1)
    if not flat or (steps is not None and array.shape[0] != steps) or not array.shape[0]:
        return None
    return np.asarray(array[:]).reshape(-1)
