"""The sampler of shortcut models: noise to actions in one jump, or in a few shorter ones."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from steadyhand.diffusion.loss import ask, at_rest, mean_of_rows, refuse_previous, sent
from steadyhand.diffusion.process import Array
from steadyhand.diffusion.shapes import Chunk, Condition, Loss, Mask, Noises, Rest, Rows
from steadyhand.diffusion.spacing import check_halving
from steadyhand.methods.answer import clipped

JUMP_FEATURES = 20
"""Numbers that tell the network where a jump leads, beside each token of the condition."""


class _Jump(NamedTuple):
    """Chunks that jump: where and when they are, when they are to arrive, what they are given."""

    x: Tensor
    start: Tensor
    end: Tensor
    condition: Tensor
    mask: Tensor | None


class JumpSampler(nn.Module):
    """Noise (B, H, A) and a condition (B, N, D) in, clean normalised actions (B, H, A) out.

    Of `x` at time t, the denoiser is asked for a chunk so that the straight line to it leads where
    the flow leads by time r: `x_r = x + (1 - r/t)·(answer - x)`. For r = t that is the mean of the
    clean chunks, as in flow matching; for r = 0 it is the clean chunk. Where the jump leads is told
    by `JUMP_FEATURES` numbers beside each token of the condition, so that any denoiser will do.
    """

    stochastic = False

    def __init__(
        self,
        denoiser: nn.Module,
        steps: int = 1,
        *,
        share: float = 0.5,
        levels: int = 5,
        clip: float | None = None,
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        check_halving(steps, levels)
        self.denoiser, self.steps = denoiser, steps
        self.share, self.levels = share, levels
        self.clip, self.temperature = clip, temperature
        octaves = 0.5 * torch.pi * 2.0 ** torch.arange(JUMP_FEATURES // 4)
        self.octaves: Tensor
        self.register_buffer("octaves", octaves, persistent=False)

    def forward(
        self,
        noise: Chunk,
        condition: Condition,
        step_noise: Noises = None,
        previous: Rest = None,
        mask: Mask = None,
    ) -> Chunk:
        """Sample, in `steps` jumps of equal length."""
        refuse_previous(previous)
        x = noise if self.temperature == 1 else self.temperature * noise
        for left in range(self.steps, 0, -1):
            start = noise.new_full((noise.shape[0],), left / self.steps)
            end = noise.new_full((noise.shape[0],), (left - 1) / self.steps)
            answer = clipped(self._answer(_Jump(x, start, end, condition, mask)), self.clip)
            x = x + (answer - x) / left
        return x

    def loss(
        self,
        x0: Chunk,
        eps: Chunk,
        uniform: Array,
        condition: Condition,
        weight: Rows = None,
        mask: Mask = None,
    ) -> Loss:
        """Flow matching, and agreement of jumps with their halves; errors count as in velocity."""
        jumping = max(1, round(self.share * len(x0)))
        starts, ends = self._draw(uniform, jumping)
        times = np.stack([starts, ends]).astype(np.float32)
        start, end = sent(times, x0.device)
        x = _rows(1 - start) * x0 + _rows(start) * eps
        jump = _Jump(x, start, end, condition, mask)
        with at_rest(self.denoiser):
            first = _Jump(*(None if part is None else part[:jumping] for part in jump))  # type: ignore[arg-type]
            target = torch.cat([self._through_the_middle(first), x0[jumping:]])
        error = (self._answer(jump) - target).square().mean(-1)
        error = error / start.clamp(min=0.1).square()[:, None]
        return mean_of_rows(error, weight)

    def _draw(self, uniform: Array, jumping: int) -> tuple[Array, Array]:
        """(start, end) of each chunk's jump: the first ones on a grid, the others of no length."""
        level = np.floor(uniform * self.levels)
        pieces = 2**level
        starts = (np.floor((uniform * self.levels - level) * pieces) + 1) / pieces
        jumps = np.arange(len(uniform)) < jumping
        return np.where(jumps, starts, uniform), np.where(jumps, starts - 1 / pieces, uniform)

    def _through_the_middle(self, jump: _Jump) -> Tensor:
        """The answer that would lead where two jumps of half the length lead.

        Half of the shortest jump is learned by none: the flow itself goes there, in an Euler step.
        """
        middle = (jump.start + jump.end) / 2
        flows = jump.start - jump.end <= 0.5 ** (self.levels - 1)
        to_middle = torch.where(flows, jump.start, middle)
        to_end = torch.where(flows, middle, jump.end)
        there = _moved(jump.x, self._answer(jump._replace(end=to_middle)), jump.start, middle)
        after = self._answer(jump._replace(x=there, start=middle, end=to_end))
        end = _moved(there, after, middle, jump.end)
        return jump.x + _rows(jump.start / (jump.start - jump.end)) * (end - jump.x)

    def _answer(self, jump: _Jump) -> Tensor:
        lengths = torch.cat([jump.end[:, None], (jump.start - jump.end)[:, None]], dim=-1)
        angles = (lengths[:, :, None] * self.octaves).flatten(1)
        told = torch.cat([angles.sin(), angles.cos()], dim=-1).to(jump.condition.dtype)
        told = told[:, None].expand(-1, jump.condition.shape[1], -1)
        condition = torch.cat([jump.condition, told], dim=-1)
        # Times are given as those of flow: 100 is noise.
        return ask(self.denoiser, jump.x, 100 * jump.start, condition, jump.mask).float()


def _moved(x: Tensor, answer: Tensor, start: Tensor, end: Tensor) -> Tensor:
    return x + _rows(1 - end / start) * (answer - x)


def _rows(numbers: Tensor) -> Tensor:
    return numbers.view(-1, 1, 1)
