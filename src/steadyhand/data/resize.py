"""One way to resize pictures, for the frame store, the simulator and the policy on the robot.

It is two matrix products, on arrays and tensors alike; with antialiasing it is Pillow's bilinear
filter (a triangle as wide as the step between pixels), without it OpenCV's.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def resize_matrix(source: int, target: int, *, antialias: bool = True) -> NDArray[np.float32]:
    """Weights (target, source) by which `source` pixels in a row become `target`; rows sum to 1."""
    step = source / target
    reach = max(step, 1.0) if antialias else 1.0
    centres = (np.arange(target) + 0.5) * step
    distance = np.abs(np.arange(source) + 0.5 - centres[:, None])
    weights = np.maximum(0.0, 1.0 - distance / reach)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def resized(frames: Any, rows: Any, columns: Any) -> Any:
    """Floating frames (…, H, W, C), by matrices (h, H) and (w, W), to (…, h, w, C)."""
    return (columns @ frames.swapaxes(-1, -3) @ rows.swapaxes(0, 1)).swapaxes(-1, -3)


def resize_frames(
    frames: NDArray[np.uint8], size: tuple[int, int], *, antialias: bool = True
) -> NDArray[np.uint8]:
    """Frames (…, H, W, C) to `size` = (h, w), in uint8; as they are where they have it."""
    height, width = frames.shape[-3:-1]
    if (height, width) == size:
        return frames
    rows = resize_matrix(height, size[0], antialias=antialias)
    columns = resize_matrix(width, size[1], antialias=antialias)
    # Pixels that count for nothing are not even looked at: most of them, without antialiasing.
    across, down = rows.any(0), columns.any(0)
    seen = frames[..., across, :, :][..., down, :].astype(np.float32)
    values = resized(seen, rows[:, across], columns[:, down])
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
