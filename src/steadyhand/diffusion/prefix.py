"""Rows at the beginning of a chunk that a network learns to take as they are.

Training-time conditioning (Ren et al. 2025, arXiv 2512.05964): in training some leading rows are
given clean and do not count, so that in use those that are already certain can be. No torch here.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from steadyhand.diffusion.process import Array


@dataclass(frozen=True, kw_only=True)
class Prefix:
    """Rows that may be given clean: none, or up to `most` of them, from row `first` on."""

    most: int
    first: int = 0

    def drawn(self, uniform: Array, horizon: int) -> NDArray[np.bool_]:
        """(B, horizon): True where a row is clean, of lengths 0…most that are equally likely.

        They are made of digits of `uniform` (B,) that no process looks at for its times.
        """
        lengths = np.floor(np.asarray(uniform) * 2.0**20 % 1 * (self.most + 1))
        rows = np.arange(horizon) - self.first
        return (rows >= 0) & (rows < lengths[:, None])
