"""Episodes out of HDF5, however a family of recorders lays them out, as one set.

Where the episodes are and what is said around them is what a family's own file finds out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from steadyhand.data.episodes import Episodes
from steadyhand.data.formats.empty import without_empty
from steadyhand.data.formats.hdf5.arrays import Numbers, Part, Series, Spot
from steadyhand.data.formats.hdf5.features import Features, understood
from steadyhand.data.formats.hdf5.look import UNWRITTEN, Layout, Look, broken, looks
from steadyhand.data.formats.hdf5.said import rate_in, success_in, words_in
from steadyhand.data.formats.hdf5.told import masks_of, remarks_of
from steadyhand.data.formats.limits import FREE, bytes_of
from steadyhand.data.lazy import LazyArray
from steadyhand.data.problem import Problem
from steadyhand.data.tasks import COUNTER
from steadyhand.errors import DataError, plain


@dataclass(frozen=True, kw_only=True)
class Around:
    """What is known of a set besides its episodes."""

    said: Sequence[Mapping[str, Any]] = ()
    """What the file, a group, or a file beside it says of all, the nearest first."""
    whys: Sequence[str] = ()
    """Why some of that is not read."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    masks: Mapping[str, Sequence[str | int]] = field(default_factory=dict)
    """By name: what episodes are called, or their numbers."""
    episodes: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    """What is said elsewhere of the episodes of these numbers."""


def episodes_of(
    path: Path, layout: Layout, spots: Iterable[Spot], skip: frozenset[int], around: Around
) -> Episodes:
    """The set without the episodes of the numbers `skip`.

    Raises `DataError` where a file is damaged, or an episode is not as most others are.
    """
    spots = [spot for spot in spots if spot.number not in skip]
    if not spots:
        raise DataError(f"{path} has no episode that could be read.")
    found = list(looks(spots, layout))
    _require_actions(path, found)
    lengths = [look.steps for look in found]
    called = [look.spot.number for look in found]
    ends, numbers, passed = without_empty(np.cumsum(lengths), called)
    found = [look for look in found if look.steps]
    if not found:
        raise DataError(f"{path} has no episode with a step in it.")
    features = understood(path, found, layout)
    left_out = {**features.left_out, **around.left_out}
    arrays = _arrays(found, features)
    tasks, counted = _tasks(found, around)
    if counted is not None:
        if COUNTER in arrays:
            left_out[COUNTER] = "the texts of the tasks are counted anew"
        arrays[COUNTER] = counted
    success = tuple(
        success_in({**around.episodes.get(look.spot.number, {}), **look.said}) for look in found
    )
    rates = sorted({rate for look in found if (rate := rate_in([look.said])) is not None})
    rate = rate_in(around.said) or (rates[0] if rates else None)
    masks, strangers = masks_of(found, around.masks)
    remarks = [*passed, *strangers, *remarks_of(found, around.said, whole=not skip)]
    remarks += [Problem("attribute", f"What the file says is not read: {w}.") for w in around.whys]
    remarks += features.remarks
    if len({*rates, rate} - {None}) > 1:
        what = f"Episodes say different rates, {', '.join(f'{each:g}' for each in rates)} Hz"
        remarks.append(Problem("rate", f"{what}; all are taken to be of {rate:g} Hz."))
    if rate is None and layout.rate_hz is not None:
        what = f"The rate is not said, and taken to be {layout.rate_hz:g} Hz, as these recorders"
        remarks.append(Problem("rate", f"{what} have it."))
    return Episodes(
        arrays,
        ends,
        rate or layout.rate_hz or 10.0,
        path,
        version="1",
        rate_assumed=rate is None,
        numbers=numbers,
        tasks=tasks,
        left_out={plain(key): why for key, why in left_out.items()},
        success=success if any(mark is not None for mark in success) else (),
        masks=masks,
        remarks=tuple(remarks),
    )


def _require_actions(path: Path, found: Sequence[Look]) -> None:
    """Raise `DataError` for episodes without an action: of the set where most are.

    Where none was ever written in most, it is the fill value, and said as of any feature.
    """
    faulty = [look for look in found if look.fault]
    if 2 * sum(look.fault == UNWRITTEN for look in faulty) > len(found):
        faulty = [look for look in faulty if look.fault != UNWRITTEN]
    if 2 * len(faulty) > len(found):
        why = f"'action' cannot be read: {faulty[0].fault}"
        raise DataError(f"{path}: {why}.", file=path)
    for look in faulty:
        raise broken(look.spot, f"'action' of {look.spot.name} cannot be used: {look.fault}")


def _arrays(found: Sequence[Look], features: Features) -> dict[str, LazyArray]:
    """Every feature of all episodes; numbers are kept where all of them together are few."""
    steps, readers = sum(look.steps for look in found), [each.reader for each in features.kept]
    numbers = [each for each in readers if isinstance(each, Numbers) and len(each.shape) < 3]
    few = steps * sum(bytes_of(each.shape, each.dtype) for each in numbers) <= FREE
    return {
        feature.key: Series(
            feature.key,
            [
                Part(look.spot, feature.place(look), look.steps, look.arrays is not None)
                for look in found
            ],
            feature.reader,
            keep=few,
        )
        for feature in features.kept
    }


def _tasks(found: Sequence[Look], around: Around) -> tuple[tuple[str, ...], Any]:
    """(the texts, which of them each step has; None where there is at most one)."""
    general = next(filter(None, map(words_in, around.said)), "")
    texts: dict[str, int] = {}
    numbers = list[np.ndarray]()
    for look in found:
        own = around.episodes.get(look.spot.number, {})
        said = look.texts or [words_in(look.said) or words_in(own) or general]
        places = [texts.setdefault(text, len(texts)) for text in said]
        numbers.append(np.resize(np.array(places), look.steps))
    if not any(texts):
        return (), None
    return tuple(texts), np.concatenate(numbers) if len(texts) > 1 else None
