"""Depth as a LeRobotDataset holds it: pictures without loss, films as they are, and what it says.

Whole millimetres are PNG of 16 bits, as cameras count them; any other metres TIFF in float32.
"""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.data.formats.stream import pieces
from steadyhand.data.kinds.depth import METRES, MILLIMETRES, UNITS, InMetres, scaled
from steadyhand.errors import library

FARTHEST = 65535
"""Millimetres in 16 bits."""


def unit_of(episodes: Episodes, key: str) -> float:
    """How many of its units make a metre: 1000 where all of it is whole millimetres, else 1."""
    whole = all(_millimetres(values) is not None for _, values in pieces(episodes, key))
    return MILLIMETRES if whole else METRES


def _millimetres(metres: NDArray[Any]) -> NDArray[np.uint16] | None:
    """The whole millimetres whose metres these are, to the last bit; None where some are none."""
    counted = np.rint(metres.astype(np.float64) * MILLIMETRES)
    if counted.size and not (counted.min() >= 0 and counted.max() <= FARTHEST):
        return None
    found = counted.astype(np.uint16)
    return found if np.array_equal(scaled(found, MILLIMETRES), metres) else None


def encoded(metres: NDArray[np.float32], per_metre: float) -> bytes:
    """A picture (height, width, 1)."""
    made, flat = io.BytesIO(), metres[..., 0]
    if per_metre == MILLIMETRES:
        counted = _millimetres(flat)
        if counted is None:
            raise ValueError("depth that was whole millimetres a moment ago is so no more")
        library("PIL.Image").fromarray(counted).save(made, format="PNG", compress_level=1)
    else:
        picture = library("PIL.Image").fromarray(np.ascontiguousarray(flat, np.float32))
        picture.save(made, format="TIFF", compression="tiff_adobe_deflate")
    return made.getvalue()


def said_of_pictures(per_metre: float) -> dict[str, Any]:
    """What info.json says of depth in pictures."""
    return {"is_depth_map": True, "depth_unit": UNITS[per_metre][0]}


def said_of_films(form: Any) -> dict[str, Any]:
    """What info.json says of depth in films that are copied, of which `form` makes metres."""
    said: dict[str, Any] = {"is_depth_map": True, "video.is_depth_map": True}
    if not isinstance(form, InMetres):
        return said
    if (packed := form.packed) is not None:
        return said | {
            "video.depth_min": packed.near,
            "video.depth_max": packed.far,
            "video.shift": packed.shift,
            "video.use_log": packed.logarithmic,
        }
    if form.per_metre in UNITS:
        return said | {"depth_unit": UNITS[form.per_metre][0]}
    return said | {"depth_scale": form.per_metre}
