"""Between the actions of a plan: to a faster rate, or at less than full speed.

Each part of an action as it is meant: numbers along a monotone spline, which never leaves the range
of the two actions that it lies between, so that what kept limits keeps them; rotations on the
shorter way; a gripper switches and has no values between. When to send is not decided here.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from steadyhand.actions import ActionPart, slerp
from steadyhand.actions.parts import ROTATIONS
from steadyhand.actions.rotations import from_matrix, nearer_sign, to_matrix

Action = NDArray[np.floating]


def between(parts: Sequence[ActionPart], start: Action, end: Action, share: float) -> Action:
    """The action (A,) so far, 0 to 1, on the way from `start` to `end`: numbers on a straight line.

    A gripper has its last value until the end is reached. `parts` are those of `spec.transform`.
    """
    if share >= 1:
        return end.copy()
    way = start + share * (end - start)
    return _meant(parts, way, start, end, share)


class Waypoints:
    """The actions of the ticks as a curve: within the tick of an action, on to it from the last.

    The spline is that of Fritsch and Butland ("A method for constructing local monotone piecewise
    cubic interpolants", 1984). It is smooth wherever the action after the next is known; where it
    turns out to be another, the curve still keeps within its two actions.
    """

    def __init__(self, parts: Sequence[ActionPart]) -> None:
        self._parts, self._kind = tuple(parts), np.dtype(np.float64)
        self._from: Action | None = None
        self._to: Action | None = None
        self._slopes: tuple[Action, Action] | None = None

    def go_on(self, action: Action, then: Action | None = None) -> None:
        """The action (A,) of this tick, and what is planned for the one after, where it is known.

        The first one is where the curve begins and rests for its tick.
        """
        self._kind = action.dtype
        start = np.asarray(action if self._to is None else self._to, np.float64)
        step = action - start
        after = np.zeros_like(step) if then is None else then - action
        came_with = np.zeros_like(step) if self._slopes is None else self._slopes[1]
        leave_with = np.zeros_like(step) if then is None else _slope(step, after)
        self._from, self._to = start, np.array(action, np.float64)
        self._slopes = (_within(came_with, step), _within(leave_with, step))

    def at(self, share: float) -> Action:
        """The action (A,) at a share, 0 to 1, of the tick: at 1, exactly that of the tick."""
        assert self._from is not None, "go_on() comes before"
        assert self._to is not None, "go_on() comes before"
        assert self._slopes is not None, "go_on() comes before"
        if share >= 1:
            return self._to.astype(self._kind)
        start, end, (first, last) = self._from, self._to, self._slopes
        u, left = share, 1 - share
        curve = start + (end - start) * u * u * (3 - 2 * u) + u * left * (left * first - u * last)
        curve = np.clip(curve, np.minimum(start, end), np.maximum(start, end))  # rounding
        return _meant(self._parts, curve, start, end, share).astype(self._kind)


def _slope(before: Action, after: Action) -> Action:
    """At an action, from the steps before and after it: their harmonic mean, 0 where they turn."""
    product = before * after
    turns = product <= 0
    return np.where(turns, 0.0, 2 * product / np.where(turns, 1.0, before + after))


def _within(slope: Action, step: Action) -> Action:
    """The slope, so small that a cubic of that step stays within it (Fritsch and Carlson, 1980)."""
    share = np.clip(slope * np.sign(step), 0, 3 * np.abs(step))
    return share * np.sign(step)


def _meant(
    parts: Sequence[ActionPart], way: Action, start: Action, end: Action, share: float
) -> Action:
    """`way`, with what are no numbers put as they are meant."""
    for part in parts:
        columns = slice(part.start, part.stop)
        if part.kind == "gripper":
            way[columns] = start[columns]
        elif part.kind in ROTATIONS:
            way[columns] = _turned(part.kind, start[columns], end[columns], share)
    return way


def _turned(kind: str, start: Action, end: Action, share: float) -> Action:
    """The rotation so far on the shorter way from one to the other, recorded as they are."""
    both = from_matrix("quaternion_wxyz", to_matrix(kind, np.stack([start, end])))
    way = slerp(both[0], nearer_sign(both[1], both[0]), share)
    if kind == "quaternion_wxyz":
        return nearer_sign(way, start)
    return from_matrix(kind, to_matrix("quaternion_wxyz", way[None]), start[None])[0]
