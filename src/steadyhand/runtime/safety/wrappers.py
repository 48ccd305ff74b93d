"""Wrappers that refuse: answers that are none, observations that are stale, places out of the box.

Each is what it wraps, and nests. How fast and how far numbers may go is in `limits.py`, rotations
in `turning.py`.
"""

import time
from collections.abc import Callable, Sequence
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import (
    ConfigurationError,
    NotFiniteError,
    PredictorError,
    StaleObservationError,
)
from steadyhand.runtime.predictor import ChunkRequest, Observation, Predictor, require
from steadyhand.runtime.robot import Robot, require_robot, stopped
from steadyhand.runtime.safety.told import Start, numbers, starting
from steadyhand.spec import PolicySpec
from steadyhand.values import named, positive, shown

HALVINGS = 12
"""Where the way leaves the box is found to 1/4096 of it."""


@named
class Checked:
    """A predictor whose answers are chunks, or errors that say what they are instead.

    A loop takes such an answer for lost, asks again, and gives up after some in a row.
    """

    def __init__(self, predictor: Predictor) -> None:
        advice = "A policy becomes a predictor by TorchPredictor(policy)."
        require({"predictor": (predictor, Predictor)}, advice)
        self.predictor = predictor
        self.counts = {"answers": 0}

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["predictor"], name)

    @property
    def spec(self) -> PolicySpec:
        return self.predictor.spec

    def predict(self, requests: Sequence[ChunkRequest]) -> NDArray[np.floating]:
        """Chunks (requests, horizon, action_size) in robot units.

        Raises `PredictorError` for fewer or more, another shape or no numbers, `NotFiniteError`
        where one is not finite; either is counted.
        """
        given = self.predictor.predict(requests)
        try:
            return self._checked(given, len(requests))
        except (PredictorError, NotFiniteError):
            self.counts["answers"] += 1
            raise

    def _checked(self, given: Any, count: int) -> NDArray[np.floating]:
        wanted = (count, *self.predictor.spec.chunk_shape)
        try:
            chunks = np.asarray(given)
        except ValueError:
            raise PredictorError(
                f"The predictor answered with {shown(given)}, of different shapes; chunks of this "
                f"policy are {wanted}."
            ) from None
        if chunks.shape != wanted or chunks.dtype.kind not in "biuf":
            raise PredictorError(
                f"The predictor answered with {shown(given)}, an array {chunks.shape} of "
                f"{chunks.dtype}; chunks of this policy are {wanted}, of floating numbers."
            )
        if not np.all(np.isfinite(chunks)):
            raise NotFiniteError(
                "The predictor answered with numbers that are not finite. Use another checkpoint; "
                "evaluate it before it drives a robot."
            )
        return chunks


@named
class Fresh:
    """A robot whose observations are new: one that was seen before, or is too old, is refused.

    `stamp` is when it was made, in seconds: the observation of that name, several names each of
    which has to be new, or what a function makes of the observation. `older_than` is the age in
    seconds from which it is too old, by `clock`, which has to be that of the stamps.
    """

    def __init__(
        self,
        robot: Robot,
        *,
        stamp: str | Sequence[str] | Callable[[Observation], float] = "timestamp",
        older_than: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        require_robot(robot)
        self.robot = robot
        self.counts = {"stale": 0}
        self._stamp, self._clock = stamp, clock
        self._oldest = None if older_than is None else positive("older_than", older_than)
        self._last: dict[str, float] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["robot"], name)

    def observe(self) -> Observation:
        """What the robot shows. Raises `StaleObservationError` where that is not new."""
        seen = self.robot.observe()
        stamps = self._stamps(seen)
        why = self._stale(stamps)
        self._last |= {name: at for name, at in stamps.items() if at > self._before(name)}
        if why:
            self.counts["stale"] += 1
            raise StaleObservationError(
                f"The observation is stale: {why}. Look at the device, or at what reads it."
            )
        return seen

    def act(self, action: NDArray[Any]) -> None:
        self.robot.act(action)

    def _stamps(self, seen: Observation) -> dict[str, float]:
        if callable(self._stamp):
            return {"its time": float(self._stamp(seen))}
        names = [self._stamp] if isinstance(self._stamp, str) else list(self._stamp)
        lacking = [name for name in names if name not in seen or np.size(seen[name]) != 1]
        if lacking:
            have = ", ".join(map(str, seen)) or "nothing"
            raise ConfigurationError(
                f"There is no time stamp '{lacking[0]}', one number, in the observation, which has "
                f"{have}. Say by stamp=… what it is called, or how it is found."
            )
        return {f"'{name}'": float(np.asarray(seen[name]).item()) for name in names}

    def _before(self, name: str) -> float:
        return self._last.get(name, -inf)

    def _stale(self, stamps: dict[str, float]) -> str | None:
        """Why these stamps are not those of a new observation."""
        now = self._clock()
        for name, stamp in stamps.items():
            before = self._before(name)
            if not stamp > before:
                return f"{name} is {stamp:.6f}, and {before:.6f} was seen before"
            if self._oldest is not None and now - stamp > self._oldest:
                return f"{name} is {now - stamp:.3f} s ago, more than {self._oldest:g} s"
        return None


