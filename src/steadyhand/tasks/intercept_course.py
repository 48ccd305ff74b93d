"""How the goal of `intercept` moves: at one speed, straight on, and now and then it turns.

It enters at one side, crosses the upper half and leaves at the other. When it turns and by how much
cannot be known before.
"""

import math

import numpy as np
from numpy.typing import NDArray

ARENA = (-0.7, 0.7, -0.1, 1.1)
"""x from, x to, y from, y to: the robot cannot leave it, and the goal is gone where it does."""
BAND = (0.62, 0.98)
"""The y between which it stays."""
ENTRY = (0.5, 0.62)
"""How far from the middle it is at the start, to either side."""
STRAIGHT = (1.0, 2.2)
"""Seconds between two turns."""
STEEPEST = math.radians(40)
"""The furthest that it heads from the way across."""


def course(
    random: np.random.Generator, step: float, bend: float, rate_hz: float
) -> NDArray[np.float64]:
    """Where the goal is, (ticks, 2), from where it enters to where it is gone.

    It moves `step` metres a tick, and turns by half of `bend` to all of it, radians.
    """
    side = -1.0 if random.random() < 0.5 else 1.0
    x, y = side * random.uniform(*ENTRY), random.uniform(0.7, 0.9)
    heading, places = random.uniform(-0.5, 0.5) * bend, [np.array([[x, y]])]
    while abs(x) < ARENA[1]:
        ticks = round(random.uniform(*STRAIGHT) * rate_hz)
        heading = _turned(heading, random, bend, y, ticks * step)
        gone = step * np.arange(1, ticks + 1)
        path = np.stack([x - side * np.cos(heading) * gone, y + np.sin(heading) * gone], axis=-1)
        places.append(path)
        x, y = path[-1]
    whole = np.concatenate(places)
    return whole[: int(np.argmax(np.abs(whole[:, 0]) >= ARENA[1])) + 1]


def _turned(
    heading: float, random: np.random.Generator, bend: float, y: float, far: float
) -> float:
    """The next heading: to either side, but for one that would lead out of the band."""
    by = random.uniform(0.5, 1.0) * bend * (-1 if random.random() < 0.5 else 1)
    options = [min(max(heading + turn, -STEEPEST), STEEPEST) for turn in (by, -by)]
    ends = [y + far * math.sin(option) for option in options]
    end = next((end for end in ends if BAND[0] <= end <= BAND[1]), ends[0])
    return math.asin((min(max(end, BAND[0]), BAND[1]) - y) / far)
