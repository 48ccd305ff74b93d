"""Draws the scene of `intercept`, with where the robot and the goal have been."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from steadyhand.tasks.flat_picture import BLOCK, GOAL, ROBOT, TRAIL, FlatPicture

WAKE, HEART = (np.array(colour, dtype=np.float32) for colour in ((200, 226, 201), (82, 158, 88)))
AHEAD = 0.15
"""Seconds: a dot in the goal is where it is going to be, and so says where it heads."""


def draw(
    *,
    arena: tuple[float, float, float, float],
    pillar: tuple[float, float, float],
    goal: tuple[NDArray[np.float64], NDArray[np.float64]],
    reach: float,
    robot: float,
    trail: Sequence[tuple[float, float]],
) -> NDArray[np.uint8]:
    """A picture (height, width, 3) with y upwards.

    `pillar` is x, y, radius; `goal` is where it was at each tick (T, 2), with where it is last, and
    its velocity (2,); `trail` (T, 2) ends where the robot is.
    """
    been, moves = goal
    picture = FlatPicture(arena)
    picture.disc(been[-1], reach, GOAL)
    for place in been:
        picture.disc(place, robot / 4, WAKE)
    picture.disc(been[-1] + AHEAD * moves, robot / 2, HEART)
    picture.disc(pillar[:2], pillar[2], BLOCK)
    for place in trail[:-1]:
        picture.disc(place, robot / 4, TRAIL)
    picture.disc(trail[-1], robot, ROBOT)
    return picture.pixels()
