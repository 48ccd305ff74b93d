"""How Push-T is disturbed: somebody moves the block, in every other episode, to where it fits."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

FAR = (60, 45, 30, 15)
"""Pixels that the block is moved by: the first that can be."""
TURNS = 24
"""Directions that are tried, from one drawn at random on, turning away from it to both sides."""
INSIDE = (8, 503)
"""Where the corners of the block may be; the walls are two pixels further out."""
FINGER = 16
"""What a corner or side keeps from the middle of the finger, whose radius is 15."""


def move_block(world: Any, seed: int) -> None:
    """Move the block of a gym-pusht world as far as fits, in a direction that the seed decides."""
    x, y = world.block.position
    for far, angle in _moves(np.random.default_rng([seed, 3])):
        _put(world, x + far * math.cos(angle), y + far * math.sin(angle))
        if _fits(world):
            return
    _put(world, x, y)


def _put(world: Any, x: float, y: float) -> None:
    """The block there, at rest."""
    world.block.position, world.block.velocity, world.block.angular_velocity = (x, y), (0, 0), 0
    world.space.reindex_shapes_for_body(world.block)


def _moves(random: np.random.Generator) -> Iterator[tuple[float, float]]:
    first = random.uniform(0, 2 * math.pi)
    turns = sorted(range(-TURNS // 2 + 1, TURNS // 2 + 1), key=abs)
    return ((far, first + turn * 2 * math.pi / TURNS) for far in FAR for turn in turns)


def _fits(world: Any) -> bool:
    """Whether the block is inside the canvas and does not touch the finger."""
    block, finger = world.block, world.agent.position
    corners = [block.local_to_world(v) for shape in block.shapes for v in shape.get_vertices()]
    inside = all(INSIDE[0] <= number <= INSIDE[1] for corner in corners for number in corner)
    away = min(shape.point_query(finger).distance for shape in block.shapes)
    return inside and away >= FINGER
