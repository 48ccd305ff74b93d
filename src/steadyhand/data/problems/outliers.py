"""Numbers that lie far from all others, and motion that their own rounding hides."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.data.problem import Problem
from steadyhand.data.problems.columns import column_told
from steadyhand.data.statistics import RARE, statistics_of

FAR = 3
"""Numbers so many times the 1 to 99 % range away from it are reported."""
MEANT = (
    f"They are too many for accidents (more than one in {RARE}) and set its scale. All is well if "
    "they are meant; if not, repair them."
)


def inspect(
    episodes: Episodes, key: str, values: NDArray[Any], normalisation: str
) -> Iterator[Problem]:
    """What lies far off in one feature (steps, columns); `normalisation` is what it is used with.

    What is rarer than one in a thousand may be an accident; what is not sets the scale by right.
    """
    found = statistics_of(values)
    assert found.rare_low is not None
    assert found.rare_high is not None
    hidden = np.flatnonzero(found.constant & (values.max(0) > values.min(0))).tolist()
    if hidden:
        told = [column_told(episodes, key, column) for column in hidden]
        way = "in float64, or less an offset" if values.dtype.itemsize < 8 else "less an offset"
        message = (
            f"'{key}' moves in columns {', '.join(told)} by no more than its numbers are rounded "
            f"to; they are taken for constant. If that motion is meant, record it {way}."
        )
        yield Problem("rounding", message)
    range_ = found.high - found.low
    far = np.zeros(values.shape, bool)
    for column in np.flatnonzero((range_ > 0) & ~found.constant):  # one by one: they may be many
        numbers, most = values[:, column], FAR * max(range_[column], 1e-300)
        beyond = np.maximum(found.low[column] - numbers, numbers - found.high[column])
        far[:, column] = beyond > most
    if not far.any():
        return
    rare = far & ((values < found.rare_low) | (values > found.rare_high))
    accidents = rare.any(0) & ~(far & ~rare).any(0)
    for kind, columns in (("outliers", accidents), ("seldom", far.any(0) & ~accidents)):
        here = far & columns
        if not here.any():
            continue
        step, episode = episodes.at(int(np.argmax(here.any(axis=1))))
        first = f"the first at step {step} of episode {episode}"
        message = f"'{key}' has {int(here.sum())} numbers that lie {FAR} times its usual range away"
        said = _accidents(normalisation) if kind == "outliers" else MEANT
        yield Problem(kind, f"{message}, {first}. {said}", episode)


def _accidents(normalisation: str) -> str:
    if normalisation in ("quantile", "mean_std"):
        return (
            f"--normalisation {normalisation} cuts them off. If they are meant, take "
            "--normalisation min_max."
        )
    return (
        "If they are accidents, repair them or train with --normalisation quantile, which cuts "
        "them off: otherwise they squeeze all others. If they are meant, leave all as it is."
    )
