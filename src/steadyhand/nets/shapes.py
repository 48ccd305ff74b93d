"""The tensors that denoisers share, by name; the tests look at every shape as it passes."""

from jaxtyping import Bool, Float
from torch import Tensor

Chunk = Float[Tensor, "batch horizon action"]
Answer = Float[Tensor, "batch horizon out"]
Time = Float[Tensor, " batch"]
"""When each chunk is, in units of steps (about 0…100)."""
Times = Float[Tensor, "*times"]
"""The same, for those of all steps at once, too."""
Condition = Float[Tensor, "batch tokens features"]
Mask = Bool[Tensor, "batch tokens"] | None
"""True where a token is there; None where all are."""
