"""How much a graph computes: an engine cannot be stopped, and a stranger's would run for years."""

from collections.abc import Sequence
from math import prod

from steadyhand.runtime.engines.sized import Attributes, Sized, need

MOST = 1 << 43
"""Products of two numbers for one chunk. A model of 3·10⁹ weights that sees a thousand tokens takes
a third of them, and a processor's core some minutes."""


def effort(
    operator: str, attributes: Attributes, given: Sequence[Sized | None], made: Sequence[Sized]
) -> int:
    """About how many products of two numbers an operator computes, or numbers it moves."""
    largest = max(prod(one.shape) for one in (*made, *given) if one is not None)
    answer = prod(made[0].shape)
    if operator in ("MatMul", "MatMulInteger"):
        return max(largest, answer * need(given, 0).shape[-1])
    if operator == "Gemm":
        across = need(given, 0).shape[0 if attributes.get("transA") else 1]
        return max(largest, answer * across)
    if operator in ("Conv", "ConvInteger"):
        return max(largest, answer * prod(need(given, 1).shape[1:]))
    if operator == "ConvTranspose":
        return max(largest, prod(need(given, 0).shape) * prod(need(given, 1).shape[1:]))
    return largest * prod(attributes.get("kernel_shape") or [1])
