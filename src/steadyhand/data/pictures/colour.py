"""Recorded pictures as colour in 0 to 255, whatever kind of numbers they were stored as."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.lazy import LazyArray
from steadyhand.errors import DataError

BRIGHTEST = 255.5
"""What no number of a picture exceeds, of which halves are rounded."""
DIM = 16.0
"""Floating pictures of which none reaches this, and some exceed 1, are measures."""


def picture_scale(source: LazyArray) -> float | None:
    """What pictures are multiplied by: 255 where they are floating in 0…1, 1 where in 0…255.

    None where a few of them are neither, and so no colour: measures in metres hardly come near
    the brightness of a picture.
    """
    dtype = np.dtype(source.dtype)
    if dtype == np.uint8 or dtype.kind not in "iuf":
        return 1.0
    seen = [np.asarray(source[i]) for i in np.linspace(0, source.shape[0] - 1, 8).astype(int)]
    channels = np.stack(seen).reshape(-1, seen[0].shape[-1])
    scales = {_scale(part, dtype.kind) for part in (channels[:, :3], channels[:, 3:]) if part.size}
    return scales.pop() if len(scales) == 1 else None


def _scale(values: NDArray[Any], kind: str) -> float | None:
    low, high = float(np.min(values)), float(np.max(values))
    if not (low >= 0 and high <= BRIGHTEST):
        return None
    if kind != "f":
        return 1.0
    return 255.0 if high <= 1.0 else 1.0 if high >= DIM else None


@dataclass(frozen=True)
class AsColour:
    """The form of colour: (height, width, channels), as cameras give it."""

    name: str
    scale: float = 1.0
    """As `picture_scale` finds it."""
    turned: bool = False
    """Whether the channels lie along the first axis."""
    flat: bool = False
    """Whether there is no axis of channels, for there is one."""
    file: Path | None = None
    """Where they lie, for what is told of them."""
    dtype = np.dtype(np.uint8)

    def shape(self, recorded: tuple[int, ...]) -> tuple[int, ...]:
        if self.flat:
            return (*recorded, 1)
        return (*recorded[1:], recorded[0]) if self.turned else recorded

    def __call__(self, values: NDArray[Any], /) -> NDArray[np.uint8]:
        if self.turned:
            values = np.moveaxis(values, 1, -1)
        found = as_pictures(
            values, self.scale, f"{self.file or 'the data'}: '{self.name}'", self.file
        )
        return found[..., None] if self.flat else found


def as_pictures(
    values: NDArray[Any], scale: float | None, name: str, file: Path | None = None
) -> NDArray[np.uint8]:
    """Recorded pictures as uint8. Raises `DataError` where they do not lie in 0…255."""
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind not in "iuf":
        raise DataError(f"{name} holds {values.dtype}, which are no pictures.", file=file)
    if not values.size:
        return values.astype(np.uint8)
    low, high = float(np.min(values)), float(np.max(values))
    if scale is None or not (low >= 0 and high * scale <= BRIGHTEST):
        raise DataError(
            f"{name} are pictures with values {low:g} to {high:g}; they are taken in 0 to 255, or "
            "all of them in 0 to 1. Depth is stored in metres, and other measures as numbers.",
            file=file,
        )
    return (np.rint(values * scale) if values.dtype.kind == "f" else values).astype(np.uint8)
