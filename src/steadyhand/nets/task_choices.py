"""How a policy is told which task it is to do: what a recipe names. No torch here.

A task is a vector in every observation; here is which vector a text becomes, and what of it the
condition gets. The vectors themselves are kept with the policy: loading it asks no text model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from steadyhand.sizes import Width
from steadyhand.values import checked

if TYPE_CHECKING:
    from torch import nn


@checked
@dataclass(frozen=True, kw_only=True)
class TaskEncoding:
    """A vector learned for each task, or one that says what its words mean."""

    source: str | None = None
    """A text model of transformers: its folder, its name on the hub, or minilm (extra text). Then
    the same task in other words is nearly the same vector. Without, each task's is learned."""
    width: Width = 64
    """Numbers that stand for a task in the condition."""

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """What tells these tasks apart, (n, K): sentence embeddings by `nets.text.embed`, or of
        task i a one in place i.

        A model may be fetched: for what a user names, never for what a policy's file says.
        """
        if self.source is None:
            return np.eye(len(texts), dtype=np.float32)
        from steadyhand.nets.text import embed

        return embed(texts, self.source)

    def build(self, numbers: int) -> nn.Module:
        """From the vector of a task (…, numbers) to its part of the condition (…, width)."""
        from torch import nn

        linear = nn.Linear(numbers, self.width)
        # The vectors have length one: so begun, what comes out has numbers of size one.
        nn.init.normal_(linear.weight)
        nn.init.zeros_(linear.bias)
        return linear
