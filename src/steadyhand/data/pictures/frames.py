"""Demonstrations with their pictures out of frame stores: views are kept, what is under them moves.

Building is in `frame_store`; here is which stores a set needs, and which episodes have none.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import SKIP, Episodes
from steadyhand.data.lazy import LazyArray, Mapped, Parts, Rows
from steadyhand.data.pictures.colour import as_pictures, picture_scale
from steadyhand.data.pictures.frame_store import FrameStore, Watch
from steadyhand.data.pictures.resize import resize_depth, resize_frames
from steadyhand.data.stages import Stage, Tell, unseen, untold
from steadyhand.errors import DataError
from steadyhand.spec import Feature


def stores_of(episodes: Episodes, features: Iterable[Feature]) -> list[FrameStore]:
    """The stores that training on these image features needs, built or not."""
    found: dict[Path, FrameStore] = {}
    for feature in features:

        def noted(base: LazyArray, feature: Feature = feature) -> LazyArray:
            if hasattr(base, "fingerprint"):
                store = _store(episodes, feature, base)
                found[store.folder] = store
            return base

        _rebuilt(episodes.arrays[feature.key], noted)
    return list(found.values())


def with_stores(
    episodes: Episodes,
    images: Sequence[Feature],
    *,
    skip_broken: bool,
    stage: Stage = unseen,
    tell: Tell = untold,
) -> Episodes:
    """Build the stores of pictures that are missing; the episodes whose pictures are there.

    Raises `DataError` for pictures that cannot be decoded, unless they are to be skipped.
    """
    for store in stores_of(episodes, images):
        if store.ready:
            continue
        count, height, width, _ = store.shape
        tell(
            f"Decoding '{store.key}' once: {count} frames of {height}×{width}, "
            f"{store.bytes / 1e9:.2f} GB in {store.folder}"
        )
        with stage("decoding frames", count) as advance:
            store.build(advance, tolerant=skip_broken)
    broken = broken_episodes(episodes, images) if skip_broken else {}
    if not broken:
        return episodes
    for number, why in broken.items():
        tell(f"Left out: episode {episodes.number(number)}: {why}")
    if len(broken) == len(episodes):
        raise DataError(f"{episodes.path} has no episode whose pictures can be decoded.")
    return episodes.subset([i for i in range(len(episodes)) if i not in broken])


def with_frames(
    episodes: Episodes, features: Iterable[Feature], *, watch: Watch = lambda frames: None
) -> Episodes:
    """The episodes with their pictures from stores, at the size each feature asks for.

    Colour is uint8, depth metres in float32.

    Stores that are not there are built, `watch` is told of their frames. Raises `DataError` for
    pictures that cannot be decoded, naming file and episode, and where the disk is full.
    """
    arrays = dict(episodes.arrays)
    for feature in features:

        def stored(base: LazyArray, feature: Feature = feature) -> LazyArray:
            if not hasattr(base, "fingerprint"):
                if feature.kind == "depth":
                    size = (feature.shape[0], feature.shape[1])
                    return resize_depth(np.asarray(base[:], dtype=np.float32), size)
                name = f"{episodes.path or 'the data'}: '{feature.key}'"
                pictures = as_pictures(np.asarray(base[:]), picture_scale(base), name)
                return resize_frames(pictures, (feature.shape[0], feature.shape[1]))
            store = _store(episodes, feature, base)
            store.build(watch)
            return store.frames()

        marks, whys = _broken(episodes, feature)
        if marks.any():
            why = whys[marks[np.flatnonzero(marks)[0]]]
            raise DataError(why if SKIP in why else f"{why} Leave it out: {SKIP}.")
        arrays[feature.key] = _rebuilt(arrays[feature.key], stored)
    return replace(episodes, arrays=arrays)


def broken_episodes(episodes: Episodes, features: Iterable[Feature]) -> dict[int, str]:
    """The episodes whose pictures are known not to be decodable, and why, from built stores."""
    found: dict[int, str] = {}
    for feature in features:
        marks, whys = _broken(episodes, feature)
        steps = np.flatnonzero(marks)
        numbers, first = np.unique(episodes.owner(steps), return_index=True)
        for number, step in zip(numbers.tolist(), steps[first], strict=True):
            found.setdefault(number, whys[marks[step]])
    return found


def _broken(episodes: Episodes, feature: Feature) -> tuple[NDArray[np.int64], list[str]]:
    """(for each step its place among the reasons, the reasons) why pictures cannot be decoded.

    As built stores know it; the first reason is that of the pictures which can.
    """
    whys = [""]

    def marked(base: LazyArray) -> NDArray[np.int64]:
        marks = np.zeros(base.shape[0], np.int64)
        if hasattr(base, "fingerprint") and (store := _store(episodes, feature, base)).ready:
            for start, end, why in store.broken:
                marks[start:end] = len(whys)
                whys.append(why)
        return marks

    marks = _rebuilt(episodes.arrays[feature.key], marked, maps=False)[:]
    return np.asarray(marks), whys


def _store(episodes: Episodes, feature: Feature, base: LazyArray) -> FrameStore:
    where = str(episodes.path.resolve()) if episodes.path else "memory"
    size, depth = (feature.shape[0], feature.shape[1]), feature.kind == "depth"
    return FrameStore(base, where, feature.key, size, depth=depth)


def _rebuilt(
    array: LazyArray, change: Callable[[LazyArray], LazyArray], *, maps: bool = True
) -> LazyArray:
    """The same views of something else, or without what is changed step by step."""
    if isinstance(array, Rows):
        return Rows(_rebuilt(array.source, change, maps=maps), array.rows)
    if isinstance(array, Mapped):
        source = _rebuilt(array.source, change, maps=maps)
        return Mapped(source, array.function) if maps else source
    if isinstance(array, Parts):
        return Parts([_rebuilt(part, change, maps=maps) for part in array.parts])
    return change(array)
