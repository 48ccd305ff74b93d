"""Pictures of another size: colour as products of matrices, which any graph can hold, unlike a
filter; depth by its nearest pixel, since the mean of two distances is where nothing is.
"""

from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor


def resampled(
    pictures: Float[Tensor, "pictures channels height width"], rows: int, columns: int
) -> Float[Tensor, "pictures channels rows columns"]:
    """Antialiased and bilinear, as `torch.nn.functional.interpolate` computes it of floats."""
    height, width = pictures.shape[-2:]
    down, across = (
        torch.from_numpy(triangles(*pair).astype(np.float32)).to(pictures)
        for pair in ((height, rows), (width, columns))
    )
    return down @ (pictures @ across.T)


def nearest(
    pictures: Float[Tensor, "batch steps height width channels"], size: tuple[int, ...]
) -> Float[Tensor, "batch steps rows columns channels"]:
    """The pixels that lie under the middles of those of `size`, (rows, columns)."""
    for axis, target in enumerate(size, start=2):
        places = torch.from_numpy(middles(pictures.shape[axis], target))
        pictures = pictures.index_select(axis, places.to(pictures.device))
    return pictures


def middles(source: int, target: int) -> NDArray[np.int64]:
    """Which of `source` things in a row lie in the middle of each of `target` equal parts."""
    return (2 * np.arange(target) + 1) * source // (2 * target)


@cache
def triangles(source: int, target: int) -> NDArray[np.float64]:
    """Weights (target, source) by which `source` pixels in a row become `target`: a triangle as
    wide as the step between pixels of the coarser; rows sum to 1. As torch and Pillow weigh them.
    """
    scale = source / target
    wide = max(scale, 1.0)
    weights = np.zeros((target, source))
    for row in range(target):
        centre = scale * (row + 0.5)
        first = max(int(centre - wide + 0.5), 0)
        last = min(int(centre + wide + 0.5), source)
        distance = np.abs((np.arange(first, last) - centre + 0.5) * (1 / wide))
        found = np.where(distance < 1, 1 - distance, 0.0)
        weights[row, first:last] = found / found.sum()
    return weights
