"""The weights and constants of a graph: their kinds, that they are whole, and where they are."""

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from steadyhand.runtime.engines.sized import Sized
from steadyhand.values import shown

WEIGHTS = "weights.bin"
KINDS = {
    number: np.dtype(kind)
    for number, kind in {
        1: "float32",
        2: "uint8",
        3: "int8",
        5: "int16",
        6: "int32",
        7: "int64",
        9: "bool",
        10: "float16",
        11: "float64",
    }.items()
}
"""The kinds of numbers in an export, by their number in the format."""
TYPED = {1: "floats", 7: "int64s", 11: "doubles"}
"""Where numbers are that are not stored as bytes; of all other kinds, among the `int32s`."""
EXTERNAL = 1
"""A tensor's location, where it is in a file of its own."""
FEW = 4096
"""Numbers of which sizes may be made."""
LONGEST = 20
"""Digits of a place in a file."""


def sized(tensor: Mapping[str, Any], stored: int = -1) -> Sized:
    """A constant as far as it is needed to know sizes.

    `stored` is how many bytes the file of weights has; -1 where none may be in it. Raises
    `ValueError` for one that has more or fewer numbers than it says, or that is somewhere else.
    """
    shape, kind = tuple(tensor["dims"]), KINDS.get(tensor["kind"])
    if kind is None or any(size < 0 for size in shape):
        raise ValueError(f"it has weights of kind {shown(tensor['kind'])} and shape {shown(shape)}")
    count = prod(shape)
    lists = {name: len(tensor[name]) for name in ("floats", "int32s", "int64s", "doubles")}
    if tensor["location"] == EXTERNAL:
        if tensor["raw"] is not None or any(lists.values()):
            raise ValueError("weights are in two places")
        _check_place(tensor["external"], count * kind.itemsize, stored)
        return Sized(shape, kind=kind.kind)
    if tensor["external"] or tensor["location"]:
        raise ValueError("weights are in two places")
    raw, field = tensor["raw"], TYPED.get(tensor["kind"], "int32s")
    if raw is not None:
        right = len(raw) == count * kind.itemsize and not any(lists.values())
    else:
        right = lists.pop(field) == count and not any(lists.values())
    if not right:
        raise ValueError(f"weights of shape {shown(shape)} have another number of numbers")
    if count > FEW or (raw is None and kind.kind == "f" and field == "int32s"):
        return Sized(shape, kind=kind.kind)
    told = np.array(tensor[field]).astype(kind)
    if raw is not None:
        told = np.frombuffer(bytes(raw), kind.newbyteorder("<"))
    return Sized(shape, told.reshape(shape), kind.kind)


def _check_place(said: list[Mapping[str, Any]], size: int, stored: int) -> None:
    """Raise `ValueError` where weights are not in the folder's one file of them."""
    place = {pair["key"]: pair["value"] or "" for pair in said}
    if len(place) < len(said) or place.keys() != {"location", "offset", "length"}:
        raise ValueError("it does not say where its weights are")
    if place["location"] != WEIGHTS:
        raise ValueError(f"its weights are in {shown(place['location'])}, not in {WEIGHTS}")
    if stored < 0:
        raise ValueError(f"its weights are in {WEIGHTS}, which the card does not name")
    numbers = [place[key] for key in ("offset", "length")]
    if not all(n.isascii() and n.isdigit() and len(n) < LONGEST for n in numbers):
        raise ValueError("the place of its weights is no number")
    offset, length = map(int, numbers)
    if length != size or offset + length > stored:
        raise ValueError(f"its weights reach beyond the {stored} bytes of {WEIGHTS}, or are others")
