"""Who demonstrates `fork`: a script with a human's variation in speed and shape, never twice alike.

A path is drawn once an episode, out to its side, past the obstacle and in to the goal, and then
driven at a speed that wavers. Where the obstacle moves, it is drawn anew from there on.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.runtime.predictor import Observation

SPEED = (0.34, 0.46)
"""Metres a second; each demonstration has its own."""
POINTS = 500


class ForkExpert:
    """Acts in one episode: each call is one tick, its action the next point of the path.

    `side` is the x at which the obstacle is passed and `room` what there is to either side of it;
    `turn` are the y between which the path swings out, `back` the y from which it may swing in.
    """

    def __init__(
        self,
        *,
        start: NDArray[np.float64],
        goal: NDArray[np.float64],
        side: float,
        room: float,
        turn: tuple[float, float],
        back: float,
        rate_hz: float,
        random: np.random.Generator,
    ) -> None:
        y = np.linspace(start[1], goal[1], POINTS)
        # Where it passes, when it is out there and when it starts back in: a little different
        # each time, and a slow sway on top, which dies away at both ends.
        side += np.clip(random.normal(0, 0.25), -0.6, 0.6) * room
        out = swing(y, turn[0], turn[1] - random.uniform(0, 0.15) * (turn[1] - turn[0]))
        home = swing(y, back + random.uniform(0, 0.08), goal[1] - random.uniform(0, 0.04))
        sway = 0.1 * room * random.normal() * np.sin(np.pi * (y - start[1]) / (goal[1] - start[1]))
        sway *= np.sin(random.uniform(1, 2) * np.pi * y + random.uniform(0, 2 * np.pi))
        x = start[0] * (1 - out) + side * (out - home) + goal[0] * home + sway
        self._x, self._y, self._home, self._ready, self._offset = x, y, home, turn[1], 0.0

        length = _length(x, y)
        speed, waver, phase = random.uniform(*SPEED), random.uniform(0, 0.2), random.uniform(0, 6.3)
        ticks = np.arange(1, int(3 * length[-1] / speed * rate_hz))
        pace = speed * (1 + waver * np.sin(0.4 * ticks + phase)) * np.minimum(1, (ticks + 1) / 4)
        self._gone = np.cumsum(pace / rate_hz)
        self._targets = np.stack([np.interp(self._gone, length, axis) for axis in (x, y)], axis=-1)
        self._tick = 0

    def act(self, observation: Observation) -> NDArray[Any]:
        """The target of this tick (2,); after the end of the path, the goal."""
        offset = float(observation["shift"][0]) if "shift" in observation else 0.0
        if offset != self._offset:
            self._swerve(offset)
        target = self._targets[min(self._tick, len(self._targets) - 1)]
        self._tick += 1
        return target

    def _swerve(self, offset: float) -> None:
        """From here on, pass where the passage is now, on the same side as before."""
        tick, y = self._tick, self._y
        here = self._targets[tick - 1, 1]
        moved = swing(y, here, self._ready) - self._home
        self._x = self._x + (offset - self._offset) * moved
        self._offset = offset
        length = _length(self._x, y)
        gone = self._gone[tick:] - self._gone[tick - 1] + np.interp(here, y, length)
        path = [np.interp(gone, length, axis) for axis in (self._x, y)]
        self._targets[tick:] = np.stack(path, axis=-1)


def _length(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """How long the path is up to each of its points."""
    return np.cumsum(np.hypot(np.diff(x, prepend=x[0]), np.diff(y, prepend=y[0])))


def swing(y: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """0 below `low`, 1 above `high`, smooth between."""
    share = np.clip((y - low) / (high - low), 0, 1)
    return share**2 * (3 - 2 * share)
