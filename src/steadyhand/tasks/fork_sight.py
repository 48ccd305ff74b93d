"""What is seen of the scene of `fork` from above: depth in metres, or a cloud of points.

As a real camera sees it: both are a few millimetres wrong, and depth has holes.
"""

import numpy as np
from numpy.typing import NDArray

from steadyhand.tasks.flat_picture import Place

CAMERA_HEIGHT = 1.2
BLOCK_HEIGHT, GOAL_HEIGHT, ROBOT_HEIGHT = 0.15, 0.06, 0.1
PIXEL = 0.025
"""Metres that a pixel shows."""
HOLES = 0.01
"""Share of pixels at which nothing is measured."""
NOISE = 0.003
"""Standard deviation of what is measured, metres."""
POINTS = 256
Disc = tuple[Place, float]
"""Its middle and its radius."""


def depth_from_above(
    arena: tuple[float, float, float, float],
    blocks: NDArray[np.float64],
    goal: Disc,
    robot: Disc,
    random: np.random.Generator,
) -> NDArray[np.float32]:
    """Metres below the camera, (rows, columns, 1), y upwards; 0 where nothing was measured."""
    x_from, x_to, y_from, y_to = arena
    columns, rows = round((x_to - x_from) / PIXEL), round((y_to - y_from) / PIXEL)
    x = x_from + PIXEL * (np.arange(columns) + 0.5)
    y = y_to - PIXEL * (np.arange(rows)[:, None] + 0.5)
    height = np.zeros((rows, columns))
    for left, right, near, far in blocks:
        height[(x >= left) & (x < right) & (y >= near) & (y < far)] = BLOCK_HEIGHT
    for (middle, radius), top in ((goal, GOAL_HEIGHT), (robot, ROBOT_HEIGHT)):
        height[np.hypot(x - middle[0], y - middle[1]) < radius] = top
    measured = CAMERA_HEIGHT - height + NOISE * random.standard_normal(height.shape)
    measured[random.random(height.shape) < HOLES] = 0
    return measured.astype(np.float32)[..., None]


def points_from_above(
    blocks: NDArray[np.float64], goal: Disc, robot: Disc, random: np.random.Generator
) -> NDArray[np.float32]:
    """Places on top of what stands on the floor, in any order, (POINTS, 3): x, y, z in metres.

    As many a square metre everywhere; the floor itself is cut off.
    """
    areas = [(right - left) * (far - near) for left, right, near, far in blocks]
    areas += [np.pi * radius**2 for _, radius in (goal, robot)]
    many = random.multinomial(POINTS, np.array(areas) / sum(areas))
    share, parts = random.random((POINTS, 2)), list[NDArray[np.float64]]()
    drawn = np.split(share, np.cumsum(many)[:-1])
    for (left, right, near, far), part in zip(blocks, drawn, strict=False):
        places = np.array([left, near]) + part * np.array([right - left, far - near])
        parts.append(np.column_stack([places, np.full(len(part), BLOCK_HEIGHT)]))
    tops = ((goal, GOAL_HEIGHT), (robot, ROBOT_HEIGHT))
    for ((middle, radius), top), part in zip(tops, drawn[len(blocks) :], strict=True):
        out, angle = radius * np.sqrt(part[:, 0]), 2 * np.pi * part[:, 1]
        x, y = middle[0] + out * np.cos(angle), middle[1] + out * np.sin(angle)
        parts.append(np.column_stack([x, y, np.full(len(part), top)]))
    places = np.concatenate(parts) + NOISE * random.standard_normal((POINTS, 3))
    return random.permutation(places).astype(np.float32)
