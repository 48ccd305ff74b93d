"""What each episode of an HDF5 set holds, before any of it is read.

Of a set of very many arrays a part of the episodes is looked at whole; of the others it is known
how many steps they have and what they say of themselves, and the rest is looked at when it is read.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from steadyhand.data.episodes import SKIP
from steadyhand.data.files import told
from steadyhand.data.formats.hdf5.arrays import Spot
from steadyhand.data.formats.hdf5.bytes import Pictures, Words, bytes_at, words
from steadyhand.data.formats.hdf5.heaps import read_only
from steadyhand.data.formats.hdf5.inside import (
    SINGLE,
    Found,
    array_at,
    arrays_in,
    child,
    require_kept,
)
from steadyhand.data.formats.hdf5.said import KNOWN, SUCCESS, UNCOUNTED, WORDS, as_mark, said_by
from steadyhand.disk import regular
from steadyhand.errors import DataError, SteadyhandError, library

MOST = 20_000
"""Arrays up to which all episodes are looked at whole."""
SAMPLE = 2_000
"""About as many are looked at of more."""
FEW_WORDS = 32
"""Rows of words that are read of an episode; all of them where these differ."""
SHOWN = 8
"""Names in a message."""
UNWRITTEN = "nothing was ever written to it"
SOUND = ("", UNWRITTEN)
"""Faults of an action that leave no doubt of how many steps there are."""
What = Found | Pictures | Words | str
"""An array, or why it is not read."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where recorders of a family put what an episode holds."""

    looks_like: str
    """In one line, for people."""
    actions: tuple[str, ...] = ("actions", "action")
    """Where the action may be."""
    above: tuple[str, ...] = ("obs/",)
    """Groups that are taken off the names of what is in them."""
    repeats: Mapping[str, str] = field(default_factory=dict)
    """Groups that repeat others, which are not read, and what of them is said."""
    quiet: frozenset[str] = frozenset()
    """What only says how others are kept."""
    last_seen: bool = False
    """Whether what was seen after the last action is recorded as well, by convention."""
    rate_hz: float | None = None
    """The rate of these recorders where a set says none."""


@dataclass(frozen=True)
class Look:
    """One episode."""

    spot: Spot
    action: str
    """The place of its action."""
    steps: int
    fault: str
    """Why the action cannot be used; "" where it can."""
    arrays: Mapping[str, What] | None
    """By place; None where it was not looked at whole."""
    said: Mapping[str, Any]
    whys: Sequence[str]
    """Why some of what it says was not read."""
    texts: Sequence[str]
    """The words of its task that lie in an array: none, one, or one a step."""
    marks: tuple[str, ...]
    """Where arrays mark it as a success."""
    worded: tuple[str, ...]
    """Where such words are."""


@contextmanager
def opened(path: Path, looks_like: str) -> Iterator[tuple[Any, int]]:
    """(the file, its size); whatever is wrong with it is told with its name."""
    try:
        size = regular(path)
        with read_only(path) as file:
            yield file, size
    except SteadyhandError:
        raise
    except ValueError as error:
        raise DataError(
            f"{path} cannot be read ({error}). It is taken for {looks_like}; check how it was "
            "written.",
            file=path,
        ) from error
    except Exception as error:  # a damaged file can raise nearly anything
        what = f"{path} is not a whole HDF5 file ({told(error)}). Copy it again."
        raise DataError(what, file=path) from error


def broken(spot: Spot, why: str) -> DataError:
    """What to say of an episode without which the others can be read."""
    said = f"{spot.file}: {why}. Leave such episodes out: {SKIP}."
    return DataError(said, episode=spot.number, file=spot.file)


def looks(spots: Sequence[Spot], layout: Layout) -> Iterator[Look]:
    """Every episode, in order."""
    first: Look | None = None
    place, every = 0, 1
    for file, group in groupby(spots, key=lambda spot: spot.file):
        here = list(group)
        try:
            with opened(file, layout.looks_like) as (root, size):
                parents = dict[str, Any]()
                for spot in here:
                    above = spot.group.rpartition("/")[0]
                    parent = parents.get(above) or parents.setdefault(above, child(root, above))
                    whole = first is None or first.fault not in SOUND or place % every == 0
                    look = _looked(parent, spot, layout, size, None if whole else first)
                    if first is None or first.fault not in SOUND:
                        first = look
                        arrays = len(look.arrays or ()) * len(spots)
                        every = 1 if arrays <= MOST else arrays // SAMPLE
                    place += 1
                    yield look
        except DataError as error:
            if error.episode is None and len(here) == 1 < len(spots):
                error.episode = here[0].number
            raise


