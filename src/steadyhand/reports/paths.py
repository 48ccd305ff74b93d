"""Many paths through a plane at once: trajectories or sampled chunks, over their task's scene."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError
from steadyhand.reports.plane import Plane, Points
from steadyhand.tasks import Fork
from steadyhand.tasks.fork import ARENA, GOAL, GOAL_RADIUS, ROBOT_RADIUS

Arena = tuple[float, float, float, float]
"""x from, x to, y from, y to."""
ROOM = 0.06
"""Of the larger side, left free around paths whose task has no scene."""
FLATTEST = 0.4
"""The smaller side of such a picture is so much of the larger one at least."""
CROSS = 0.03
THIN_FROM = 12
"""Paths of which each is drawn thin, so that the others can be seen."""


def paths_picture(
    paths: Sequence[Points],
    css: Sequence[str],
    failed: Sequence[bool],
    title: str,
    task: object = None,
    *,
    samples: Sequence[Points] = (),
    arena: Arena | None = None,
) -> Markup:
    """Every path (T, 2 or more) in a colour of the page's, with a cross at the end of failed ones.

    Of `fork` the scene is drawn with it; any other task is a plain plane of its first two numbers,
    as wide as the paths unless `arena` says. What is not finite is left out. `samples`, as chunks
    drawn at one start, are grey and lie over the paths.

    Raises `ConfigurationError` where there are not as many colours and outcomes as paths.
    """
    if not len(paths) == len(css) == len(failed):
        raise ConfigurationError(
            f"There are {len(paths)} paths, {len(css)} colours and {len(failed)} outcomes; "
            "give one of each for every path."
        )
    drawn = [_finite(path) for path in (*paths, *samples)]
    if isinstance(task, Fork):
        plane = scene(arena or ARENA, task)
    else:
        plane, drawn = _fitted(drawn, arena)
    drawn, over = drawn[: len(paths)], drawn[len(paths) :]
    weight, light = ("thin" if len(some) >= THIN_FROM else "middling" for some in (paths, over))
    for path, colour in zip(drawn, css, strict=True):
        if len(path):
            plane.line(path, f"{colour} {weight}")
    for path in filter(len, over):
        plane.line(path, f"sample {light}")
    for path, colour, bad in zip(drawn, css, failed, strict=True):
        if bad and len(path):
            plane.cross(path[-1, 0], path[-1, 1], CROSS, f"{colour} thick")
    return plane.svg(title)


def scene(arena: Arena = ARENA, task: Fork | None = None) -> Plane:
    """The goal and the blocks of a fork, the usual one unless named, with nobody there.

    A goal that is somewhere else in each episode is not drawn.
    """
    plane, task = Plane(arena), task or Fork()
    if task.goal == "fixed":
        plane.disc(GOAL[0], GOAL[1], GOAL_RADIUS, "goal")
    for x_from, x_to, y_from, y_to in task.blocks:
        plane.rectangle(x_from, x_to, y_from, y_to, "block")
    plane.disc(0, 0, ROBOT_RADIUS / 3, "robot")
    return plane


def way(path: NDArray[np.floating]) -> str:
    """left or right: the side that a path is on where it is farthest from the middle."""
    return "left" if path[np.abs(path[:, 0]).argmax(), 0] < 0 else "right"


def _finite(path: Points) -> Points:
    """The first two numbers, where both can be drawn."""
    plane = np.asarray(path, np.float64)[:, :2]
    return plane[np.isfinite(plane).all(1)]


def arena_of(paths: Sequence[Points]) -> Arena:
    """What holds all paths, with a little room: so that several pictures are of one scale."""
    together = np.concatenate([np.zeros((0, 2)), *map(_finite, paths)])
    low, high = np.zeros(2), np.ones(2)
    if len(together):
        low, high = together.min(0), together.max(0)
    side = float((high - low).max()) or 1.0
    missing = np.maximum(FLATTEST * side - (high - low), 0) / 2 + ROOM * side
    (left, bottom), (right, top) = low - missing, high + missing
    return (float(left), float(right), float(bottom), float(top))


def _fitted(paths: Sequence[Points], arena: Arena | None) -> tuple[Plane, list[Points]]:
    """A plane whose larger side is 1, and the paths in its units."""
    arena = arena or arena_of(paths)
    low, high = np.array(arena[::2]), np.array(arena[1::2])
    side = float((high - low).max()) or 1.0
    wide, tall = (high - low) / side
    return Plane((0, wide, 0, tall)), [(path - low) / side for path in paths]
