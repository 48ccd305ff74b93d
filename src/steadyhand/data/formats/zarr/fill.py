"""The number that a zarr array names for what is not stored of it, v2 or v3, in its own kind."""

import re
from typing import Any

import numpy as np

NAMED = ("NaN", "Infinity", "-Infinity")
BITS = re.compile("0x[0-9a-fA-F]{1,16}")
"""A floating number by its bits, as zarr v3 may spell it."""


def filled(value: Any, dtype: np.dtype[Any]) -> Any:
    """The fill value `value` of a description as one number of `dtype`.

    None where it names none, as v2 may, or one that is not of that kind: what such an array holds
    where nothing is stored is not known.
    """
    if dtype.kind == "f":
        if isinstance(value, str) and BITS.fullmatch(value):
            bits = int(value, 16).to_bytes(8, "big")
            fits = not any(bits[: -dtype.itemsize])
            return np.frombuffer(bits, dtype.newbyteorder(">"))[-1].astype(dtype) if fits else None
        if value not in NAMED and type(value) not in (int, float):
            return None
        with np.errstate(over="ignore"):
            return np.float64(value).astype(dtype)
    if dtype.kind == "b":
        return np.bool_(value) if value in (0, 1) else None
    whole = type(value) is int or (type(value) is float and value.is_integer())
    limits = np.iinfo(dtype)
    return dtype.type(int(value)) if whole and limits.min <= value <= limits.max else None
