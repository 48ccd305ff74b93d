"""Between two actions, and the mean of several, by what their columns mean. Numpy only.

Numbers are averaged as numbers, rotations as rotations; a gripper is at one of its two values.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from steadyhand.actions import rotations
from steadyhand.actions.parts import ROTATIONS, ActionPart
from steadyhand.actions.transform import ActionTransform

Rows = NDArray[np.floating]


def mixed(
    transform: ActionTransform, old: Rows, new: Rows, share: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Actions (…, A) so far on the way from `old` to `new`; `share` (…) is 0 to 1."""
    part = np.asarray(share, np.float64)

    def rotated(kind: str, columns: slice) -> Rows:
        begin, end = _turns(kind, old[..., columns]), _turns(kind, new[..., columns])
        return _recorded(kind, rotations.slerp(begin, end, part), old[..., columns])

    def gripper(columns: slice) -> Rows:
        return np.where(part[..., None] < 0.5, old[..., columns], new[..., columns])

    straight = old + part[..., None] * (np.asarray(new, np.float64) - old)
    return _by_part(transform, straight, rotated, gripper)


def averaged(
    transform: ActionTransform, actions: Rows, weights: NDArray[np.floating]
) -> NDArray[np.float64]:
    """The mean (…, A) of actions (n, …, A) that weigh (n, …)."""
    heavy = np.asarray(weights, np.float64) / np.sum(weights, 0)

    def rotated(kind: str, columns: slice) -> Rows:
        values = actions[..., columns]
        every = _turns(kind, values)
        mean = rotations.mean_rotation(np.moveaxis(every, 0, -2), np.moveaxis(heavy, 0, -1))
        like = np.take_along_axis(values, heavy.argmax(0)[None, ..., None], 0)[0]
        return _recorded(kind, mean, like)

    def gripper(columns: slice) -> Rows:
        values = actions[..., columns]
        low, high = values.min(0), values.max(0)
        votes = (heavy[..., None] * (values > (low + high) / 2)).sum(0)
        return np.where(votes < 0.5, low, high)

    straight = (heavy[..., None] * np.asarray(actions, np.float64)).sum(0)
    return _by_part(transform, straight, rotated, gripper)


def _by_part(
    transform: ActionTransform,
    numbers: NDArray[np.float64],
    rotated: Callable[[str, slice], Rows],
    gripper: Callable[[slice], Rows],
) -> NDArray[np.float64]:
    """`numbers`, but for the columns of rotations and grippers."""

    def of(part: ActionPart) -> Rows:
        columns = slice(part.start, part.stop)
        if part.kind in ROTATIONS:
            return rotated(part.kind, columns)
        return gripper(columns) if part.kind == "gripper" else numbers[..., columns]

    if all(part.kind == "numbers" for part in transform.parts):
        return numbers
    return np.concatenate([of(part) for part in transform.parts], -1, dtype=np.float64)


def _turns(kind: str, values: Rows) -> NDArray[np.float64]:
    """Rotations as recorded → unit quaternions (…, 4), w first."""
    matrices = rotations.to_matrix(kind, np.asarray(values, np.float64))
    return rotations.from_matrix("quaternion_wxyz", matrices[..., None, :, :])[..., 0, :]


def _recorded(kind: str, turns: NDArray[np.float64], like: Rows) -> NDArray[np.float64]:
    """Unit quaternions (…, 4), w first → rotations as they are recorded, near `like`."""
    matrices = rotations.to_matrix("quaternion_wxyz", turns)[..., None, :, :]
    before = np.asarray(like, np.float64)[..., None, :]
    return rotations.from_matrix(kind, matrices, before)[..., 0, :]
