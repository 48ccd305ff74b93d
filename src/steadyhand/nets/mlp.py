"""A residual perceptron over the flattened chunk: the small fast denoiser for states."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from steadyhand.nets.embedding import TimeEmbedding
from steadyhand.nets.shapes import Answer, Chunk, Condition, Time, Times


class ResidualMLP(nn.Module):
    """`(x (B, H, A), t (B,), condition (B, N, D)) → (B, H, out_features)`.

    The condition and the time drive every block through adaptive layer norm with a gate that
    starts at zero (Peebles & Xie 2023), so that training begins at the identity.
    """

    def __init__(
        self,
        *,
        horizon: int,
        action_size: int,
        condition_shape: tuple[int, int],
        width: int = 512,
        blocks: int = 3,
        expansion: int = 2,
        dropout: float = 0.0,
        out_features: int | None = None,
    ) -> None:
        super().__init__()
        self.horizon = horizon
        self.out_features = out_features or action_size
        self.time = TimeEmbedding(128)
        tokens, features = condition_shape
        self.condition = nn.Sequential(
            nn.Linear(tokens * features + 128, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
        )
        self.enter = nn.Linear(horizon * action_size + tokens * features, width)
        self.blocks = nn.ModuleList(_Block(width, expansion, dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, horizon * self.out_features)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, x: Chunk, t: Time, condition: Condition) -> Answer:
        return self.denoise(x, *self.prepare(t, condition))

    def prepare(
        self, t: Times, condition: Condition
    ) -> tuple[tuple[Tensor], tuple[Tensor, Tensor]]:
        """What the first layers make of the time, and of the condition: they are sums of both."""
        condition = condition.flatten(1)
        first: Any = self.condition[0]
        seen, known = first.weight[:, : condition.shape[1]], first.weight[:, condition.shape[1] :]
        beside = self.enter.weight[:, -condition.shape[1] :]
        fixed = F.linear(condition, seen, first.bias), F.linear(condition, beside, self.enter.bias)
        return (F.linear(self.time(t), known),), fixed

    def denoise(self, x: Chunk, timed: tuple[Tensor], fixed: tuple[Tensor, Tensor]) -> Answer:
        """The answer to `x`, of what `prepare` gave."""
        drive = self.condition[1:](timed[0] + fixed[0])
        x = x.flatten(1)
        h = F.linear(x, self.enter.weight[:, : x.shape[1]]) + fixed[1]
        for block in self.blocks:
            h = block(h, drive)
        return self.leave(self.norm(h)).unflatten(1, (self.horizon, self.out_features))


class _Block(nn.Module):
    def __init__(self, width: int, expansion: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(width, 3 * width)
        self.inner = nn.Sequential(
            nn.Linear(width, expansion * width),
            nn.SiLU(),
            nn.Dropout(dropout),
            nn.Linear(expansion * width, width),
        )
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, h: Tensor, drive: Tensor) -> Tensor:
        scale, shift, gate = self.modulation(drive).chunk(3, dim=-1)
        return h + gate * self.inner(self.norm(h) * (1 + scale) + shift)
