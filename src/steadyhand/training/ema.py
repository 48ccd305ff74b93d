"""The exponential moving average of a policy's weights: what is evaluated and kept."""

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

M = TypeVar("M", bound=nn.Module)


class WeightAverage(Generic[M]):
    """An averaged copy of a module, buffers included; what is frozen in it is the module's own.

    The decay is handed in at each update, as a function of the step alone: there is no counter
    that a resumed run could lose.
    """

    def __init__(self, module: M) -> None:
        frozen = {
            id(weights): weights for weights in module.parameters() if not weights.requires_grad
        }
        self.module = copy.deepcopy(module, frozen)
        self.module.requires_grad_(False).eval()

    @torch.no_grad()
    def update(self, module: M, decay: float) -> None:
        """Move towards `module`; whole-number buffers are copied as they are."""
        both = ([*m.parameters(), *m.buffers()] for m in (self.module, module))
        pairs = [pair for pair in zip(*both, strict=True) if pair[0] is not pair[1]]
        for mine, theirs in pairs:
            if not mine.is_floating_point():
                mine.copy_(theirs)
        moving = [pair for pair in pairs if pair[0].is_floating_point()]
        averaged, live = zip(*moving, strict=True)
        torch._foreach_lerp_(averaged, live, 1 - decay)  # pyright: ignore[reportPrivateImportUsage]
