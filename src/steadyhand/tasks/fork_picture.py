"""Draws the scene of `fork`, with the robot and where it has been."""

import numpy as np
from numpy.typing import NDArray

from steadyhand.tasks.flat_picture import GOAL, ROBOT, TRAIL, FlatPicture


def draw(
    *,
    arena: tuple[float, float, float, float],
    blocks: NDArray[np.float64],
    goal: tuple[float, float, float],
    robot: float,
    trail: NDArray[np.float64],
) -> NDArray[np.uint8]:
    """A picture (height, width, 3) with y upwards: goal (x, y, radius), blocks, trail, robot.

    `blocks` are (n, 4): x from, x to, y from, y to; `trail` (T, 2) ends where the robot is.
    """
    picture = FlatPicture(arena)
    picture.disc(goal[:2], goal[2], GOAL)
    for block in blocks:
        picture.rectangle(*block)
    for place in trail[:-1]:
        picture.disc(place, robot / 4, TRAIL)
    picture.disc(trail[-1], robot, ROBOT)
    return picture.pixels()
