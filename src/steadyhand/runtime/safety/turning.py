"""A limit on how fast a robot is told to turn, where columns of its action are rotations.

A wrapper around a robot. Numbers that are no rotations are limited in `limits.py`.
"""

from collections.abc import Sequence
from math import atan2, pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.actions import ActionPart
from steadyhand.actions.parts import ROTATIONS
from steadyhand.actions.rotations import from_matrix, nearer_sign, slerp, to_matrix
from steadyhand.errors import ConfigurationError
from steadyhand.runtime.predictor import Observation
from steadyhand.runtime.robot import Robot, require_robot, stopped
from steadyhand.runtime.safety.told import Start, numbers, starting
from steadyhand.values import named, positive

Numbers = NDArray[np.float64]
UNIT = 1e-6
"""A quaternion whose length is off by less, or 6-D numbers that are, are left as they are."""
SMALLEST = 1e-3
"""What has a smaller length is no quaternion."""
WXYZ = "quaternion_wxyz"


@named
class Turning:
    """A robot whose rotations turn by at most `speed` radians a second, on the shorter way.

    `parts` say which columns are rotations, and how they are written: `spec.action_parts`. What is
    told leaves `rate_hz` times a second. A rotation within the limit goes through to the last bit,
    but for the way it is written: of a quaternion's two signs and a vector's whole turns the nearer
    to the last, a quaternion of length 1, and 6-D numbers as two unit vectors at right angles.
    One beyond it is followed as fast as the limit allows.

    An action that is not finite or of another shape is refused, and the last one sent again; a
    quaternion of zeros is refused, and the last rotation kept. `start` is as in `Limited`, for
    the columns of all rotations; without it the first action is taken as it is.

    Raises `ConfigurationError` where no part is a rotation, and at an action that has not the
    columns of the parts before there was one.
    """

    def __init__(
        self,
        robot: Robot,
        *,
        parts: Sequence[ActionPart],
        speed: float,
        rate_hz: float,
        start: Start | None = None,
    ) -> None:
        require_robot(robot)
        self.robot = robot
        self.counts = {"turned": 0, "refused": 0}
        self._parts = [part for part in parts if part.kind in ROTATIONS]
        if not self._parts:
            kinds = ", ".join(ROTATIONS)
            raise ConfigurationError(
                f"No part of the action is a rotation, so none can turn too fast. Say which "
                f"columns are: ActionPart(start=3, stop=7, kind=…), one of {kinds}."
            )
        self.limits_hz = positive("rate_hz", rate_hz)
        self._step = positive("speed", speed) / self.limits_hz
        self._start = start
        self.forget()

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["robot"], name)

    def forget(self) -> None:
        """Begin anew with the next action: for after the robot was moved by something else."""
        self._seen: Observation | None = None
        self._last: Numbers | None = None

    def observe(self) -> Observation:
        self._seen = self.robot.observe()
        return self._seen

    def stop(self) -> None:
        """The robot's own stop, where it has one."""
        self.forget()
        stopped(self.robot)

    def act(self, action: NDArray[Any]) -> None:
        """Send the action, its rotations within the limit."""
        listed = numbers(action)
        last = self._last
        if listed is None or (last is not None and len(listed) != len(last)):
            self.counts["refused"] += 1
            if last is not None:
                self.robot.act(last.copy())
            return
        told = np.array(listed)
        if last is None:
            last = self._first(told)
        sent, turned, refused = told.copy(), False, False
        for part in self._parts:
            columns = slice(part.start, part.stop)
            found, slowed = _turned(part.kind, last[columns], told[columns], self._step)
            sent[columns] = last[columns] if found is None else found
            turned, refused = turned or slowed, refused or found is None
        self.counts["turned"] += turned
        self.counts["refused"] += refused
        self._last = sent
        self.robot.act(sent.copy())

    def _first(self, told: Numbers) -> Numbers:
        columns = [n for part in self._parts for n in range(part.start, part.stop)]
        if max(columns) >= len(told):
            raise ConfigurationError(
                f"The action has {len(told)} numbers, and its parts speak of column {max(columns)}."
            )
        first = told.copy()
        if self._start is not None:
            first[columns] = starting(self._start, self.robot, self._seen, columns, len(told))
        for part in self._parts:
            place = first[part.start : part.stop]
            found = _quaternion(part.kind, place)
            # Where the first is no rotation, none is the nearest to it that there is.
            place[:] = _written(part.kind, np.array([1.0, 0, 0, 0]) if found is None else found)
        return first


def _turned(kind: str, last: Numbers, told: Numbers, step: float) -> tuple[Numbers | None, bool]:
    """What is sent of a rotation, and whether it was too fast; None where it is none."""
    here, there = _quaternion(kind, last), _quaternion(kind, told)
    if here is None or there is None:
        return None, False
    there = nearer_sign(there, here)
    angle = 4 * atan2(float(np.linalg.norm(there - here)), float(np.linalg.norm(there + here)))
    if angle > step * (1 + 1e-9):
        return _written(kind, slerp(here, there, step / angle), last), True
    if kind.startswith("quaternion"):
        length = np.linalg.norm(told)
        same = told if abs(length - 1) <= UNIT else told / length
        return nearer_sign(same, last), False
    if kind == "rotation_vector" and np.linalg.norm(told - last) > pi:  # the long way round
        return _written(kind, there, last), False
    if kind == "rotation_6d":
        sound = _written(kind, there)
        return told if np.abs(sound - told).max() <= UNIT else sound, False
    return told, False


def _quaternion(kind: str, values: Numbers) -> Numbers | None:
    """The unit quaternion, w first, of what is recorded; None for a quaternion of no length."""
    if not kind.startswith("quaternion"):
        return from_matrix(WXYZ, to_matrix(kind, values)[None])[0]
    largest = np.abs(values).max()
    if largest < SMALLEST:
        return None
    scaled = values / largest  # so that no square overflows
    unit = scaled / np.linalg.norm(scaled)
    return unit if kind == WXYZ else np.roll(unit, 1)


def _written(kind: str, quaternion: Numbers, near: Numbers | None = None) -> Numbers:
    """A unit quaternion, w first, as it is recorded, of the sign that is nearer to `near`."""
    if kind == WXYZ:
        return quaternion
    if kind == "quaternion_xyzw":
        return np.roll(quaternion, -1)
    matrix = to_matrix(WXYZ, quaternion)[None]
    return from_matrix(kind, matrix, None if near is None else near[None])[0]