def _looked(parent: Any, spot: Spot, layout: Layout, size: int, like: Look | None) -> Look:
    """An episode: whole, or what it says where another one says it."""
    try:
        group: Any = child(parent, spot.group.rpartition("/")[2])
        if not isinstance(group, library("h5py").Group):
            raise ValueError("it is no group")
    except (ValueError, KeyError) as error:
        raise broken(spot, f"{spot.name} cannot be read: {told(error)}") from error
    if like is None:
        arrays = _arrays(group, layout, size)
        action = next((place for place in layout.actions if place in arrays), "")
        marks, worded = _places(arrays, SUCCESS), _places(arrays, WORDS)
    else:
        arrays, action, marks, worded = None, like.action, like.marks, like.worded
    steps, fault = 0, ""
    try:
        if not action and arrays:
            raise ValueError(_no_action(layout, arrays))
        if action:  # else nothing was recorded in it
            kept = array_at(action, child(group, action), size)
            steps, fault = kept.shape[0], "" if kept.written else UNWRITTEN
    except (ValueError, TypeError, KeyError) as error:
        fault = told(error)
    said, whys = said_by(group, KNOWN if like is None else UNCOUNTED)
    marked, texts, more = _in_arrays(group, marks, worded, steps, size)
    return Look(
        spot=spot,
        action=action,
        fault=fault,
        steps=steps,
        arrays=arrays,
        said={**marked, **said},
        whys=[*whys, *more],
        texts=texts,
        marks=marks,
        worded=worded,
    )


def _arrays(group: Any, layout: Layout, size: int) -> dict[str, What]:
    """By place: what lies in an episode, bytes among it."""
    found: dict[str, What] = {}
    for place, what in arrays_in(group, size).items():
        top = place.split("/")[0]
        if top in layout.repeats:
            found[top] = layout.repeats[top]
        elif place not in layout.quiet:
            found[place] = what
            if isinstance(what, str) or (what.dtype == np.uint8 and len(what.shape) == 2):
                found[place] = _bytes(place, what, group, size)
    return found


def _bytes(place: str, what: Found | str, group: Any, size: int) -> What:
    """What is at a place that may hold words or pictures."""
    try:
        dataset = child(group, place)
        if isinstance(dataset, library("h5py").Dataset):
            return bytes_at(place, dataset, size) or what
    except (ValueError, TypeError) as error:
        return told(error)
    except KeyError:  # only of a link that leads nowhere
        pass
    return what


def _places(arrays: Mapping[str, What], names: Iterable[str]) -> tuple[str, ...]:
    """Where one of these lies: words anywhere, marks of the episode itself or among its infos."""
    order = list(names)
    words = [place for place, what in arrays.items() if isinstance(what, Words)]
    tops = [place for place, what in arrays.items() if isinstance(what, Found) or what == SINGLE]
    tops = [place for place in tops if place.rpartition("/")[0] in ("", "info", "infos")]
    found = [p for p in (words if order[0] in WORDS else tops) if p.rpartition("/")[2] in order]
    return tuple(sorted(found, key=lambda place: order.index(place.rpartition("/")[2])))


def _no_action(layout: Layout, arrays: Mapping[str, What]) -> str:
    parts = [place for place in arrays if place.split("/")[0] in layout.actions]
    if parts:
        return f"its action is in parts: {', '.join(parts)}"
    names = " nor ".join(map(repr, layout.actions))
    return f"it has neither {names}; it holds {', '.join(list(arrays)[:SHOWN])}"


def _in_arrays(
    group: Any, marks: Iterable[str], worded: Iterable[str], steps: int, size: int
) -> tuple[dict[str, bool], list[str], list[str]]:
    """(marks of success by name, words of the task, why some of them cannot be read)."""
    marked, texts, whys = dict[str, bool](), list[str](), list[str]()
    for place in marks:
        try:
            if (mark := _mark(_there(group, place), size)) is not None:
                marked.setdefault(place.rpartition("/")[2], mark)
        except ValueError as error:
            whys.append(f"{place} is not read: {error}")
    for place in worded:
        try:
            texts = texts or _texts(_there(group, place), place, steps, size)
        except ValueError as error:
            whys.append(f"{place} is not read: {error}")
    return marked, texts, whys


def _there(group: Any, place: str) -> Any:
    """The dataset at a place, None where there is none."""
    try:
        found = child(group, place)
    except (ValueError, KeyError):
        return None
    return found if isinstance(found, library("h5py").Dataset) else None


def _mark(dataset: Any, size: int) -> bool | None:
    """What a mark of success is in the last step, in which the episode was left."""
    if dataset is None or dataset.dtype.kind not in "biuf" or not dataset.size:
        return None
    if dataset.shape and dataset.size != len(dataset):  # more than one a step
        return None
    require_kept(dataset, dataset.dtype, size)
    last = np.asarray(dataset[-1] if dataset.shape else dataset[()])
    return as_mark(last.item()) if last.size == 1 else None


def _texts(dataset: Any, place: str, steps: int, size: int) -> list[str]:
    """The words of an episode: one text, or one a step where they change."""
    if dataset is None or not isinstance(bytes_at(place, dataset, size), Words) or not steps:
        return []
    rows = dataset.shape[0] if dataset.shape else 1
    if rows not in (steps, steps + 1):
        return words(dataset, [0]) if rows else []  # several ways to say the same
    some = sorted({*np.linspace(0, steps - 1, FEW_WORDS).astype(int).tolist()})
    found = words(dataset, some)
    return found[:1] if len({*found}) == 1 else words(dataset, range(steps))
