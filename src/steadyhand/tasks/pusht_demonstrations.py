"""What may be done to Push-T demonstrations before training, by the symmetries of the task.

Both keep the physics exactly, but for walls that are moved along: a planar rigid motion of all
that is in the world, and the reflection that maps goal and workspace onto themselves.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data import Episodes
from steadyhand.data.lazy import LazyArray, Mapped, Parts
from steadyhand.errors import DataError
from steadyhand.tasks.pusht import GOAL_POSE, keypoints, rotation

Array = NDArray[np.float64]
Motion = Callable[[Array, Array], tuple[Array, Array]]
"""(state (T, 5), action (T, 2)) of one episode → the same, moved."""


def align(episodes: Episodes) -> Episodes:
    """Move each episode rigidly so that its block ends exactly on the goal.

    The published demonstrations stop a little short: no recorded state covers more than 0.90 of
    the goal, where success asks for 0.95. What a demonstration reached is taken as what it aimed
    at (hindsight, as in Andrychowicz et al. 2017); the shifts are 5 pixels and 3 degrees. Pictures
    are left behind: in them, the goal would move along.
    """

    def motion(state: Array, action: Array) -> tuple[Array, Array]:
        end = state[-1]
        turn = (GOAL_POSE[2] - end[4] + np.pi) % (2 * np.pi) - np.pi

        def move(points: Array) -> Array:
            return (points - end[2:4]) @ rotation(turn).T + GOAL_POSE[:2]

        angle = (state[:, 4:] + turn) % (2 * np.pi)
        return np.concatenate([move(state[:, :2]), move(state[:, 2:4]), angle], 1), move(action)

    return _moved(episodes, motion)


def mirror(episodes: Episodes) -> Episodes:
    """Every episode, then every episode reflected at the goal's axis, a diagonal of the workspace.

    (x, y, angle) → (512 - y, 512 - x, π/2 - angle) maps goal, block, finger and walls onto
    themselves (the walls to within a pixel), so the reflected episodes are as true as the others;
    their pictures are turned as they are read.
    """

    def motion(state: Array, action: Array) -> tuple[Array, Array]:
        angle = (np.pi / 2 - state[:, 4:]) % (2 * np.pi)
        flipped = [512 - points[:, ::-1] for points in (state[:, :2], state[:, 2:4])]
        return np.concatenate([*flipped, angle], 1), 512 - action[:, ::-1]

    straight = _moved(episodes, lambda state, action: (state, action))
    reflected = _moved(episodes, motion)
    arrays: dict[str, LazyArray] = {
        key: np.concatenate([straight.read(key), reflected.read(key)]) for key in straight.arrays
    }
    if (pictures := episodes.arrays.get("img")) is not None:
        arrays["img"] = Parts([pictures, Mapped(pictures, _reflected)])
    ends = np.concatenate([straight.ends, straight.steps + reflected.ends])
    return replace(episodes, arrays=arrays, ends=ends, numbers=2 * episodes.numbers)


def _reflected(pictures: NDArray[Any]) -> NDArray[Any]:
    """Pictures (…, H, W, C), mirrored at the diagonal that runs up from left to right."""
    return pictures.swapaxes(-3, -2)[..., ::-1, ::-1, :]


def _moved(episodes: Episodes, motion: Motion) -> Episodes:
    shapes = {"state": (5,), "keypoint": (9, 2), "action": (2,)}
    for key, shape in shapes.items():
        found = episodes.shapes.get(key)
        if found != shape:
            has = f"no '{key}'" if found is None else f"a '{key}' of shape {found}"
            raise DataError(
                f"These demonstrations have {has}, where Push-T's preparations move one of shape "
                f"{shape}. Leave them out with --prepare and no name, or use the published data."
            )
    state = episodes.read("state").astype(np.float64)
    action = episodes.read("action").astype(np.float64)
    for start, end in zip(episodes.starts, episodes.ends, strict=True):
        moved = motion(state[start:end], action[start:end])
        state[start:end], action[start:end] = moved
    arrays = {
        "state": state.astype(np.float32),
        "action": action.astype(np.float32),
        "keypoint": keypoints(state[:, 2:]).astype(np.float32),
    }
    return replace(episodes, arrays=arrays)
