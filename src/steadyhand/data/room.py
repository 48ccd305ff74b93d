"""Whether what is to be read whole could be there: declared numbers against what is stored.

Each array is held against that when it is read; many small lies together are only seen here.
"""

from collections.abc import Iterable
from math import prod

import numpy as np

from steadyhand.data.episodes import Episodes
from steadyhand.data.formats.limits import require_stored
from steadyhand.data.lazy import LazyArray, Parts
from steadyhand.errors import DataError


def require_stored_together(episodes: Episodes, keys: Iterable[str]) -> None:
    """Raise `DataError` where the numbers of these features take far more than is stored of them.

    Pictures are read a few at a time, and are none of them.
    """
    needed = stored = 0
    for key in keys:
        array = episodes.arrays[key]
        held = sum(_stored(part) for part in _sources(array))
        if len(array.shape) < 4 and held > 0:
            needed += prod(array.shape) * np.dtype(array.dtype).itemsize
            stored += held
    try:
        require_stored(needed, stored)
    except ValueError as error:
        raise DataError(
            f"{episodes.path or 'The data'} cannot be trained on: of {', '.join(keys)} {error}. "
            "Much of it is not there; choose episodes that are with --select."
        ) from error


def _sources(array: LazyArray) -> list[LazyArray]:
    """What lies in files, views seen through."""
    if isinstance(array, Parts):
        return [source for part in array.parts for source in _sources(part)]
    source = getattr(array, "source", None)
    return [array] if source is None else _sources(source)


def _stored(array: LazyArray) -> int:
    """Bytes that are stored of it, or with it; 0 where that is not known, as of what is whole."""
    return int(getattr(array, "stored", 0))
