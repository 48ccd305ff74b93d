"""Draws a scene of discs and rectangles as pixels, smooth at the edges, with numpy alone."""

import numpy as np
from numpy.typing import NDArray

PIXELS = 300
"""Per metre."""
FLOOR, BLOCK, GOAL, TRAIL, ROBOT = (
    np.array(colour, dtype=np.float32)
    for colour in ((247, 247, 245), (68, 71, 78), (140, 199, 143), (158, 187, 226), (45, 100, 180))
)


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
    x_from, x_to, y_from, y_to = arena
    width, height = round((x_to - x_from) * PIXELS), round((y_to - y_from) * PIXELS)
    x = x_from + (np.arange(width) + 0.5) / PIXELS
    y = y_to - (np.arange(height)[:, None] + 0.5) / PIXELS
    picture = np.broadcast_to(FLOOR, (height, width, 3)).copy()

    def paint(distance: NDArray[np.float64], colour: NDArray[np.float32]) -> None:
        cover = np.clip(0.5 - distance * PIXELS, 0, 1)[..., None].astype(np.float32)
        picture[:] += cover * (colour - picture)

    paint(np.hypot(x - goal[0], y - goal[1]) - goal[2], GOAL)
    for left, right, low, high in blocks:
        paint(np.maximum(np.maximum(left - x, x - right), np.maximum(low - y, y - high)), BLOCK)
    for place in trail[:-1]:
        paint(np.hypot(x - place[0], y - place[1]) - robot / 4, TRAIL)
    paint(np.hypot(x - trail[-1, 0], y - trail[-1, 1]) - robot, ROBOT)
    return picture.round().astype(np.uint8)
