"""Episodes at another rate: each is seen anew at even times, from its first step on.

Pictures, depth, points and whole numbers are those of the nearest step. Other numbers lie on the
line between two steps; where any of them jumps, as a gripper or an angle that turns over, the
nearer step is taken whole. Nothing is taken from another episode.
"""

import re
from dataclasses import replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.data.kinds.meaning import is_action
from steadyhand.data.lazy import LazyArray, Rows, take
from steadyhand.errors import ConfigurationError
from steadyhand.spec import LAST_ACTION
from steadyhand.values import positive

Actions = Literal["hold", "interpolate", "sum"]
"""What becomes of actions: as last told, on the line between two, or added up (for deltas)."""
EVENTS = {"done", "dones", "terminal", "terminals", "terminated", "truncated", "success"}
REWARDS = {"reward", "rewards"}
JUMP = 0.5
"""A column jumps where it goes by more than this share of all that it ever spans, in one step."""
PIECE = 1 << 16
NEARLY = 1e-6
"""Steps by which a time may be off for what rounding does."""
SETTINGS = {
    "hold": "as last told",
    "interpolate": "on the line between two steps",
    "sum": "added up, or shared out",
}


def resampled(
    episodes: Episodes, rate_hz: float, actions: Actions = "hold"
) -> tuple[Episodes, list[str]]:
    """(the episodes at `rate_hz` steps a second; what to say of it).

    Raises `ConfigurationError` for a rate that is none, or so low or high that it cannot be meant.
    """
    positive("rate", rate_hz)
    times = rate_hz / episodes.rate_hz
    if not 1e-3 < times < 1e3:
        raise ConfigurationError(
            f"rate is {rate_hz:g} Hz, and the data was recorded at {episodes.rate_hz:g} Hz. Choose "
            "a rate that is nearer."
        )
    if abs(times - 1) < NEARLY:
        return episodes, [f"The data is at {rate_hz:g} Hz already."]
    grid = _Grid(episodes, times)
    arrays: dict[str, LazyArray] = {}
    done: dict[str, list[str]] = {}
    for key, array in episodes.arrays.items():
        if key == LAST_ACTION and "action" in episodes.arrays:
            continue
        how, arrays[key] = _resampled(episodes, key, array, grid, actions)
        done.setdefault(how, []).append(key)
    found = replace(episodes, arrays=arrays, ends=grid.ends, rate_hz=float(rate_hz))
    if LAST_ACTION in episodes.arrays:
        found = found.with_last_action("action")
    before, after = episodes.rate_hz, rate_hz
    said = [f"{before:g} Hz to {after:g} Hz: {episodes.steps} steps become {found.steps}."]
    said += [f"{', '.join(keys)}: {how}." for how, keys in done.items()]
    if actions != "sum" and any(map(is_action, arrays)):
        said.append("Where actions are moves from one place to the next, add them: --actions sum.")
    return found, said


def _resampled(
    episodes: Episodes, key: str, array: LazyArray, grid: "_Grid", actions: Actions
) -> tuple[str, LazyArray]:
    """(how, in words; the feature at the new times)."""
    words = set(re.findall("[a-z]+", key.lower()))
    floating = np.dtype(array.dtype).kind == "f" and episodes.kind(key) == "state"
    if is_action(key):
        if actions == "sum" and floating:
            return SETTINGS["sum"], grid.added(episodes.read(key))
        if actions == "hold" or not floating:
            return SETTINGS["hold"], Rows(array, grid.before)
    elif words & EVENTS and np.dtype(array.dtype).kind in "biuf":
        return "what happened since the step before", grid.gathered(episodes.read(key))
    elif words & REWARDS and floating:
        return SETTINGS["sum"], grid.added(episodes.read(key))
    if floating:
        return SETTINGS["interpolate"], Between(array, grid.before, grid.after, grid.share)
    return "of the nearest step", Rows(array, grid.nearest)


