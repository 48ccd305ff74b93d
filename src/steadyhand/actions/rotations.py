"""Rotations: from what was recorded to 6-D for the network and back, relative ones, and means.

6-D is the first two columns of the rotation matrix, one after the other (Zhou et al., "On the
Continuity of Rotation Representations in Neural Networks", 2019). No function here multiplies
matrices as such: where that is done in half precision, rotations would come out coarse.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from steadyhand.actions.arrays import Numbers, functions_of, joined, running

TINY = 1e-30
"""What is smaller has no direction."""
PARALLEL = 1e-6
"""Of two vectors, the second has no direction of its own if less of it is across the first."""


def to_matrix(kind: str, values: Numbers) -> Numbers:
    """Rotations (…, n) as recorded → matrices (…, 3, 3). Zeros are no rotation: the identity."""
    if kind == "rotation_6d":
        return from_6d(values)
    xp, recorded = functions_of(values), _recorded_quaternion(kind, values)
    w, x, y, z = (recorded[..., n] for n in range(4))
    square = w * w + x * x + y * y + z * z
    some = square > TINY
    s = xp.where(some, 2 / xp.where(some, square, 1 + square), 0 * square)
    numbers = [
        *(1 - s * (y * y + z * z), s * (x * y - w * z), s * (x * z + w * y)),
        *(s * (x * y + w * z), 1 - s * (x * x + z * z), s * (y * z - w * x)),
        *(s * (x * z - w * y), s * (y * z + w * x), 1 - s * (x * x + y * y)),
    ]
    return xp.stack(numbers, -1).reshape((*square.shape, 3, 3))


def from_matrix(kind: str, matrices: Numbers, first: Numbers | None = None) -> Numbers:
    """Matrices (…, H, 3, 3) → rotations (…, H, n) as they are recorded.

    A rotation has two quaternions, q and -q. Each row has the one that is nearer to the row before,
    and the first row that which is nearer to `first` (…, 1, n), or has a positive w. So rotation
    vectors pass half a turn without a jump, too.
    """
    if kind == "rotation_6d":
        return to_6d(matrices)
    xp = functions_of(matrices)
    found = _quaternion(matrices)
    if first is None:
        begin = xp.where(found[..., :1, :1] < 0, -found[..., :1, :], found[..., :1, :])
    else:
        begin = _recorded_quaternion(kind, first) + 0 * found[..., :1, :]
    before = joined([begin, found[..., :-1, :]], -2)
    agree = (found * before).sum(-1)[..., None]
    found = found * running(xp.where(agree < 0, 0 * agree - 1, 0 * agree + 1), _product, -2)
    w, vector = found[..., :1], found[..., 1:]
    if kind == "quaternion_xyzw":
        return joined([vector, w], -1)
    if kind == "quaternion_wxyz":
        return found
    sine = _length(vector)
    some = sine > TINY
    angle = 2 * xp.arctan2(sine, w)
    return vector * xp.where(some, angle / xp.where(some, sine, 1 + sine), 2 + sine)


def to_6d(matrices: Numbers) -> Numbers:
    """Matrices (…, 3, 3) → (…, 6)."""
    return joined([matrices[..., 0], matrices[..., 1]], -1)


def from_6d(values: Numbers) -> Numbers:
    """Any numbers (…, 6) → rotation matrices (…, 3, 3), by Gram-Schmidt.

    Where a vector has no direction of its own, an axis stands for it: always a rotation.
    """
    xp = functions_of(values)
    first, second = _scaled(values[..., :3]), _scaled(values[..., 3:])
    axis_x = first * 0 + _axis(first, 0)
    axis_y = first * 0 + _axis(first, 1)
    x = _unit(xp.where(_length(first) > TINY, first, axis_x))
    across = _across(second, x)
    other = xp.where(xp.abs(x[..., :1]) < 0.9, axis_x, axis_y)
    across = xp.where(_length(across) > PARALLEL, across, _across(other, x))
    # Once more: of what was nearly parallel, rounding is no small part.
    y = _unit(_across(_unit(across), x))
    return xp.stack([x, y, _cross(x, y)], -1)


def after(first: Numbers, second: Numbers) -> Numbers:
    """The product of rotation matrices (…, 3, 3)."""
    return (first[..., :, :, None] * second[..., None, :, :]).sum(-2)


def seen_from(here: Numbers, there: Numbers) -> Numbers:
    """The rotation `there` in the frame of `here`, hereᵀ·there; `after(here, …)` undoes it."""
    return after(functions_of(here).swapaxes(here, -1, -2), there)


def nearer_sign(values: Numbers, like: Numbers) -> Numbers:
    """Quaternions (…, 4), each as q or -q, whichever is nearer to `like`."""
    agree = (values * like).sum(-1)[..., None]
    return functions_of(values).where(agree < 0, -values, values)


def mean_rotation(
    quaternions: NDArray[np.floating], weights: Sequence[float] | NDArray[np.floating] | None = None
) -> NDArray[np.float64]:
    """The mean (…, 4) of unit quaternions (…, n, 4), in either order and with either sign.

    The unit vector that agrees best with all of them, the principal eigenvector of Σ w·q·qᵀ
    (Markley et al., "Averaging Quaternions", 2007). Its sign is that of the heaviest.
    """
    given = np.asarray(quaternions, np.float64)
    heavy = np.ones(given.shape[-2]) if weights is None else np.asarray(weights, np.float64)
    outer = (heavy[..., None, None] * given[..., :, None] * given[..., None, :]).sum(-3)
    mean = np.linalg.eigh(outer)[1][..., -1]
    heaviest = np.broadcast_to(heavy, given.shape[:-1]).argmax(-1)
    like = np.take_along_axis(given, heaviest[..., None, None], -2)[..., 0, :]
    return nearer_sign(mean, like)


def slerp(
    start: NDArray[np.floating], end: NDArray[np.floating], share: float | NDArray[np.floating]
) -> NDArray[np.float64]:
    """The rotation (…, 4) so far on the shorter way from unit quaternion `start` to `end`, (…, 4).

    At constant speed in `share`, 0 to 1, of shape (…).
    """
    a = np.asarray(start, np.float64)
    b = nearer_sign(np.asarray(end, np.float64), a)
    # The angle between them is exact where they are close, as by its cosine it is not.
    angle = 2 * np.arctan2(_length(b - a), _length(b + a))
    part = np.asarray(share, np.float64)[..., None]
    some = angle > 1e-8
    sine = np.where(some, np.sin(angle), 1.0)
    before = np.where(some, np.sin((1 - part) * angle) / sine, 1 - part)
    later = np.where(some, np.sin(part * angle) / sine, part)
    return _unit(before * a + later * b)


def _quaternion(m: Numbers) -> Numbers:
    """Rotation matrices (…, 3, 3) → quaternions (…, 4), w first, of either sign."""
    xp = functions_of(m)
    (a, b, c), (d, e, f), (g, h, i) = ([m[..., r, s] for s in range(3)] for r in range(3))
    # 4·q·qᵀ: each row is a multiple of q, and that of its largest number the most exact.
    rows = [
        xp.stack(row, -1)
        for row in (
            [1 + a + e + i, h - f, c - g, d - b],
            [h - f, 1 + a - e - i, b + d, c + g],
            [c - g, b + d, 1 - a + e - i, f + h],
            [d - b, c + g, f + h, 1 - a - e + i],
        )
    ]
    best, size = rows[0], rows[0][..., :1]
    for number in range(1, 4):
        larger = rows[number][..., number : number + 1]
        best = xp.where(larger > size, rows[number], best)
        size = xp.where(larger > size, larger, size)
    return _unit(best)


def _recorded_quaternion(kind: str, values: Numbers) -> Numbers:
    """As recorded → quaternion, w first, of the recorded sign."""
    if kind == "quaternion_wxyz":
        return values
    if kind == "quaternion_xyzw":
        return joined([values[..., 3:], values[..., :3]], -1)
    xp = functions_of(values)
    angle = _length(values)
    some = angle > TINY
    share = xp.where(some, xp.sin(angle / 2) / xp.where(some, angle, 1 + angle), 0.5 + angle)
    return joined([xp.cos(angle / 2), values * share], -1)


def _product(before: Numbers, later: Numbers) -> Numbers:
    return before * later


def _length(values: Numbers) -> Numbers:
    return functions_of(values).sqrt((values * values).sum(-1))[..., None]


def _unit(values: Numbers) -> Numbers:
    return values / _length(values)


def _scaled(values: Numbers) -> Numbers:
    """Vectors whose largest number is 1, so that no square overflows; zeros for what is tiny."""
    xp = functions_of(values)
    most = xp.amax(xp.abs(values), -1)[..., None]
    some = most > TINY
    return xp.where(some, values / xp.where(some, most, 1 + most), 0 * most)


def _across(values: Numbers, along: Numbers) -> Numbers:
    """What of a vector is at right angles to a unit vector."""
    return values - along * (values * along).sum(-1)[..., None]


def _cross(a: Numbers, b: Numbers) -> Numbers:
    (ax, ay, az), (bx, by, bz) = ([v[..., n] for n in range(3)] for v in (a, b))
    numbers = [ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx]
    return functions_of(a).stack(numbers, -1)


def _axis(like: Numbers, number: int) -> Numbers:
    """A unit vector (…, 3) along an axis, of the same kind."""
    one = like[..., :1] * 0 + 1
    return joined([one * float(n == number) for n in range(3)], -1)
