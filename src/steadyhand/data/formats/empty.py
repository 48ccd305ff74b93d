"""Ends of episodes as they are written: whole numbers of any kind, and episodes of no steps.

Those are passed over and said; what else is wrong with ends, `Episodes` refuses.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.problem import Problem

SHOWN = 5
MOST = 2**53
"""Up to here every whole number is one in floating numbers, too."""


def without_empty(
    ends: Any, numbers: Sequence[int] = ()
) -> tuple[NDArray[Any], tuple[int, ...], tuple[Problem, ...]]:
    """(ends, what the file calls those episodes, what is to be remarked) of episodes with steps.

    `numbers` are what the file calls all of them, () where it counts from 0; what comes back is ()
    only if it was and none is passed over. Ends (episodes,) or (episodes, 1), of whole numbers in
    any kind, are made integers; others, and a set of nothing but empty episodes, come back as they
    are.
    """
    ends = np.asarray(ends)
    ends = ends.reshape(-1) if ends.ndim == 2 and ends.shape[1] == 1 else ends
    if ends.ndim != 1 or ends.dtype.kind not in "iuf" or not len(ends):
        return ends, tuple(numbers), ()
    if ends.dtype.kind == "f" and not np.all((np.abs(ends) < MOST) & (ends == np.floor(ends))):
        return ends, tuple(numbers), ()
    ends = ends.astype(np.int64)
    empty = np.diff(ends, prepend=0) == 0
    if not empty.any() or empty.all():
        return ends, tuple(numbers), ()
    called = tuple(numbers) or tuple(range(len(ends)))
    passed = [called[i] for i in np.flatnonzero(empty)]
    which = ", ".join(map(str, passed[:SHOWN])) + ", …" * (len(passed) > SHOWN)
    one = len(passed) == 1
    what, is_ = (f"Episode {which} has", "is") if one else (f"Episodes {which} have", "are")
    remark = Problem("empty-episode", f"{what} no steps and {is_} passed over.", passed[0])
    return ends[~empty], tuple(called[i] for i in np.flatnonzero(~empty)), (remark,)
