"""What arrays and tensors are both asked for here, without an import of torch."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Numbers = Any
"""An array or a tensor."""


def functions_of(values: Numbers) -> Any:
    """The module whose functions take `values`: numpy, or the torch that made them."""
    return np if isinstance(values, np.ndarray) else sys.modules["torch"]


def joined(parts: Sequence[Numbers], axis: int) -> Numbers:
    """The parts one after the other; a single one as it is."""
    return parts[0] if len(parts) == 1 else functions_of(parts[0]).concatenate(parts, axis)


def running(values: Numbers, join: Callable[[Numbers, Numbers], Numbers], axis: int) -> Numbers:
    """Each row joined to all before it, as a running sum does, by an associative `join`.

    In as many steps as the number of rows has binary digits, so that a graph of it stays small;
    `axis` counts from the end.
    """
    rest, shift = (slice(None),) * (-1 - axis), 1
    while shift < values.shape[axis]:
        first = values[(..., slice(None, shift), *rest)]
        earlier = values[(..., slice(None, -shift), *rest)]
        later = values[(..., slice(shift, None), *rest)]
        values = joined([first, join(earlier, later)], axis)
        shift *= 2
    return values


def placed(parts: Sequence[tuple[slice, Numbers]], width: int) -> Numbers:
    """Parts (…, n) in their columns of (…, width), in order; zeros where there is none."""
    found: list[Numbers] = []
    at = 0
    for columns, values in parts:
        found += [values[..., :1] * 0] * (columns.start - at)
        found.append(values)
        at = columns.stop
    found += [parts[0][1][..., :1] * 0] * (width - at)
    return joined(found, -1)