@named
class Workspace:
    """A robot whose tool is told to stay in a box, `low` to `high`, three numbers each.

    `place` says where an action puts the tool: three columns of it, the first three by default,
    or a function `place(action) → (3,)` as the arm's forward kinematics. What is out of the box is
    told to go to its nearest place by columns; by a function, as far on the way from the last
    action as is inside, or from `start` (as in `Limited`, for the whole action). An action that is
    not finite is refused: the last one is sent again, and nothing before there was one inside.

    The box holds for what is told here. Around `Limited`, the arm may brake beyond it: leave room.
    """

    def __init__(
        self,
        robot: Robot,
        low: Sequence[float] | NDArray[np.floating],
        high: Sequence[float] | NDArray[np.floating],
        place: Sequence[int] | Callable[[NDArray[np.float64]], Any] = (0, 1, 2),
        *,
        start: Start | None = None,
    ) -> None:
        require_robot(robot)
        self.robot = robot
        self.counts = {"outside": 0, "refused": 0}
        box = numbers(low), numbers(high)
        if not all(side is not None and len(side) == 3 for side in box) or np.any(
            np.asarray(low) >= np.asarray(high)
        ):
            raise ConfigurationError(
                f"The workspace is {shown(low)} to {shown(high)}; it must be three numbers "
                "to three larger ones, as [0.2, -0.3, 0] to [0.6, 0.3, 0.4], in units of the place."
            )
        self._low, self._high = np.array(box[0]), np.array(box[1])
        self._kinematics = place if callable(place) else None
        self._columns = [] if callable(place) else list(place)
        if not callable(place) and len(self._columns) != 3:
            raise ConfigurationError(f"place is {shown(place)}; it must be three columns.")
        self._start = start
        self._seen: Observation | None = None
        self._last: NDArray[np.float64] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["robot"], name)

    def observe(self) -> Observation:
        self._seen = self.robot.observe()
        return self._seen

    def stop(self) -> None:
        """The robot's own stop, where it has one; what was told before is forgotten."""
        self._last = self._seen = None
        stopped(self.robot)

    def act(self, action: NDArray[Any]) -> None:
        """Send the action, or what of it is inside of the box."""
        listed, last = numbers(action), self._last
        if listed is None or (last is not None and len(listed) != len(last)):
            self.counts["refused"] += 1
        else:
            told = np.array(listed)
            self._last = self._within(told)
            if self._last is not told:
                self.counts["outside"] += 1
        if self._last is not None:
            self.robot.act(self._last.copy())

    def _within(self, told: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """`told` itself where it is inside; None where nothing is."""
        if self._kinematics is None:
            if len(told) <= max(self._columns):
                raise ConfigurationError(
                    f"The action has {len(told)} numbers, and place speaks of column "
                    f"{max(self._columns)}."
                )
            held = told.copy()
            held[self._columns] = np.clip(told[self._columns], self._low, self._high)
            return told if np.array_equal(held, told) else held
        if self._inside(self._kinematics(told.copy())):
            return told
        begin, low, high = self._last, 0.0, 1.0
        if begin is None and self._start is not None:
            begin = np.array(
                starting(self._start, self.robot, self._seen, range(len(told)), len(told))
            )
            begin = begin if self._inside(self._kinematics(begin.copy())) else None
        if begin is None:
            return None
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            if self._inside(self._kinematics(begin + middle * (told - begin))):
                low = middle
            else:
                high = middle
        return begin + low * (told - begin) if low else begin

    def _inside(self, place: Any) -> bool:
        found = numbers(place)
        if found is None or len(found) != 3:
            return False
        return bool(np.all((found >= self._low) & (found <= self._high)))
