"""Pictures to another size: in the frame store by Pillow, in the simulator as OpenCV does it.

The policy on the robot does it by torch (`policy.policy.resized`), with the same bilinear filter: a
triangle as wide as the step between pixels. They differ by one level of 255 at most: on a CPU in
some thousandth of the pixels of real pictures, elsewhere, where torch does not round between its
two directions, in some tenth. Depth is never averaged: a pixel has the metres of the nearest one.
"""

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import library

MODES = {1: "L", 3: "RGB", 4: "CMYK"}
"""Pillow's names of so many channels: of RGBA, it would weigh the colours by the last one."""


def resize_frames(
    frames: NDArray[np.uint8], size: tuple[int, int], *, antialias: bool = True
) -> NDArray[np.uint8]:
    """Frames (…, H, W, C) of 1, 3 or 4 channels to `size` = (h, w); as they are where they have it.

    Without `antialias` only the nearest four pixels count, as in OpenCV's bilinear filter. Raises
    `MissingExtraError` where Pillow is asked for and not installed.
    """
    height, width, channels = frames.shape[-3:]
    if (height, width) == size:
        return frames
    if not antialias:
        return _of_nearest_four(frames, size)
    pillow, mode = library("PIL.Image"), MODES[channels]
    result = np.empty((*frames.shape[:-3], *size, channels), np.uint8)
    for place in np.ndindex(frames.shape[:-3]):
        picture = pillow.frombytes(mode, (width, height), frames[place].tobytes())
        smaller = picture.resize((size[1], size[0]), pillow.Resampling.BILINEAR)
        result[place] = np.asarray(smaller).reshape(*size, channels)
    return result


def nearest(source: int, target: int) -> NDArray[np.int64]:
    """Which of `source` pixels in a row each of `target` shows: the one in which its middle lies.

    That is floor((i + 0.5) · source / target), in whole numbers, so that all do it alike.
    """
    return (2 * np.arange(target, dtype=np.int64) + 1) * source // (2 * target)


def resize_depth(metres: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Metres (…, H, W, 1) at `size` = (h, w), each pixel that of the nearest one.

    A mean of what is near and what is far is nowhere, and one with a hole is nearer than anything.
    """
    rows, columns = (nearest(*pair) for pair in zip(metres.shape[-3:-1], size, strict=True))
    return metres[..., rows[:, None], columns, :]


def _of_nearest_four(frames: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    rows, columns = (_weights(*pair) for pair in zip(frames.shape[-3:-1], size, strict=True))
    # Pixels that count for nothing are not even looked at: most of them.
    across, down = rows.any(0), columns.any(0)
    seen = frames[..., across, :, :][..., down, :].astype(np.float32).swapaxes(-1, -3)
    values = (columns[:, down] @ seen @ rows[:, across].T).swapaxes(-1, -3)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _weights(source: int, target: int) -> NDArray[np.float32]:
    """Weights (target, source) by which `source` pixels in a row become `target`; rows sum to 1."""
    centres = (np.arange(target) + 0.5) * (source / target)
    distance = np.abs(np.arange(source) + 0.5 - centres[:, None])
    weights = np.maximum(0.0, 1.0 - distance)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)
