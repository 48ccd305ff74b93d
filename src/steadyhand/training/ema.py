"""The exponential moving average of a policy's weights: what is evaluated and kept."""

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)


class WeightAverage(Generic[M]):
    """An averaged copy of a module, buffers included.

    The decay is handed in at each update, as a function of the step alone: there is no counter
    that a resumed run could lose.
    """

    def __init__(self, module: M) -> None:
        self.module = copy.deepcopy(module)
        self.module.requires_grad_(False).eval()

    @torch.no_grad()
    def update(self, module: M, decay: float) -> None:
        """Move towards `module`; whole-number buffers are copied as they are."""
        averaged: list[Tensor] = []
        live: list[Tensor] = []
        pairs = zip(_tensors(self.module), _tensors(module), strict=True)
        for mine, theirs in pairs:
            if mine.is_floating_point():
                averaged.append(mine)
                live.append(theirs.detach())
            else:
                mine.copy_(theirs)
        torch._foreach_lerp_(averaged, live, 1 - decay)  # pyright: ignore[reportPrivateImportUsage]


def _tensors(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]