class _Grid:
    """Where the new steps lie among those that were recorded."""

    def __init__(self, episodes: Episodes, times: float) -> None:
        lengths = np.floor((episodes.lengths - 1) * times + NEARLY).astype(np.int64) + 1
        self.ends = np.cumsum(lengths)
        inside = np.arange(self.ends[-1]) - np.repeat(self.ends - lengths, lengths)
        place = inside / times
        whole = np.round(place)
        place = np.where(np.abs(place - whole) < NEARLY, whole, place)
        start, last = (np.repeat(at, lengths) for at in (episodes.starts, episodes.ends - 1))
        self.before = np.minimum(start + np.floor(place).astype(np.int64), last)
        """The last step at or before each new one."""
        self.after = np.minimum(self.before + 1, last)
        self.share = place - np.floor(place)
        """How far between the two."""
        self.nearest = np.where(self.share <= 0.5, self.before, self.after)
        self._begin = start + place
        first = np.concatenate([[True], np.diff(start) > 0]) if len(start) else start
        final = np.append(first[1:], True)
        self._end = np.where(
            final, np.repeat(episodes.ends, lengths), np.append(self._begin[1:], 0)
        )
        self._steps = episodes.steps

    def added(self, values: NDArray[Any]) -> NDArray[Any]:
        """Sums of (steps, …) over the time of each new step, each taken as going on evenly.

        Columns of at most three values, as a gripper's, are as they were last.
        """
        flat = values.reshape(len(values), -1).astype(np.float64)
        total = np.concatenate([np.zeros((1, flat.shape[1])), np.cumsum(flat, axis=0)])

        def until(place: NDArray[np.float64]) -> NDArray[np.float64]:
            whole = np.minimum(np.floor(place).astype(np.int64), self._steps - 1)
            return total[whole] + (place - whole)[:, None] * flat[whole]

        found = until(self._end) - until(self._begin)
        held = [i for i in range(flat.shape[1]) if len(np.unique(flat[:, i])) <= 3]
        if len(held) < flat.shape[1]:
            found[:, held] = flat[self.before][:, held]
        return found.reshape(-1, *values.shape[1:]).astype(values.dtype)

    def gathered(self, values: NDArray[Any]) -> NDArray[Any]:
        """The largest of (steps, …) from each new step to before the next; of none, 0."""
        begin, end = (np.ceil(at).astype(np.int64) for at in (self._begin, self._end))
        found = np.zeros((len(begin), *values.shape[1:]), values.dtype)
        some = end > begin
        edges = np.stack([begin[some], end[some]], 1).reshape(-1)
        padded = np.concatenate([values, values[-1:]])
        found[some] = np.maximum.reduceat(padded, edges)[::2]
        return found


class Between:
    """Numbers on the line between two rows of an array each; where any jumps, of the nearer row."""

    def __init__(
        self,
        source: LazyArray,
        before: NDArray[np.int64],
        after: NDArray[np.int64],
        share: NDArray[np.float64],
    ) -> None:
        self.source, self.before, self.after, self.share = source, before, after, share
        self.shape, self.dtype = (len(before), *source.shape[1:]), np.dtype(source.dtype)

    def __getitem__(self, key: Any, /) -> NDArray[Any]:
        which = np.arange(len(self.before))[key]
        rows = np.atleast_1d(which).reshape(-1)
        one, other = (take(self.source, at[rows]) for at in (self.before, self.after))
        one, other = (part.astype(np.float64) for part in (one, other))
        columns = tuple(range(1, one.ndim))
        jumps = (np.abs(other - one) > JUMP * self._spans).any(columns, keepdims=True)
        share = self.share[rows].reshape(-1, *[1] * len(columns))
        found = one + np.where(jumps, share > 0.5, share) * (other - one)
        return found.astype(self.dtype).reshape(*np.shape(which), *self.shape[1:])

    @cached_property
    def _spans(self) -> NDArray[np.float64]:
        """How far each column goes from its smallest to its largest number."""
        ends = np.arange(0, self.source.shape[0], PIECE)
        parts = (np.asarray(self.source[at : at + PIECE], np.float64) for at in ends)
        found = [(part.min(0), part.max(0)) for part in parts]
        return np.max([high for _, high in found], 0) - np.min([low for low, _ in found], 0)
