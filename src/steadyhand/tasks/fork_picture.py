"""Draws a scene of discs and rectangles as pixels, smooth at the edges, with numpy alone."""

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.floating]
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

    def paint(part: tuple[slice, slice], distance: Field, colour: NDArray[np.float32]) -> None:
        cover = np.clip(0.5 - distance * PIXELS, 0, 1)[..., None].astype(np.float32)
        picture[part] += cover * (colour - picture[part])

    def disc(place: NDArray[np.float64], radius: float, colour: NDArray[np.float32]) -> None:
        column, row = round((place[0] - x_from) * PIXELS), round((y_to - place[1]) * PIXELS)
        reach = int(radius * PIXELS) + 2
        rows = slice(max(row - reach, 0), max(row + reach, 0))
        columns = slice(max(column - reach, 0), max(column + reach, 0))
        far = np.hypot(x[columns] - place[0], y[rows] - place[1]) - radius
        paint((rows, columns), far, colour)

    disc(np.array(goal[:2]), goal[2], GOAL)
    everywhere = (slice(None), slice(None))
    for left, right, low, high in blocks:
        beside, beyond = np.maximum(left - x, x - right), np.maximum(low - y, y - high)
        paint(everywhere, np.maximum(beside, beyond), BLOCK)
    for place in trail[:-1]:
        disc(place, robot / 4, TRAIL)
    disc(trail[-1], robot, ROBOT)
    return picture.round().astype(np.uint8)
