"""What wrappers around a robot read: an action whatever it is, and where the robot begins."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError
from steadyhand.feature import Feature
from steadyhand.runtime.predictor import Observation
from steadyhand.runtime.robot import Robot
from steadyhand.values import shown

Start = str | Sequence[float] | NDArray[np.floating]
"""Numbers, or the observation that holds them: "joints", "state[0:7]"."""


def numbers(action: object, largest: float = float(np.finfo(np.float64).max)) -> list[float] | None:
    """The numbers of an action, a flat array of them; None where it is anything else.

    Not finite, or larger than `largest`, is something else, too.
    """
    try:
        told = np.asarray(action)
        if told.ndim != 1 or told.dtype.kind not in "biuf":
            return None
        told = told.astype(np.float64)
        return cast(list[float], told.tolist()) if np.all(np.abs(told) <= largest) else None
    except (TypeError, ValueError):
        return None


def starting(
    start: Start, robot: Robot, seen: Observation | None, columns: Sequence[int], size: int
) -> list[float]:
    """Where these columns of an action of `size` numbers are before the first one.

    By numbers, or by what was seen last; where nothing was, the robot is looked at.

    Raises `ConfigurationError` for another number of them than there are columns, or than the
    action has, and for what is not finite.
    """
    found: Any = start
    if isinstance(start, str):
        seen = robot.observe() if seen is None else seen
        feature = Feature.select(start, {key: np.shape(seen[key]) for key in seen})
        found = np.asarray(seen[feature.key])[feature.columns]
    listed = numbers(found)
    if listed is None or len(listed) not in (len(columns), size):
        raise ConfigurationError(
            f"start is {shown(found)}; it must be {len(columns)} finite numbers, one for each "
            "column that is limited."
        )
    return listed if len(listed) == len(columns) else [listed[column] for column in columns]
