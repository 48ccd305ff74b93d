"""What a stranger's arrays may be: numbers, shapes, names, and bytes beside what is stored.

What is not in a list here is refused with a `ValueError` whose text goes on from "it": the array is
then left out, or the set refused where it cannot do without.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipInfo

import numpy as np

from steadyhand.disk import LARGEST_NUMBER

FREE = 1 << 28
"""Bytes of numbers that are always made room for."""
RATIO = 1000
"""Beyond those, numbers take at most so many times what is stored of them."""
SLACK = 1 << 16
"""Bytes by which a chunk that is packed badly may be larger than its numbers, beside a half."""
DIMENSIONS = 16
STEPS = 1 << 28
"""Steps of a set, however little is stored of them: eight years at 1 Hz, or three days at 1 kHz."""
ARRAYS = 1000
"""Features of a set."""
NEEDED = ("action", "episode_ends", "rate_hz")
"""Arrays whose refusal is that of the set."""


def require_numbers(dtype: np.dtype[Any]) -> None:
    """Refuse what is not bool, whole numbers or floats of at most 8 bytes."""
    if dtype.metadata and "vlen" in dtype.metadata and dtype.metadata["vlen"] not in (str, bytes):
        raise ValueError("its rows are each of another length; store them filled up to one")
    if dtype.names:
        fields = ", ".join(dtype.names)[:40]
        raise ValueError(f"its rows have fields, {fields!a}; store each as an array of its own")
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise ValueError(
            "it holds objects, which are never unpickled; store numbers"
            if dtype.hasobject
            else f"it holds {str(dtype)[:40]!a}, not numbers of at most 8 bytes; store those"
        )


def whole_numbers(values: Any, *, least: int = 0) -> tuple[int, ...]:
    """A shape: a list of whole numbers, none below `least`."""
    listed = isinstance(values, list | tuple) and len(values) <= DIMENSIONS
    if not listed or not all(type(n) is int and least <= n < LARGEST_NUMBER for n in values):
        raise ValueError(f"its shape or chunks are {repr(values)[:60]!a}, which cannot be")
    return tuple(values)


def require_few(arrays: int, most: int = ARRAYS) -> None:
    """Refuse sets of more features than anybody records."""
    if arrays > most:
        raise ValueError(f"it has {arrays} arrays or more, and {most} are the most that are read")


def bytes_of(shape: Iterable[int], dtype: np.dtype[Any]) -> int:
    return math.prod(shape) * dtype.itemsize


def most_stored(numbers: int) -> int:
    """Bytes that a chunk of so many bytes of numbers can take where it is stored."""
    return numbers * 3 // 2 + SLACK


def require_stored(needed: int, stored: int) -> None:
    """Refuse numbers that take far more bytes than what is stored of them could hold."""
    if needed > max(FREE, RATIO * stored):
        raise ValueError(f"it would take {needed} bytes, and {stored} are stored of it")


def require_unlocked(info: ZipInfo) -> None:
    """Refuse what lies in an archive otherwise than numpy and zarr write it."""
    if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED) or info.flag_bits & 1:
        raise ValueError("it is packed or locked in a way that is not read here")


def require_chunks(chunks: Sequence[int], shape: Sequence[int], dtype: np.dtype[Any]) -> None:
    """Refuse chunks beyond the array that take more than is always made room for."""
    larger = any(size > n for size, n in zip(chunks, shape, strict=True))
    if larger and (needed := bytes_of(chunks, dtype)) > FREE:
        raise ValueError(f"a chunk of it has {needed} bytes, more than it can fill")


def is_name(name: str) -> bool:
    """Whether a feature can be called so: no path out of the data, nothing that picks columns."""
    parts = all(part not in ("", ".", "..") for part in name.split("/"))
    return parts and name.isprintable() and not {*"[]"} & {*name}


def require_name(name: str) -> None:
    """Refuse what no feature can be called."""
    if not is_name(name):
        raise ValueError("it has a name that no feature can have; write it under another one")
