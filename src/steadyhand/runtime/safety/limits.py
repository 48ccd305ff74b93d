"""Limits that nothing a policy says gets past: position, velocity, acceleration and jerk.

A wrapper around a robot. It knows what was told and at which rate, not where the arm really is: the
limits of the robot's own controller stay where they are. Turns are limited in `turning.py`.
"""

from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError
from steadyhand.runtime.predictor import Observation
from steadyhand.runtime.robot import Robot, require_robot, stopped
from steadyhand.runtime.safety.axis import Axis
from steadyhand.runtime.safety.limit_table import Limit, limit_table
from steadyhand.runtime.safety.told import Start, numbers, starting
from steadyhand.values import named, positive, shown

KINDS = {"float32": np.float32, "float64": np.float64}
"""What can be sent."""


@named
class Limited:
    """A robot that is told nothing outside of its limits, whatever comes in.

    `low` and `high` are in robot units, `velocity`, `acceleration` and `jerk` in units a second, a
    second² and a second³, as differences of what is sent `rate_hz` times a second; all for the
    `columns` of the action, or for every one. Other columns go through as they are.

    A command within the limits goes through to the last bit. One beyond them is followed as fast as
    they allow and without passing it: after every action there is a way to brake within all limits.
    An action that is not finite, or of another shape, is refused: the columns with limits brake to
    rest, the others stay. Before the first that can be followed, nothing leaves.

    `start` is where the robot is told to be before that: numbers (as many as there are columns, or
    as the action has), or the observation that holds them, as "joints" or "state[0:7]". Without it
    the first action is taken as it is, into the box. After `stop` everything begins anew.

    `dtype` is what leaves: the limits hold for float32 once that is what is sent.

    Raises `ConfigurationError` for limits that contradict each other, and at the first action for
    one that has not as many numbers as there are limits, or a start that is outside the box.
    """

    def __init__(
        self,
        robot: Robot,
        *,
        rate_hz: float,
        low: Limit = None,
        high: Limit = None,
        velocity: Limit = None,
        acceleration: Limit = None,
        jerk: Limit = None,
        columns: Sequence[int] | slice | None = None,
        start: Start | None = None,
        dtype: str = "float64",
    ) -> None:
        require_robot(robot)
        self.robot = robot
        self.counts = {"limited": 0, "refused": 0}
        self.changed: NDArray[np.int64] | None = None
        """How often each number of the action was changed, once there is one."""
        if dtype not in KINDS:
            raise ConfigurationError(f"dtype is {shown(dtype)}; it must be float32 or float64.")
        self._kind, self._start, self._columns = KINDS[dtype], start, columns
        self._largest = float(np.finfo(self._kind).max)
        rate = self.limits_hz = positive("rate_hz", rate_hz)
        given = [low, high, velocity, acceleration, jerk]
        self._limits = limit_table(given, rate, single=dtype == "float32")
        self._axes_of(self._limits.shape[1])  # refuses what cannot be
        self.forget()

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["robot"], name)

    def forget(self) -> None:
        """Begin anew with the next action: for after the robot was moved by something else."""
        self._seen: Observation | None = None
        self._axes: list[tuple[int, Axis]] = []
        self._last: list[float] = []

    def observe(self) -> Observation:
        self._seen = self.robot.observe()
        return self._seen

    def stop(self) -> None:
        """The robot's own stop, where it has one."""
        self.forget()
        stopped(self.robot)

    def act(self, action: NDArray[Any]) -> None:
        """Send the action, or what of it the limits allow."""
        told = numbers(action, self._largest)
        if not self._last:
            if told is None:
                self.counts["refused"] += 1
                return
            self._begin(told)
        if told is None or len(told) != len(self._last):
            self.counts["refused"] += 1
            told = None
        sent = self._last if told is None else list(told)
        for column, axis in self._axes:
            sent[column] = axis.next(None if told is None else told[column])
        self._last = sent
        leaves = np.array(sent, self._kind)
        if told is not None and sent != told:
            self.counts["limited"] += 1
            assert self.changed is not None
            self.changed += [new != wanted for new, wanted in zip(sent, told, strict=True)]
        self.robot.act(leaves)

    def _begin(self, told: list[float]) -> None:
        """Make what each column needs, at rest where the robot is."""
        size = len(told)
        which = range(size) if self._columns is None else self._columns
        listed = list(range(size)[which] if isinstance(which, slice) else which)
        if listed and not -size <= min(listed) <= max(listed) < size:
            raise ConfigurationError(f"The action has {size} numbers and no column {max(listed)}.")
        if len({column % size for column in listed}) < len(listed):
            raise ConfigurationError(f"A column is named twice in {listed}: it has one limit.")
        if self._limits.shape[1] not in (1, len(listed)):
            raise ConfigurationError(
                f"There are limits for {self._limits.shape[1]} numbers, and the action has {size}"
                + (". " if len(listed) == size else f", of which {len(listed)} are meant. ")
                + "Give one limit for all of them or one each, or the columns they are for."
            )
        start = self._started(told, listed)
        axes = self._axes_of(len(listed))
        for column, axis, place in zip(listed, axes, start, strict=True):
            if axis is not None:
                _require_near(place, axis, column)
                axis.begin(place)
        self._axes = [(c, axis) for c, axis in zip(listed, axes, strict=True) if axis is not None]
        self._last = list(told)
        if self.changed is None or len(self.changed) != size:
            self.changed = np.zeros(size, np.int64)

    def _started(self, told: list[float], columns: list[int]) -> list[float]:
        """Where the columns are before the first action."""
        start = self._start
        if start is not None:
            return starting(start, self.robot, self._seen, columns, len(told))
        return [min(max(told[c], low), high) for c, low, high in self._boxes(columns)]

    def _boxes(self, columns: list[int]) -> list[tuple[int, float, float]]:
        wide = np.broadcast_to(self._limits, (5, len(columns)))
        return list(zip(columns, wide[0].tolist(), wide[1].tolist(), strict=True))

    def _axes_of(self, count: int) -> list[Axis | None]:
        wide = np.broadcast_to(self._limits, (5, count)).T.tolist()
        free = [-inf, inf, inf, inf, inf]
        return [None if limits == free else Axis(*limits) for limits in wide]


def _require_near(place: float, axis: Axis, column: int) -> None:
    """A start may be outside the box by what a sensor is wrong, and no more."""
    room = (axis.high - axis.low) / 100
    if not axis.low - room <= place <= axis.high + room:
        raise ConfigurationError(
            f"Column {column} of the action starts at {place:g}, and its limits are "
            f"{axis.low:g}…{axis.high:g}. Move the robot into them, or give wider ones."
        )
