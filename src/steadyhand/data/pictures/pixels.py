"""The pixels of films that hold measures rather than colour: numbers, in all of their bits."""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

SLIGHT = 16
"""Differences of colour, of the thousand and more that there may be."""


def numbers_of(pixels: str, *, declared: bool = False) -> np.dtype[Any] | None:
    """What one channel of a pixel format holds that is a measure; None of colour.

    A single channel of more than 8 bits is one. Where it is `declared` to be depth, so is any gray,
    and the brightness of a format of more than 8 bits with colours.
    """
    gray = re.fullmatch(r"gray(8|9|1\d|f16|f32)?(le|be)?", pixels)
    if gray is None:
        wide = re.fullmatch(r"yuv4\d\dp(9|1\d)(le|be)?", pixels)
        return np.dtype(np.uint16) if wide and declared else None
    kinds = {None: "u1", "8": "u1", "f16": "f2", "f32": "f4"}
    kind = np.dtype(kinds.get(gray[1], "u2"))
    return kind if declared or kind.itemsize > 1 else None


def measures(plane: Any, pixels: str, height: int, width: int) -> NDArray[Any]:
    """(height, width, 1), the numbers of a frame's first plane; its rows are padded."""
    kind = numbers_of(pixels, declared=True)
    if kind is None:
        raise ValueError(f"there are no measures in {pixels}")
    stored = kind.newbyteorder(">" if pixels.endswith("be") else "<")
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:height]
    rows = np.ascontiguousarray(rows[:, : width * kind.itemsize])
    return rows.view(stored).astype(kind)[..., None]


def is_even(plane: Any) -> bool:
    """Whether a plane of wide numbers has the same everywhere, but for what packing did to it."""
    rows = np.frombuffer(plane, "<u2").reshape(-1, plane.line_size // 2)
    return int(np.ptp(rows[: plane.height, : plane.width])) <= SLIGHT
