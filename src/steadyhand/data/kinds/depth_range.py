"""How far recorded depth goes: the range that a policy tells apart unless one is named.

A few frames are looked at, evenly spread; nothing of what they show but how far away it is.
"""

import math
from collections.abc import Callable

import numpy as np

from steadyhand.data.episodes import Episodes
from steadyhand.data.lazy import damage_told, take
from steadyhand.errors import DataError

FRAMES = 64
MOST_PIXELS = 1 << 24
"""In all frames together."""
SHARE = 0.001
"""Of what was measured is beyond either end, and may be an accident."""


def depth_range(episodes: Episodes, key: str) -> tuple[float, float]:
    """(near, far) in metres, between which lies nearly all that was measured in depth pictures
    (steps, h, w, 1).

    So much of the range as is used: from above, a table a metre away and what stands on it differ
    by a few centimetres. The ends are rounded outwards to two digits. Raises `DataError` where
    nothing was measured.
    """
    array, where = episodes.arrays[key], f"{episodes.path or 'the data'}: '{key}'"
    many = max(1, min(FRAMES, MOST_PIXELS // max(1, math.prod(array.shape[1:]))))
    steps = np.unique(np.linspace(0, episodes.steps - 1, many).astype(np.int64))
    with damage_told(episodes.path, key):
        seen = [take(array, steps[place : place + 1]) for place in range(len(steps))]
    metres = np.concatenate([frame[np.isfinite(frame) & (frame > 0)] for frame in seen])
    if not len(metres):
        raise DataError(
            f"{where} is depth in which nothing was measured, in none of {len(steps)} frames that "
            "were looked at. Leave it out of --observations, or name the range that is told apart, "
            "as --encoder.depth-range 0.2 1.5."
        )
    near, far = (float(end) for end in np.quantile(metres, [SHARE, 1 - SHARE]))
    near, far = _rounded(near, math.floor), _rounded(far, math.ceil)
    return (near, far) if near < far else (0.0, far)


def _rounded(metres: float, way: Callable[[float], int]) -> float:
    """The next number of two digits, up or down."""
    places = 1 - math.floor(math.log10(metres))
    # So that 0.3, whose float is above, stays what it is.
    return way(round(metres * 10.0**places, 4)) / 10.0**places
