"""What a description says of an array, taken along to where its meaning is decided."""

from collections.abc import Mapping
from typing import Any

from steadyhand.data.depth import is_depth
from steadyhand.data.footage import Footage
from steadyhand.data.lazy import LazyArray, Told


def with_depth(array: LazyArray, feature: Mapping[str, Any]) -> LazyArray:
    """With what is said of it, where that is depth, or where its films are.

    A film whose pixels are one wide number is of depth: such films are made of nothing else.
    """
    depth = is_depth(feature)
    if isinstance(array, Footage):
        array = array.measured(declared=depth)
        if array.dtype.itemsize > 1 and not depth:
            return Told(array, {**feature, "is_depth": True})
    return Told(array, feature) if depth else array
