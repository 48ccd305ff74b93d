"""Demonstrations with their pictures out of frame stores: views are kept, what is under them moves.

Building is in `frame_store`; here is which stores a set needs, and which episodes have none.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.colour import as_pictures, picture_scale
from steadyhand.data.episodes import SKIP, Episodes
from steadyhand.data.frame_store import FrameStore, Watch
from steadyhand.data.lazy import LazyArray, Mapped, Parts, Rows
from steadyhand.data.resize import resize_frames
from steadyhand.errors import DataError
from steadyhand.spec import Feature


def stores_of(episodes: Episodes, features: Iterable[Feature]) -> list[FrameStore]:
    """The stores that training on these image features needs, built or not."""
    found: dict[Path, FrameStore] = {}
    for feature in features:
        for base in _bases(episodes.arrays[feature.key]):
            if hasattr(base, "fingerprint"):
                store = _store(episodes, feature, base)
                found[store.folder] = store
    return list(found.values())


def with_frames(
    episodes: Episodes, features: Iterable[Feature], *, watch: Watch = lambda frames: None
) -> Episodes:
    """The episodes with their pictures from stores, uint8 at the size each feature asks for.

    Stores that are not there are built, `watch` is told of their frames. Raises `DataError` for
    pictures that cannot be decoded, naming file and episode, and where the disk is full.
    """
    arrays = dict(episodes.arrays)
    for feature in features:
        size = (feature.shape[0], feature.shape[1])

        def stored(base: LazyArray, feature: Feature = feature, size: Any = size) -> LazyArray:
            if not hasattr(base, "fingerprint"):
                name = f"{episodes.path or 'the data'}: '{feature.key}'"
                pictures = as_pictures(np.asarray(base[:]), picture_scale(base), name)
                return resize_frames(pictures, size)
            store = _store(episodes, feature, base)
            store.build(watch)
            return store.frames()

        _require_whole(episodes, feature, arrays[feature.key])
        arrays[feature.key] = _rebuilt(arrays[feature.key], stored)
    return replace(episodes, arrays=arrays)


def broken_episodes(episodes: Episodes, features: Iterable[Feature]) -> dict[int, str]:
    """The episodes whose pictures are known not to be decodable, and why, from built stores."""
    found: dict[int, str] = {}
    for feature in features:
        for flag, why in _broken(episodes, feature, episodes.arrays[feature.key]):
            for number in np.flatnonzero(np.add.reduceat(flag, episodes.starts)):
                found.setdefault(int(number), why)
    return found


def _require_whole(episodes: Episodes, feature: Feature, array: LazyArray) -> None:
    for bad, why in _broken(episodes, feature, array):
        if bad.any():
            raise DataError(why if SKIP in why else f"{why} Leave it out: {SKIP}.")


def _broken(
    episodes: Episodes, feature: Feature, array: LazyArray
) -> Iterator[tuple[NDArray[np.bool_], str]]:
    """(whether each step is in it, why) for each block that a built store has as broken."""
    for base in _bases(array):
        if not hasattr(base, "fingerprint"):
            continue
        store = _store(episodes, feature, base)
        for start, end, why in store.broken if store.ready else ():
            bad = np.zeros(base.shape[0], bool)
            bad[start:end] = True
            yield _marks(array, base, bad), why


def _marks(array: LazyArray, base: LazyArray, marks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which steps of a view look at marked steps of `base`."""
    if isinstance(array, Rows):
        return _marks(array.source, base, marks)[array.rows]
    if isinstance(array, Mapped):
        return _marks(array.source, base, marks)
    if isinstance(array, Parts):
        return np.concatenate([_marks(part, base, marks) for part in array.parts])
    return marks if array is base else np.zeros(array.shape[0], bool)


def _store(episodes: Episodes, feature: Feature, base: LazyArray) -> FrameStore:
    where = str(episodes.path.resolve()) if episodes.path else "memory"
    return FrameStore(base, where, feature.key, (feature.shape[0], feature.shape[1]))


def _bases(array: LazyArray) -> Iterator[LazyArray]:
    """What views of views look at in the end."""
    if isinstance(array, Rows | Mapped):
        yield from _bases(array.source)
    elif isinstance(array, Parts):
        for part in array.parts:
            yield from _bases(part)
    else:
        yield array


def _rebuilt(array: LazyArray, change: Callable[[LazyArray], LazyArray]) -> LazyArray:
    """The same views of something else."""
    if isinstance(array, Rows):
        return Rows(_rebuilt(array.source, change), array.rows)
    if isinstance(array, Mapped):
        return Mapped(_rebuilt(array.source, change), array.function)
    if isinstance(array, Parts):
        return Parts([_rebuilt(part, change) for part in array.parts])
    return change(array)
