"""The tensors that samplers and heads share, by name; the tests look at their shapes."""

from typing import NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor

Chunk = Float[Tensor, "batch horizon action"]
Condition = Float[Tensor, "batch tokens features"]
Mask = Bool[Tensor, "batch tokens"] | None
"""True where a token of the condition is there; None where all are."""
Noises = Float[Tensor, "batch steps horizon action"] | None


class Overlap(NamedTuple):
    """What is left of the last chunk, laid over the rows of the new one."""

    rows: Tensor
    """(B, H, A): where the last chunk goes; any numbers beyond its end."""
    weights: Tensor
    """(B, H): how much each row is to follow it, 0…1."""


Rest = Float[Tensor, "batch rest action"] | Overlap | None
"""What is left of the last chunk, for what continues it."""
Rows = Float[Tensor, "batch horizon"] | None
"""What each row of a chunk counts: 0 for padding."""
Loss = Float[Tensor, ""]
