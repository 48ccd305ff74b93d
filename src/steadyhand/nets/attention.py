"""Attention and positions: what the two transformers share."""

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from steadyhand.errors import ConfigurationError


class Attention(nn.Module):
    """Each of `x` (B, H, W) looks at a memory (B, N, W), through `scaled_dot_product_attention`.

    The memory is given as what `key_value` makes of it, so that it may be made once for many `x`.

    `mask`, True where it may look, is anything that broadcasts to (B, heads, H, N).
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if heads < 1 or width % heads:
            raise ConfigurationError(
                f"A width of {width} cannot be split over {heads} heads; make it a multiple."
            )
        self.heads, self.dropout = heads, dropout
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.leave = nn.Linear(width, width)

    def forward(
        self,
        x: Float[Tensor, "batch rows width"],
        memory: Float[Tensor, "batch tokens keys_and_values"],
        mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "batch rows width"]:
        query = self._split(self.query(x))
        key, value = (self._split(part) for part in memory.chunk(2, dim=-1))
        dropout = self.dropout if self.training else 0.0
        seen = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
        return self.leave(seen.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class Positions(nn.Module):
    """A learned vector for each place of a sequence (…, places, width), added to it.

    A sequence has the places from `first` on.

    Raises `ConfigurationError` for a sequence that is longer than it was built for.
    """

    def __init__(self, count: int, width: int, what: str) -> None:
        super().__init__()
        self.what = what
        self.places = nn.Embedding(count, width)
        nn.init.normal_(self.places.weight, std=0.02)

    def forward(
        self, x: Float[Tensor, "*batch places width"], first: int = 0
    ) -> Float[Tensor, "*batch places width"]:
        count, most = first + x.shape[-2], self.places.num_embeddings
        if count > most:
            raise ConfigurationError(f"This network was built for {most} {self.what}, not {count}.")
        return x + self.places.weight[first:count]


def initialise(module: nn.Module) -> None:
    """Weights as in GPT-2: matrices from a normal of deviation 0.02, biases at zero."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, std=0.02)
            nn.init.zeros_(part.bias)
