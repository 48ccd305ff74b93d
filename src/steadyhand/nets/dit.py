"""A diffusion transformer (Peebles & Xie 2023) over the rows of a chunk.

Its condition may be a few observation steps or hundreds of tokens of a vision-language model.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from steadyhand.nets.attention import Attention, Positions
from steadyhand.nets.embedding import TimeEmbedding


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

    def forward(
        self,
        x: Float[Tensor, "batch horizon action"],
        t: Float[Tensor, " batch"],
        condition: Float[Tensor, "batch tokens features"],
        mask: Bool[Tensor, "batch tokens"] | None = None,
    ) -> Float[Tensor, "batch horizon out"]:
        tokens = self.tokens(self.condition(condition))
        if mask is None:
            mean = tokens.mean(1)
        else:
            counts = mask[..., None].to(tokens.dtype)
            mean = (tokens * counts).sum(1) / counts.sum(1).clamp(min=1)
            always = torch.ones_like(mask[:, :1])
            mask = torch.cat([always, mask], dim=1)[:, None, None]
        drive = self.drive(self.time(t) + mean)
        nothing = self.nothing.weight.expand(x.shape[0], 1, -1).to(tokens.dtype)
        memory = torch.cat([nothing, tokens], dim=1)
        h = self.rows(self.enter(x))
        for block in self.blocks:
            h = block(h, memory, drive, mask)
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
        h = h + gate * self.itself(normed, normed)
        normed, gate = self._modulated(h, second)
        h = h + gate * self.across(normed, memory, mask)
        normed, gate = self._modulated(h, third)
        return h + gate * self.inner(normed)

    def _modulated(self, h: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        scale, shift, gate = numbers.chunk(3, dim=-1)
        return self.norm(h) * (1 + scale) + shift, gate
