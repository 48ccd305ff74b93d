"""How a policy is told which task it is to do: choices that a recipe names. No torch here.

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
class LearnedTasks:
    """A vector learned for each task; of a task that was not trained on nothing is known."""

    width: Width = 32
    """Numbers that stand for a task in the condition."""

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """What tells these tasks apart, (n, n): task i is a one in place i."""
        return np.eye(len(texts), dtype=np.float32)

    def build(self, numbers: int) -> nn.Module:
        """From the vector of a task (…, numbers) to its part of the condition (…, width)."""
        return _projection(numbers, self.width)


@checked
@dataclass(frozen=True, kw_only=True)
class TextTasks:
    """What the text of a task means: the same task in other words is nearly the same vector."""

    source: str = "minilm"
    """A text model of transformers: its folder, its name on the hub, or minilm (extra text)."""
    width: Width = 64
    """Numbers that stand for a task in the condition."""

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The sentence embedding of each text, (n, D), by `nets.text.embed`.

        It may be fetched: for what a user names, never for what a policy's file says.
        """
        from steadyhand.nets.text import embed

        return embed(texts, self.source)

    def build(self, numbers: int) -> nn.Module:
        """From the vector of a task (…, numbers) to its part of the condition (…, width)."""
        return _projection(numbers, self.width)


TaskEncoding = LearnedTasks | TextTasks


def _projection(numbers: int, width: int) -> nn.Module:
    from torch import nn

    linear = nn.Linear(numbers, width)
    # The vectors have length one: so begun, what comes out has numbers of size one, as states have.
    nn.init.normal_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear
