"""The weights of graphs that were checked, as arrays in memory: nobody who writes to the file they
came from changes them.
"""

from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from steadyhand.runtime.engines.tensors import EXTERNAL, KINDS
from steadyhand.runtime.engines.wire_format import parse

LINE = 64
"""Bytes at a multiple of which engines expect arrays to begin."""


def aligned(path: Path) -> NDArray[np.uint8]:
    """What a file holds. Raises `OSError`."""
    size = path.stat().st_size
    room = np.empty(size + LINE, np.uint8)
    begin = -room.ctypes.data % LINE
    found = room[begin : begin + size]
    with path.open("rb") as file:
        if file.readinto(found.data) != size:
            raise OSError(f"{path} became shorter while it was read")
    return found


def stored_in(content: bytes, weights: NDArray[np.uint8]) -> dict[str, NDArray[np.generic]]:
    """The weights of a checked graph that are in the file of weights, by name."""
    found: dict[str, NDArray[np.generic]] = {}
    for tensor in parse(memoryview(content))["graph"]["initializers"]:
        if tensor["location"] != EXTERNAL:
            continue
        place = {pair["key"]: pair["value"] for pair in tensor["external"]}
        kind, offset = KINDS[tensor["kind"]], int(place["offset"])
        part = weights[offset : offset + prod(tensor["dims"]) * kind.itemsize]
        part = part if offset % LINE == 0 else part.copy()
        found[tensor["name"]] = part.view(kind).reshape(tensor["dims"])
    return found
