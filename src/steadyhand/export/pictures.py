"""Pictures made smaller by products of matrices, to the very number that torch makes of them.

torch's own filter for whole numbers, which is Pillow's, has no counterpart in a graph. It weighs
with whole numbers and rounds between its two directions; here those weights are matrices, and all
sums are whole numbers that float32 holds exactly.
"""

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from torch import Tensor, nn

from steadyhand.errors import ConfigurationError
from steadyhand.nets.resampling import triangles

PART = 256
"""Weights are taken apart into so many ones and the rest: each part has 8 bits, which no precision
rounds, and sums of products with pixels stay below 2^24."""
MOST_BITS = 22
"""Of the fraction of a weight; together with its whole part it has 15."""


class Resizing(nn.Module):
    """`resized` for the sizes that it is made for, as `policy.policy.resized` computes it on a CPU.

    `sizes` are (source, target) pairs of (height, width).
    """

    def __init__(self, sizes: Iterable[tuple[tuple[int, ...], tuple[int, ...]]]) -> None:
        super().__init__()
        self.directions = nn.ModuleDict()
        for pair in {step for two in sizes for step in zip(*two, strict=True)}:
            self.directions[_named(*pair)] = _Direction(*pair)

    def forward(
        self,
        pictures: UInt8[Tensor, "batch steps height width channels"],
        size: tuple[int, ...],
    ) -> Float[Tensor, "batch steps rows columns channels"]:
        seen = pictures.flatten(0, 1).movedim(-1, 1).float()
        (height, width), (rows, columns) = pictures.shape[2:4], size
        across, down = (_named(*pair) for pair in ((width, columns), (height, rows)))
        smaller = self.directions[across](seen)
        smaller = self.directions[down](smaller.transpose(-1, -2)).transpose(-1, -2)
        return smaller.movedim(1, -1).unflatten(0, pictures.shape[:2])


class _Direction(nn.Module):
    """Pixels (…, source) to (…, target), whole numbers in float32."""

    ones: Tensor
    parts: Tensor

    def __init__(self, source: int, target: int) -> None:
        super().__init__()
        weights, self.bits = whole_weights(source, target)
        parts, ones = (weights // PART).T, (weights % PART).T
        if 255 * ones.sum(0).max() >= 2**24:
            raise ConfigurationError(
                f"A graph cannot make {source} pixels {target}: too many become one. Train with a "
                "larger --image-size."
            )
        self.same = source == target
        for name, values in (("parts", parts), ("ones", ones)):
            tensor = torch.from_numpy(np.ascontiguousarray(values, np.float32))
            self.register_buffer(name, tensor, persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        if self.same:
            return pixels
        # (parts·256 + ones + half) // 2^bits, of whole numbers, each step exact.
        bits = self.bits - 8
        carried = torch.floor(pixels @ self.ones * (1 / PART))
        total = pixels @ self.parts + carried + 2.0 ** (bits - 1)
        return torch.floor(total * 2.0**-bits).clamp(0, 255)


def whole_weights(source: int, target: int) -> tuple[NDArray[np.int64], int]:
    """(weights (target, source), bits): `triangles` in whole numbers of 2^-bits, as torch and
    Pillow round them."""
    weights = triangles(source, target)
    largest = weights.max()
    bits = next((n for n in range(MOST_BITS) if int(0.5 + largest * 2 ** (n + 1)) >= 2**15), 22)
    return (0.5 + weights * 2**bits).astype(np.int64), bits


def _named(source: int, target: int) -> str:
    return f"{source}_{target}"
