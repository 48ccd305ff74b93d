"""Who demonstrates `intercept`: heads for where the goal can be met, and thinks anew every tick.

Its speed, its side of the pillar and how early it swings out are a little different each time.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.runtime.predictor import Observation

SPEED = (0.38, 0.44)
"""Metres a second; each demonstration has its own."""
FURTHEST = 3.0
"""Seconds ahead that it looks for a place to meet."""


class InterceptExpert:
    """Acts in one episode: each call is one tick.

    `side` is -1 to pass the pillar on the left and 1 on the right; `pillar` is x, y and what the
    middle of the robot has to keep away, metres.
    """

    def __init__(
        self,
        *,
        side: int,
        pillar: tuple[float, float, float],
        rate_hz: float,
        random: np.random.Generator,
    ) -> None:
        self._side, self._rate = side, rate_hz
        self._pillar, self._keep = np.array(pillar[:2]), pillar[2] + random.uniform(0.05, 0.07)
        self._early = random.uniform(0.34, 0.42)
        self._speed, self._waver = random.uniform(*SPEED), random.uniform(0, 0.06)
        self._phase = random.uniform(0, 2 * np.pi)
        self._tick = 0

    def act(self, observation: Observation) -> NDArray[Any]:
        """The target of this tick (2,)."""
        here = np.asarray(observation["state"], dtype=np.float64)
        goal, moves = np.split(np.asarray(observation["goal"], dtype=np.float64), 2)
        self._tick += 1
        pace = self._speed * (1 + self._waver * math.sin(0.2 * self._tick + self._phase))
        pace *= min(1.0, (self._tick + 1) / 6)
        seconds = max(meeting(goal - here, moves, pace), 1 / self._rate)
        way = goal + seconds * moves - here
        far = float(np.linalg.norm(way))
        speed = min(pace, far / seconds)
        return here + speed / self._rate * self._around(here, way / max(far, 1e-9), far)

    def _around(
        self, here: NDArray[np.float64], way: NDArray[np.float64], far: float
    ) -> NDArray[np.float64]:
        """The direction to take: `way` (2,), or along the pillar's edge where it stands in it."""
        to = self._pillar - here
        near, along = float(np.linalg.norm(to)), float(to @ way)
        aside = float(way[0] * to[1] - way[1] * to[0])
        if near > self._early or not 0 < along < far or abs(aside) >= self._keep:
            return way
        angle = math.atan2(to[1], to[0])
        angle -= self._side * math.asin(min(1.0, self._keep / near))
        return np.array([math.cos(angle), math.sin(angle)])


def meeting(to: NDArray[np.float64], moves: NDArray[np.float64], pace: float) -> float:
    """After how many seconds who drives at `pace` can meet what is `to` away and `moves`."""
    a, b, c = pace**2 - float(moves @ moves), float(to @ moves), float(to @ to)
    if a <= 1e-9:
        return FURTHEST
    return min(FURTHEST, (b + math.sqrt(b * b + a * c)) / a)
