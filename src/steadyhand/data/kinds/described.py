"""What a description says of an array, taken along to where its meaning is decided."""

from collections.abc import Mapping
from typing import Any

from steadyhand.data.kinds.depth import is_depth
from steadyhand.data.kinds.words import says_depth
from steadyhand.data.lazy import LazyArray, Told
from steadyhand.data.pictures.footage import Footage


def with_depth(array: LazyArray, feature: Mapping[str, Any], key: str) -> LazyArray:
    """With what is said of it, where that is depth, or where its films are.

    A film whose pixels are one wide number is of depth: such films are made of nothing else. So is
    one that is called depth, has wide numbers for brightness and one colour everywhere.
    """
    depth = is_depth(feature)
    if isinstance(array, Footage):
        array = array.measured(declared=depth, named=says_depth(key))
        if array.dtype.itemsize > 1 and not depth:
            return Told(array, {**feature, "is_depth": True})
    return Told(array, feature) if depth else array
