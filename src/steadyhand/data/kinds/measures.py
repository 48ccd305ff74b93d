"""Features that are measures, one number a pixel or a row a point: as depth, points or a state.

The unit is what the file declares; where it declares none, it is assumed, and that is said. What is
refused is refused with a `ValueError` whose text is the reason.
"""

from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.kinds.depth import (
    METRES,
    MILLIMETRES,
    Declared,
    InMetres,
    is_millimetres,
    looked_at,
    sides,
)
from steadyhand.data.kinds.points import MOST_POINTS, AsPoints
from steadyhand.data.kinds.words import says_labels, says_table
from steadyhand.data.lazy import Formed, LazyArray
from steadyhand.sizes import Kind

MOST_NUMBERS = 4096
"""A feature with more numbers at a time step is not taken for a state."""
BYTE = 255
"""What no gray of a camera exceeds: wider numbers that do are a measure."""
GUESSED = ", as it has one channel of wide numbers"
FLAT = "if it is a state, store it flat, (steps, numbers)"


@dataclass(frozen=True)
class Meant:
    """What a feature is taken for."""

    array: LazyArray
    kind: Kind | None = None
    """Where the shape does not say it."""
    said: tuple[tuple[str, str], ...] = ()
    """(kind, sentence) of what people are to know of it."""


def as_depth(key: str, array: LazyArray, declared: Declared, what: str) -> Meant:
    """Depth by its name or by what the file says: `what` says which."""
    shape = tuple(array.shape[1:])
    if "disparity" in key.lower():
        raise ValueError(
            "it is disparity, which is in pixels; store depth, focal length · baseline / disparity"
        )
    try:
        sides(shape)
    except ValueError:
        raise ValueError(
            f"it {what}, and has {shape} numbers at each step, which are not one a pixel; store "
            "depth by itself, in metres, (height, width, 1)"
        ) from None
    return as_metres(array, declared)


def as_metres(array: LazyArray, declared: Declared, guessed: str = "") -> Meant:
    """One number a pixel, as depth in the unit that is declared, or else assumed and said."""
    if declared.packed is not None:
        ends = f"{declared.packed.near:g} and {declared.packed.far:g} m"
        sentence = f"is depth in codes between {ends}; those of 0 count as not measured."
        return Meant(
            Formed(array, InMetres(packed=declared.packed)), "depth", (("unit", sentence),)
        )
    if declared.per_metre is not None:
        whole = np.dtype(array.dtype).kind in "iu" and declared.per_metre == METRES
        sentence = "is said to be in metres, and holds whole numbers of them: it is read so."
        said = (("unit", sentence),) if whole else ()
        return Meant(Formed(array, InMetres(declared.per_metre)), "depth", said)
    per_metre, sentence = MILLIMETRES, "whole numbers are taken for millimetres"
    if np.dtype(array.dtype).kind == "f":
        values = _few(array)
        if np.mean(values < 0) > 0.5:
            raise ValueError("it is below 0 nearly everywhere, which no depth is; store metres")
        per_metre = MILLIMETRES if is_millimetres(values) else METRES
        sentence = "floating numbers are taken for metres"
        if per_metre == MILLIMETRES:
            sentence = "its numbers are too large for metres, and are taken for millimetres"
        elif values.size and np.nanmin(values) > 0.5 and np.nanmax(values) <= 1:
            sentence += "; if they are a renderer's buffer of 0 to 1, store metres"
    sentence = f"is depth{guessed}, and nothing says in which unit: {sentence}."
    return Meant(Formed(array, InMetres(per_metre)), "depth", (("unit", sentence),))


def _few(array: LazyArray) -> NDArray[np.float64]:
    """A few steps; none of what cannot be read, which is told where it is."""
    try:
        return looked_at(array).astype(np.float64)
    except Exception:
        return np.zeros(0)


def is_table(key: str, shape: tuple[int, ...]) -> bool:
    """Whether a table is by its name what a sheet of sensors feels, or how high the ground is."""
    return says_table(key) and prod(shape) <= MOST_NUMBERS


def as_one_channel(key: str, array: LazyArray, shape: tuple[int, ...]) -> Meant:
    """A map of wide numbers that is not said to be depth."""
    dtype = np.dtype(array.dtype)
    if says_labels(key):
        raise ValueError(
            "by its name it holds the numbers of things, of which none is more or less"
        )
    if is_table(key, shape):
        return Meant(array, "state")
    if says_table(key):
        raise ValueError(
            f"it has {prod(shape)} numbers at each step, and a state has at most {MOST_NUMBERS}"
        )
    values = _few(array)
    finite = values[np.isfinite(values)]
    if not len(values):  # what is damaged is told where it is read
        return as_metres(array, Declared(), GUESSED)
    if len(finite) and finite.min() < 0:
        raise ValueError(
            f"it is one channel of {dtype} with numbers below 0, which no depth is; {FLAT}"
        )
    if dtype.kind != "f" and not (len(finite) and finite.max() > BYTE):
        raise ValueError(
            f"it is one channel of {dtype}: gray pictures are stored as uint8, 0 to 255; if it is "
            "depth, say so in its name"
        )
    if dtype.kind == "f" and not len(finite):
        raise ValueError(f"it is one channel of {dtype}, and none of its numbers is finite")
    return as_metres(array, Declared(), GUESSED)


def as_points(
    array: LazyArray, form: AsPoints, guessed: str, per_metre: float | None = None
) -> Meant:
    """A cloud, in the unit that is declared, or else assumed and said."""
    count, _ = form.shape(tuple(array.shape[1:]))
    if count > MOST_POINTS:
        raise ValueError(
            f"it has {count} points at each step, and {MOST_POINTS} are the most that are read; "
            "store fewer of them"
        )
    said = [("points", guessed)] if guessed else []
    if per_metre is None:
        whole = np.dtype(array.dtype).kind in "iu"
        seen = np.zeros(0) if whole else _few(Formed(array, form))
        distances = np.linalg.norm(seen[..., :3], axis=-1) if seen.size else seen
        per_metre = MILLIMETRES if whole or is_millimetres(distances) else METRES
        if per_metre == MILLIMETRES:
            what = "whole numbers" if whole else "numbers too large for metres"
            said.append(("unit", f"has places in {what}: they are taken for millimetres."))
    made = Formed(array, replace(form, per_metre=per_metre))
    return Meant(made, "points", tuple(said))
