"""Rows at the beginning of a chunk that a network learns to take as they are.

Training-time conditioning (Ren et al. 2025, arXiv 2512.05964): in training some leading rows are
given clean and do not count, so that in use those that are already certain can be. There each row
has its own time; here a flag a row and the condition say what is given, to any denoiser.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from steadyhand.diffusion.process import Array


class Prefix(nn.Module):
    """None, or up to `most` rows from row `first` on that are given clean: tokens that say so.

    They are a linear map of these rows, and of which are given, to as many `tokens` beside those of
    the condition (B, N, `features`) as it takes to hold all of it.
    """

    def __init__(self, *, most: int, first: int = 0, action_size: int, features: int) -> None:
        super().__init__()
        self.most, self.first, self.action_size = most, first, action_size
        told = most * (action_size + 1)
        self.tokens = math.ceil(told / features)
        self.enter = nn.Linear(told, self.tokens * features)

    def drawn(self, uniform: Array, horizon: int) -> NDArray[np.bool_]:
        """(B, horizon): True where a row is clean, of lengths 0…most that are equally likely.

        They are made of digits of `uniform` (B,) that no process looks at for its times.
        """
        lengths = np.floor(np.asarray(uniform) * 2.0**20 % 1 * (self.most + 1))
        rows = np.arange(horizon) - self.first
        return (rows >= 0) & (rows < lengths[:, None])

    def forward(
        self,
        condition: Tensor,
        mask: Tensor | None,
        rows: Tensor | None = None,
        clean: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """(condition, mask) with what is given: of `rows` (B, H, N) those `clean` (B, H)."""
        many, here = condition.shape[0], slice(self.first, self.first + self.most)
        if rows is None or clean is None:
            told = condition.new_zeros(many, self.enter.in_features)
        else:
            flags = clean[:, here, None]
            known = torch.where(flags, rows[:, here], 0)
            told = torch.cat([known, flags.to(known.dtype)], dim=-1).flatten(1)
        tokens = self.enter(told).unflatten(1, (self.tokens, condition.shape[2]))
        seen = torch.cat([condition, tokens.to(condition.dtype)], dim=1)
        if mask is not None:
            mask = torch.cat([mask, mask.new_ones(many, self.tokens)], dim=1)
        return seen, mask


def flagged(x: Tensor, clean: Tensor | None = None) -> Tensor:
    """`x` (B, H, N) with one more number a row: 1 where `clean` (B, H) says so, 0 elsewhere."""
    flags = x.new_zeros((*x.shape[:2], 1)) if clean is None else clean[:, :, None].to(x.dtype)
    return torch.cat([x, flags], dim=-1)
