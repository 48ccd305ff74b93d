"""Shortcut models (Frans et al. 2024): a flow that is told how far it is to jump, from scratch.

The value that a policy stores is here, without torch; the module is `jumps.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from steadyhand.errors import ConfigurationError
from steadyhand.sizes import check_sizes
from steadyhand.values import checked

if TYPE_CHECKING:
    from torch import nn

JUMP_FEATURES = 20
"""Numbers that tell the network where a jump leads, beside each token of the condition."""


@checked
@dataclass(frozen=True, kw_only=True)
class Shortcut:
    """A one-step policy without a teacher, on the straight path of flow.

    Some chunks of a batch teach the flow itself; the others teach that one jump ends where two of
    half its length do, so that what is known of short jumps grows into long ones. The paper gives
    a quarter of a batch to jumps; here a half did better on `fork` (BENCHMARKS.md).
    """

    share: float = 0.5
    """Share of each batch that learns to jump; the others learn the flow."""
    levels: int = 5
    """Lengths of jumps: 1, 1/2, 1/4 and so on. Half the shortest is taken as two steps of flow."""

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ConfigurationError(f"share is {self.share}; it must be between 0 and 1.")
        check_sizes(self, "levels")

    def outputs(self, action_size: int) -> int:
        return action_size

    def condition_shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        return shape[0], shape[1] + JUMP_FEATURES

    def build(
        self,
        denoiser: nn.Module,
        chunk_shape: tuple[int, int],
        *,
        steps: int,
        clip: float | None,
        temperature: float,
    ) -> nn.Module:
        from steadyhand.diffusion.jumps import JumpSampler

        return JumpSampler(
            denoiser,
            steps,
            share=self.share,
            levels=self.levels,
            clip=clip,
            temperature=temperature,
        )
