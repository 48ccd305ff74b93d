"""What a graph computes of sizes: the few whole numbers of which it makes the shape of an array."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.runtime.engines.sized import Attributes
from steadyhand.runtime.engines.tensors import FEW, KINDS, sized

Numbers = NDArray[Any]
UNCHANGED = ("Identity", "Reshape", "Squeeze", "Unsqueeze")
"""Of these, the shape alone is another."""


def computed(operator: str, told: Attributes, values: Sequence[Numbers]) -> Numbers | None:
    """What an operator answers, whatever its shape; None where it is not needed for sizes.

    Of Shape and Size, the only value is the shape.
    """
    first, second = values[0], values[min(1, len(values) - 1)]
    axis = told.get("axis", 0)
    match operator:
        case "Add":
            return first + second
        case "Sub":
            return first - second
        case "Mul":
            return first * second
        case "Div":
            return _divided(first, second)
        case "Max":
            return np.maximum(first, second) if len(values) == 2 else None
        case "Min":
            return np.minimum(first, second) if len(values) == 2 else None
        case "Neg":
            return -first
        case "Equal":
            return np.asarray(first == second)
        case "Where":
            return np.where(first, second, values[2])
        case "Cast":
            return _cast(told, first)
        case "ConstantOfShape":
            return _filled(told, first)
        case "Expand":
            return first * np.ones(second.tolist(), first.dtype)
        case "Concat":
            return np.concatenate(values, axis)
        case "Gather":
            return np.take(first, second, axis)
        case "Range":
            start, stop, step = (int(value.item()) for value in values)
            return np.arange(start, stop, step)
        case "Shape":
            return first[told.get("start", 0) : told.get("end", len(first))]
        case "Size":
            return np.array(prod(first.tolist()))
        case _:
            return first if operator in UNCHANGED else None


def _divided(a: Numbers, b: Numbers) -> Numbers:
    if not b.all():
        raise ValueError("a size is divided by zero")
    # Towards zero, as C does.
    return np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))


def _cast(told: Attributes, a: Numbers) -> Numbers | None:
    kind = KINDS.get(told.get("to", 0))
    return a.astype(kind) if kind is not None and kind.kind in "iub" else None


def _filled(told: Attributes, shape: Numbers) -> Numbers | None:
    value = sized(told["value"]).value if "value" in told else None
    if value is None or value.size != 1 or prod(shape.tolist()) > FEW:
        return None
    sizes: list[int] = shape.tolist()
    return np.full(sizes, value.item(), value.dtype)
