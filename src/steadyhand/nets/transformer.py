"""The Transformer of the Diffusion Policy paper (Chi et al. 2023), over the rows of a chunk."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from steadyhand.nets.attention import Attention, Positions, initialise
from steadyhand.nets.embedding import Sinusoids
from steadyhand.nets.shapes import Answer, Chunk, Condition, Mask, Time, Times


class _Seen(NamedTuple):
    """What a chunk sees: of each block, keys and values of the condition; and who sees which."""

    memory: tuple[Tensor, ...]
    visible: Tensor | None


class Transformer(nn.Module):
    """`(x (B, H, A), t (B,), condition (B, N, D)[, mask (B, N)]) → (B, H, out_features)`.

    The condition is a sequence: the time, then a token for each of N. Each block lets the rows of
    the chunk attend to one another, then to the condition. With `row_times` and `token_times`
    (in steps from now) attention is causal: an action sees neither actions nor observations that
    come after it, as in the paper; without them everything is seen. H and N may be smaller in a
    call than what it was built for.
    """

    def __init__(
        self,
        *,
        horizon: int,
        action_size: int,
        condition_shape: tuple[int, int],
        width: int = 256,
        layers: int = 8,
        heads: int = 4,
        dropout: float = 0.0,
        row_times: Sequence[int] | None = None,
        token_times: Sequence[int] | None = None,
        out_features: int | None = None,
    ) -> None:
        super().__init__()
        tokens, features = condition_shape
        self.enter = nn.Linear(action_size, width)
        self.rows = Positions(horizon, width, "actions in a chunk")
        self.time = Sinusoids(width)
        self.condition = nn.Linear(features, width)
        self.tokens = Positions(1 + tokens, width, "condition tokens, the time among them")
        self.encode = nn.Sequential(
            nn.Linear(width, 4 * width), nn.Mish(), nn.Linear(4 * width, width)
        )
        self.blocks = nn.ModuleList(_Block(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, out_features or action_size)
        initialise(self)
        self.causal: Tensor | None
        self.visible: Tensor | None
        causal = visible = None
        if row_times is not None:
            rows = torch.tensor(row_times)
            causal = rows[:, None] >= rows[None, :]
            if token_times is not None and len(token_times) == tokens:
                # The time of the process may be seen by every action.
                seen = torch.tensor([min(row_times), *token_times])
                visible = rows[:, None] >= seen[None, :]
        self.register_buffer("causal", causal, persistent=False)
        self.register_buffer("visible", visible, persistent=False)

    def forward(self, x: Chunk, t: Time, condition: Condition, mask: Mask = None) -> Answer:
        return self.denoise(x, *self.prepare(t, condition, mask))

    def prepare(
        self, t: Times, condition: Condition, mask: Mask = None
    ) -> tuple[tuple[Tensor, ...], _Seen]:
        """What each block looks at: the keys and values of the time, and of the condition."""
        time = self.encode(self.tokens(self.time(t)[..., None, :]))
        seen = self.encode(self.tokens(self.condition(condition), 1))
        visible = None if self.visible is None else self.visible[:, : 1 + seen.shape[1]]
        if mask is not None:
            always = torch.ones_like(mask[:, :1])
            given = torch.cat([always, mask], dim=1)[:, None, None]
            visible = given if visible is None else given & visible
        blocks: Any = self.blocks
        timed, fixed = (
            tuple(block.across.key_value(tokens) for block in blocks) for tokens in (time, seen)
        )
        return timed, _Seen(fixed, visible)

    def denoise(self, x: Chunk, timed: tuple[Tensor, ...], fixed: _Seen) -> Answer:
        """The answer to `x`, of what `prepare` gave."""
        rows = x.shape[1]
        causal = None if self.causal is None else self.causal[:rows, :rows]
        visible = None if fixed.visible is None else fixed.visible[..., :rows, :]
        h = self.rows(self.enter(x))
        for block, time, seen in zip(self.blocks, timed, fixed.memory, strict=True):
            memory = torch.cat([time.expand(seen.shape[0], -1, -1), seen], dim=1)
            h = block(h, memory, causal, visible)
        return self.leave(self.norm(h))


class _Block(nn.Module):
    """Self-attention, attention to the condition, perceptron; each normalised first."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.itself = Attention(width, heads, dropout)
        self.across = Attention(width, heads, dropout)
        self.inner = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, h: Tensor, memory: Tensor, causal: Tensor | None, visible: Tensor | None
    ) -> Tensor:
        first, second, third = self.norms
        normed = first(h)
        h = h + self.dropout(self.itself(normed, self.itself.key_value(normed), causal))
        h = h + self.dropout(self.across(second(h), memory, visible))
        return h + self.dropout(self.inner(third(h)))
