"""Limits as people give them, a second, turned into those of a tick, which numbers can keep."""

from collections.abc import Sequence
from math import inf
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError
from steadyhand.values import shown

Limit = float | Sequence[float | None] | NDArray[np.floating] | None
"""One for all columns, or one each; None or infinite where there is none."""
NAMES = ("low", "high", "velocity", "acceleration", "jerk")


def limit_table(
    given: Sequence[Limit], rate_hz: float, *, single: bool = False
) -> NDArray[np.float64]:
    """Limits (5, columns) a tick from those of `NAMES` a second.

    With `single` they are such that what keeps them does so once it is rounded to float32, too.
    Raises `ConfigurationError` for what is no limit, and where they are of different numbers.
    """
    rows = [_row(name, limit) for name, limit in zip(NAMES, given, strict=True)]
    widths = sorted({len(row) for row in rows} - {1})
    if len(widths) > 1:
        raise ConfigurationError(
            f"Limits are for {' and for '.join(map(str, widths))} numbers. Give each as one "
            "number, or for as many."
        )
    wide = [np.broadcast_to(row, max(widths, default=1)) for row in rows]
    table = np.stack([row / rate_hz ** max(n - 1, 0) for n, row in enumerate(wide)])
    return _for_single(table) if single else table


def _row(name: str, limit: Limit) -> NDArray[np.float64]:
    place = name in ("low", "high")
    free = -inf if name == "low" else inf
    try:
        listed: list[Any] = [limit] if np.ndim(cast(Any, limit)) == 0 else list(cast(Any, limit))
        row = np.array([free if one is None else float(one) for one in listed])
    except (TypeError, ValueError):
        row = np.array([np.nan])
    if not len(row) or np.any(np.isnan(row) | (row == -free)) or not (place or np.all(row > 0)):
        what = "a number" if place else "above 0"
        raise ConfigurationError(
            f"{name} is {shown(limit)}; it must be {what}, one for all or one each, None where "
            "there is no limit."
        )
    return row


def _for_single(table: NDArray[np.float64]) -> NDArray[np.float64]:
    largest = np.abs(table[:2]).max(0)
    boxed = np.isfinite(largest)
    if np.any(~boxed & np.isfinite(table[2:]).any(0)):
        raise ConfigurationError(
            "In float32 limits can be kept where there is a low and a high: give both, or leave "
            "dtype as it is."
        )
    box = table[:2].astype(np.float32)
    inwards = np.nextafter(box, np.array([[inf], [-inf]], np.float32))
    beyond = np.array([[1], [-1]]) * (box - table[:2]) < 0
    place = np.spacing(np.where(boxed, largest, 1).astype(np.float32)).astype(np.float64)
    # Rounding moves a number by half of its last place, and differences by so many of them.
    rest = table[2:] - np.where(boxed, place, 0) * np.array([[1], [2], [4]])
    return np.concatenate([np.where(beyond, inwards, box).astype(np.float64), rest])
