"""A diffusion transformer (Peebles & Xie 2023) over the rows of a chunk.

Its condition may be a few observation steps or hundreds of tokens of a vision-language model.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from steadyhand.nets.attention import Attention, Positions
from steadyhand.nets.embedding import TimeEmbedding
from steadyhand.nets.shapes import Answer, Chunk, Condition, Mask, Time, Times


class _Seen(NamedTuple):
    """What a chunk sees: the mean of the tokens, each block's keys and values, who sees which."""

    mean: Tensor
    memory: tuple[Tensor, ...]
    mask: Tensor | None


class DiffusionTransformer(nn.Module):
    """`(x (B, H, A), t (B,), condition (B, N, D)[, mask (B, N)]) → (B, H, out_features)`.

    Every block has self-attention, attention to the condition tokens and a perceptron, each behind
    adaptive layer norm with a gate that starts at zero. The time and the mean of the tokens drive
    them. `positions` tells the tokens apart by their place, for at most the N it was built for;
    without, any number of them may be given, and where they stand must be in their features.
    """

    def __init__(
        self,
        *,
        horizon: int,
        action_size: int,
        condition_shape: tuple[int, int],
        width: int = 256,
        layers: int = 4,
        heads: int = 4,
        expansion: int = 4,
        dropout: float = 0.0,
        positions: bool = True,
        out_features: int | None = None,
    ) -> None:
        super().__init__()
        tokens, features = condition_shape
        self.enter = nn.Linear(action_size, width)
        self.rows = Positions(horizon, width, "actions in a chunk")
        self.time = TimeEmbedding(width)
        self.condition = nn.Sequential(
            nn.Linear(features, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.tokens = Positions(tokens, width, "condition tokens") if positions else nn.Identity()
        # Always visible, so that a sample whose tokens are all masked has something to look at.
        self.nothing = nn.Embedding(1, width)
        self.drive = nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.blocks = nn.ModuleList(_Block(width, heads, expansion, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(width, 2 * width)
        self.leave = nn.Linear(width, out_features or action_size)
        for zero in (self.modulation, self.leave):
            nn.init.zeros_(zero.weight)
            nn.init.zeros_(zero.bias)

    def forward(self, x: Chunk, t: Time, condition: Condition, mask: Mask = None) -> Answer:
        return self.denoise(x, *self.prepare(t, condition, mask))

    def prepare(
        self, t: Times, condition: Condition, mask: Mask = None
    ) -> tuple[tuple[Tensor], _Seen]:
        """The embedded time, and of the condition what drives and what each block looks at."""
        tokens = self.tokens(self.condition(condition))
        if mask is None:
            mean = tokens.mean(1)
        else:
            counts = mask[..., None].to(tokens.dtype)
            mean = (tokens * counts).sum(1) / counts.sum(1).clamp(min=1)
            always = torch.ones_like(mask[:, :1])
            mask = torch.cat([always, mask], dim=1)[:, None, None]
        nothing = self.nothing.weight.expand(tokens.shape[0], 1, -1).to(tokens.dtype)
        memory = torch.cat([nothing, tokens], dim=1)
        blocks: Any = self.blocks
        memories = tuple(block.across.key_value(memory) for block in blocks)
        return (self.time(t),), _Seen(mean, memories, mask)

    def denoise(self, x: Chunk, timed: tuple[Tensor], fixed: _Seen) -> Answer:
        """The answer to `x`, of what `prepare` gave."""
        drive = self.drive(timed[0] + fixed.mean)
        h = self.rows(self.enter(x))
        for block, memory in zip(self.blocks, fixed.memory, strict=True):
            h = block(h, memory, drive, fixed.mask)
        scale, shift = self.modulation(drive)[:, None].chunk(2, dim=-1)
        return self.leave(self.norm(h) * (1 + scale) + shift)


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, expansion: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(width, 9 * width)
        self.itself = Attention(width, heads, dropout)
        self.across = Attention(width, heads, dropout)
        self.inner = nn.Sequential(
            nn.Linear(width, expansion * width),
            nn.GELU(approximate="tanh"),
            nn.Dropout(dropout),
            nn.Linear(expansion * width, width),
        )
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, h: Tensor, memory: Tensor, drive: Tensor, mask: Tensor | None) -> Tensor:
        first, second, third = self.modulation(drive)[:, None].chunk(3, dim=-1)
        normed, gate = self._modulated(h, first)
        h = h + gate * self.itself(normed, self.itself.key_value(normed))
        normed, gate = self._modulated(h, second)
        h = h + gate * self.across(normed, memory, mask)
        normed, gate = self._modulated(h, third)
        return h + gate * self.inner(normed)

    def _modulated(self, h: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        scale, shift, gate = numbers.chunk(3, dim=-1)
        return self.norm(h) * (1 + scale) + shift, gate
