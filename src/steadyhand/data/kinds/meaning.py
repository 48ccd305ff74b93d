"""What the numbers of a feature are: colour, depth, points or a state; or none that is read.

Told by what the file declares, by name, shape and kind of number; only where these leave it open,
by a few steps. Each is given the one form of its kind, and what was assumed is said.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.data.kinds.depth import Declared, InMetres
from steadyhand.data.kinds.measures import (
    FLAT,
    MOST_NUMBERS,
    Meant,
    as_depth,
    as_one_channel,
    as_points,
    is_table,
)
from steadyhand.data.kinds.points import COLUMNS, AsPoints, columns_first, turned_map
from steadyhand.data.kinds.words import (
    is_action,
    says_depth,
    says_labels,
    says_order,
    says_pixels_of_places,
    says_points,
    says_table,
    says_vectors,
)
from steadyhand.data.lazy import Formed, LazyArray, Mapped, Parts, Rows, Told
from steadyhand.data.pictures.colour import AsColour, picture_scale
from steadyhand.data.problem import Problem
from steadyhand.sizes import SMALLEST_IMAGE, Kind, kind_of

__all__ = ["is_action", "understood"]
SMALLEST_MAP = 32
"""Rows and columns from which a table of numbers is taken for what a camera sees."""
CLOUD, FEW_POINTS = 64, 16
"""Rows from which a table is taken for points: one of 3 to 7 columns, and one that is named so."""


def understood(episodes: Episodes) -> Episodes:
    """The episodes with each feature in the form of its kind: `kinds` and `remarks` say what it is.

    What is none of them is left out; `left_out` says why. Little more than the index is read:
    headers of pictures, and a few steps of what is floating and has no unit. What was understood
    stays as it is.
    """
    arrays, kinds = dict[str, LazyArray](), dict(episodes.kinds)
    left_out, remarks = dict(episodes.left_out), list(episodes.remarks)
    for key, array in episodes.arrays.items():
        try:
            meant = _meant(key, array, episodes.kinds.get(key), episodes.path)
        except ValueError as error:
            left_out[key] = str(error)
            kinds.pop(key, None)
            continue
        arrays[key] = meant.array
        if meant.kind is not None:
            kinds[key] = meant.kind
        remarks += [Problem(kind, f"'{key}' {sentence}") for kind, sentence in meant.said]
    told = tuple(dict.fromkeys(remarks))
    same = len(arrays) == len(episodes.arrays) and told == episodes.remarks
    if same and kinds == episodes.kinds and all(a is episodes.arrays[k] for k, a in arrays.items()):
        return episodes
    return replace(episodes, arrays=arrays, kinds=kinds, left_out=left_out, remarks=told)


def _meant(key: str, array: LazyArray, noted: Kind | None, path: Path | None) -> Meant:
    """Raises `ValueError`, whose text is the reason, for what is not read."""
    said: Mapping[str, Any] = {}
    if isinstance(array, Rows) and isinstance(array.source, Told):
        said, array = array.source.said, Rows(array.source.source, array.rows)
    if isinstance(array, Told):
        said, array = array.said, array.source
    shape, dtype = tuple(array.shape[1:]), np.dtype(array.dtype)
    if 0 in shape:
        raise ValueError(f"it is empty, {shape} at each step")
    if dtype.kind not in "biuf":
        return Meant(array)
    if noted in ("depth", "points", "state", "task"):
        return _noted(array, noted, shape)
    if not said and (says_depth(key) or says_points(key)):
        said = getattr(array, "said", {})
    declared = Declared.by(said)
    wide = [size for size in shape if size != 1]
    depth = says_depth(key) and len(wide) >= 2 and prod(wide) >= SMALLEST_IMAGE**2
    if depth or (declared.depth and not says_points(key)):
        what = "is depth by what is said of it" if declared.depth else "is depth by its name"
        if dtype == np.uint8 and (declared.per_metre is None or shape[-1] in (3, 4)):
            return _painted(key, array, shape, path, what)
        return as_depth(key, array, declared, what)
    turned = turned_map(shape)
    if turned is not None and says_pixels_of_places(key) and dtype.itemsize > 1:
        return as_points(array, AsPoints(turned), "", declared.per_metre)
    if (seen := _seen(key, array, shape, path)) is not None:
        return _labels_told(key, seen)
    if len(shape) == 4 and dtype == np.uint8 and kind_of(shape[1:]) == "image":
        raise ValueError(
            f"it has {shape[0]} pictures at each step, {shape}; store those of each camera by "
            "themselves"
        )
    if len(wide) >= 2 and _is_cloud(key, wide):
        return _cloud(key, array, shape, wide, declared)
    if len(wide) == 2 and min(wide) >= SMALLEST_MAP and not is_table(key, shape):
        return _labels_told(key, _map(key, array, shape, path))
    return _state(key, array, shape, dtype)


def _labels_told(key: str, meant: Meant) -> Meant:
    """With a word on gray that is by its name the numbers of things."""
    array = meant.array
    if meant.kind or array.shape[3:] != (1,) or not says_labels(key):
        return meant
    sentence = (
        "has by its name the numbers of things, of which none is more or less; it is read as gray."
    )
    return replace(meant, said=(*meant.said, ("colour", sentence)))


def _seen(key: str, array: LazyArray, shape: tuple[int, ...], path: Path | None) -> Meant | None:
    """What has pixels and channels; None for what has none."""
    if kind_of(shape) == "image":
        return _picture(key, array, shape, path)
    if len(shape) == 3 and shape[0] in (3, 4) and kind_of((*shape[1:], shape[0])) == "image":
        return _turned(key, array, shape, path)
    return None


def _painted(
    key: str, array: LazyArray, shape: tuple[int, ...], path: Path | None, what: str
) -> Meant:
    """What is called depth, and has bytes for pixels: a picture of it."""
    flat = len(shape) == 2 or shape[0] == 1
    seen = _map(key, array, shape, path) if flat else _seen(key, array, shape, path)
    if seen is None or "rgbd" in key.lower():
        raise ValueError(
            f"it {what}, and has 8 bits of shape {shape}; store it by itself, in metres, (height, "
            "width, 1)"
        )
    why = f"{what}, and its pictures have 8 bits a channel, in which no metres are: they are "
    return replace(seen, said=(("painted", f"{why}read as colour."), *seen.said))


def _noted(array: LazyArray, kind: Kind, shape: tuple[int, ...]) -> Meant:
    """What was written by this project, or understood before."""
    if kind == "depth" and not (len(shape) == 3 and shape[2] == 1):
        raise ValueError(f"it is noted as depth, and its shape is {shape}, not (height, width, 1)")
    if kind == "points" and not (len(shape) == 2 and shape[1] >= 3):
        raise ValueError(f"it is noted as points, and its shape is {shape}, not (count, columns)")
    if kind in ("state", "task") or _is_formed(array):
        return Meant(array, kind)
    return Meant(Formed(array, InMetres() if kind == "depth" else AsPoints()), kind)


def _is_formed(array: LazyArray) -> bool:
    if isinstance(array, Rows | Mapped):
        return _is_formed(array.source)
    if isinstance(array, Parts):
        return all(map(_is_formed, array.parts))
    return isinstance(array, Formed)


def _picture(key: str, array: LazyArray, shape: tuple[int, ...], path: Path | None) -> Meant:
    """What has rows and columns of pixels, channels last."""
    dtype, channels = np.dtype(array.dtype), shape[2]
    if dtype == np.uint8:
        return Meant(array)
    if channels == 1:
        return as_one_channel(key, array, shape)
    if says_vectors(key):
        raise ValueError(f"by its name it is no colour but a measure; {FLAT}")
    return _colour(AsColour(key, file=path), array)


def _colour(form: AsColour, array: LazyArray) -> Meant:
    """Colour in wide or floating numbers, or turned."""
    dtype, shape = np.dtype(array.dtype), tuple(array.shape[1:])
    if dtype.kind == "b":
        raise ValueError(f"it is a picture of {dtype}; colour is uint8, 0 to 255")
    made = Formed(array, form)
    said = []
    if dtype != np.uint8:
        seen = (
            array if not (form.turned or form.flat) else Formed(array, _Turned(form.turned, dtype))
        )
        try:
            scale = picture_scale(seen)
        except Exception:  # what is damaged is told where it is read
            scale = 1.0
        if scale is None:
            raise ValueError(
                f"its numbers ({dtype}) are no colour, which lies in 0 to 255, or floating in 0 to "
                "1; store depth by itself, (height, width, 1), and places in a name with 'points'"
            )
        made = Formed(array, replace(form, scale=scale))
        most = "1" if scale == 255 else "255"
        said = [("colour", f"is colour in {dtype}, 0 to {most}; it is read as uint8, 0 to 255.")]
    if form.turned or form.flat:
        how = "its channels first" if form.turned else "no axis of channels"
        said = [
            ("channels", f"has {how}, {shape}; it is read as cameras give it, {made.shape[1:]}."),
            *said,
        ]
    return Meant(made, None, tuple(said))


@dataclass(frozen=True)
class _Turned:
    """The form of what is looked at before it is known to be colour: with its channels last."""

    turned: bool
    dtype: np.dtype[Any]

    def shape(self, recorded: tuple[int, ...]) -> tuple[int, ...]:
        return (*recorded[1:], recorded[0]) if self.turned else (*recorded, 1)

    def __call__(self, values: NDArray[Any], /) -> NDArray[Any]:
        return np.moveaxis(values, 1, -1) if self.turned else values[..., None]


def _turned(key: str, array: LazyArray, shape: tuple[int, ...], path: Path | None) -> Meant:
    """Pictures with their channels first; but what is no colour and has few numbers is a state."""
    floating = np.dtype(array.dtype).kind == "f"
    if says_vectors(key):
        raise ValueError(f"by its name it is no colour but a measure; {FLAT}")
    try:
        return _colour(AsColour(key, turned=True, file=path), array)
    except ValueError:
        if floating and prod(shape) <= MOST_NUMBERS:
            return Meant(array)
        raise


def _map(key: str, array: LazyArray, shape: tuple[int, ...], path: Path | None) -> Meant:
    """(height, width), or (1, height, width): gray, or a measure."""
    if np.dtype(array.dtype) == np.uint8:
        if len(shape) == 2:
            return _colour(AsColour(key, flat=True, file=path), array)
        if shape[0] == 1 and len(shape) == 3:
            return _colour(AsColour(key, turned=True, file=path), array)
        raise ValueError(f"it is a picture of shape {shape}; gray ones are (height, width, 1)")
    if np.dtype(array.dtype).kind == "b":
        return _state(key, array, shape, np.dtype(bool))
    return as_one_channel(key, array, shape)


def _state(key: str, array: LazyArray, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Meant:
    if prod(shape) > MOST_NUMBERS:
        raise ValueError(
            f"it has {prod(shape)} numbers at each step, and a state has at most {MOST_NUMBERS}; "
            "record what is to be seen of it as a feature of its own"
        )
    wide = [size for size in shape if size != 1]
    small = len(wide) == 2 and min(wide) >= SMALLEST_IMAGE
    if not small or dtype.kind not in "iu" or dtype.itemsize > 2 or says_table(key):
        return Meant(array)
    sentence = f"is a table of whole numbers, {shape}, and is read as a state; depth is named so."
    return Meant(array, None, (("table", sentence),))


def _is_cloud(key: str, wide: list[int]) -> bool:
    if says_order(key):
        return False
    points = wide[0] in COLUMNS or wide[-1] in COLUMNS
    return (points and max(wide) >= CLOUD) or (says_points(key) and max(wide) >= FEW_POINTS)


def _cloud(
    key: str, array: LazyArray, shape: tuple[int, ...], wide: list[int], declared: Declared
) -> Meant:
    """A table that is a cloud of points by its name or its shape."""
    if np.dtype(array.dtype).itemsize == 1:
        raise ValueError(
            f"it has bytes for points, {shape}; store colours as further columns of their cloud"
        )
    turned = columns_first(tuple(wide))
    if len(wide) > 2 or min(wide) < 3 or (turned and len(shape) > 2):
        raise ValueError(
            f"it is a cloud of points of shape {shape} at each step; store each by itself, (count, "
            "columns), the first three columns a place; if its rows have an order, flat"
        )
    named = says_points(key)
    sentence = "is by its shape a cloud of points; if its rows have an order, store it flat."
    return as_points(array, AsPoints(turned), "" if named else sentence, declared.per_metre)
