"""Which features the episodes of an HDF5 set have, and which of what they hold are none.

`action` is the action; what is seen is named by its path below the group of observations, and all
else by its path. What most episodes cannot be trained on is left out and said; an episode that is
not as most others are is broken. A row more than there are actions is what was seen at the end.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from steadyhand.data.formats.hdf5.arrays import Encoded, Numbers, Reader
from steadyhand.data.formats.hdf5.bytes import Pictures, Words
from steadyhand.data.formats.hdf5.inside import Found
from steadyhand.data.formats.hdf5.look import SHOWN, Layout, Look, What, broken
from steadyhand.data.formats.hdf5.said import WORDS
from steadyhand.data.problem import Problem
from steadyhand.errors import DataError

SPOKEN = f"it holds words, and those of a task are called {', '.join(WORDS[:5])}, …"


@dataclass(frozen=True)
class FeatureFound:
    """An array that the episodes have in common."""

    key: str
    places: Mapping[str, str]
    """By the name of an episode that was looked at whole: where it is."""
    usual: str
    reader: Reader

    def place(self, look: Look) -> str:
        return self.places.get(look.spot.name, self.usual)


@dataclass(frozen=True)
class Features:
    """What a policy can be trained on, what not and why, and what is to be said of it."""

    kept: Sequence[FeatureFound]
    left_out: Mapping[str, str]
    remarks: Sequence[Problem]


def understood(path: Path, found: Sequence[Look], layout: Layout) -> Features:
    """Raises `DataError` for an episode that is not as most others are."""
    looked = [look for look in found if look.arrays is not None]
    named = {look.spot.name: _named(look, layout) for look in looked}
    kept, left_out, longer = list[FeatureFound](), dict[str, str](), list[str]()
    unwritten: dict[str, int] = {}
    for key in dict.fromkeys(key for places in named.values() for key in places):
        places = {name: places[key] for name, places in named.items() if key in places}
        having = [look for look in looked if look.spot.name in places]
        whats = [(look.arrays or {})[places[look.spot.name]] for look in having]
        one_more = _one_more(having, whats)
        whys = _whys(key, having, whats, one_more)
        if 2 * len(having) < len(looked):
            left_out[key] = f"{len(having)} of {len(looked)} episodes have it, and the others not"
        elif 2 * len(whys) > len(having):
            left_out[key] = next(iter(whys.values()))
        else:
            for look in having:
                if look.spot.name in whys:
                    name = look.spot.name
                    raise broken(look.spot, f"'{key}' of {name} cannot be used: {whys[name]}")
            for look in looked:
                if look.spot.name not in places:
                    raise broken(look.spot, f"{look.spot.name} has no '{key}', as most others have")
            longer += [key] * one_more
            unwritten[key] = sum(isinstance(w, Found) and not w.written for w in whats)
            usual = next(iter(places.values()))
            kept.append(FeatureFound(key, places, usual, _reader(whats)))
    if "action" in left_out:
        what = f"{path}: 'action' cannot be read: {left_out['action']}."
        raise DataError(what, file=path)
    remarks = [*_coloured(kept), *_remarks(found, looked, longer, layout)]
    remarks += _unwritten(unwritten, len(looked))
    return Features(kept, left_out, remarks)


def _named(look: Look, layout: Layout) -> dict[str, str]:
    """Feature → place; without what was read as words or as marks."""
    arrays = look.arrays or {}
    used = {*look.worded[:1], *(place for place in look.marks if isinstance(arrays[place], str))}
    above = {
        place: next((top for top in layout.above if place.startswith(top)), "") for place in arrays
    }
    named: dict[str, str] = {}
    for place in sorted(
        arrays, key=lambda place: (bool(above[place]), place != look.action, place)
    ):
        if place in used:
            continue
        name = "action" if place == look.action else place.removeprefix(above[place])
        # `obs/action` beside `actions` is obs_action, and `action` demo_action.
        other = f"{above[place].split('/')[0] or 'demo'}_{name}"
        named[next((each for each in (name, other) if each not in named), place)] = place
    return named


def _one_more(having: Sequence[Look], whats: Sequence[What]) -> bool:
    """Whether most have one row more than there are actions."""
    pairs = zip(having, whats, strict=True)
    return 2 * sum(_rows(what) == look.steps + 1 for look, what in pairs) > len(having)


def _rows(what: What) -> int | None:
    if isinstance(what, Found):
        return what.shape[0]
    return what.rows if isinstance(what, Pictures) else None


def _step(what: What) -> tuple[int, ...] | None:
    """The shape of a step."""
    if isinstance(what, Found):
        return what.shape[1:]
    return what.size if isinstance(what, Pictures) else None


def _whys(
    key: str, having: Sequence[Look], whats: Sequence[What], one_more: bool
) -> dict[str, str]:
    """By the name of an episode: why it cannot be used there."""
    whys: dict[str, str] = {}
    shapes = Counter(_step(what) for what in whats if _step(what) is not None)
    usual = shapes.most_common(1)[0][0] if shapes else None
    for look, what in zip(having, whats, strict=True):
        name, rows = look.spot.name, _rows(what)
        if isinstance(what, str):
            whys[name] = what
        elif isinstance(what, Words):
            whys[name] = SPOKEN
        elif rows != look.steps + one_more:
            shape = (rows, *(_step(what) or ()))
            whys[name] = f"it has the shape {shape} in {name}, which has {look.steps} actions"
        elif _step(what) != usual:
            whys[name] = f"its shape at each step is {_step(what)} in {name}, and {usual} in others"
    return whys


def _reader(whats: Sequence[What]) -> Reader:
    pictures = [what for what in whats if isinstance(what, Pictures)]
    if len(pictures) == len(whats):
        return Encoded(pictures[0].size, pictures[0].dtype)
    numbers = [what for what in whats if isinstance(what, Found)]
    return Numbers(numbers[0].shape[1:], np.result_type(*{what.dtype for what in numbers}))


def _coloured(kept: Sequence[FeatureFound]) -> list[Problem]:
    """What is to be known of colour that was encoded."""
    readers = [(each.key, each.reader) for each in kept if isinstance(each.reader, Encoded)]
    keys = [repr(key) for key, reader in readers if reader.shape[2] > 1]
    if not keys:
        return []
    message = (
        f"{', '.join(keys)}: unpacked red first, as JPEG and PNG have it. A recorder that gave "
        "OpenCV pictures with red first has exchanged red and blue; look at one, and show the "
        "policy those of the robot in the same order."
    )
    return [Problem("colour", message)]


def _remarks(
    found: Sequence[Look], looked: Sequence[Look], longer: Sequence[str], layout: Layout
) -> list[Problem]:
    remarks = list[Problem]()
    if longer and not layout.last_seen:
        message = (
            "In every episode there is one row more than actions of "
            f"{', '.join(map(repr, longer))}; the last one is not read."
        )
        remarks.append(Problem("longer", message))
    if len(looked) < len(found):
        message = (
            f"{len(looked)} of {len(found)} episodes were looked at whole; the others are taken to "
            "hold the same, and looked at as they are read."
        )
        remarks.append(Problem("sampled", message))
    return remarks


def _unwritten(counts: Mapping[str, int], of: int) -> list[Problem]:
    told = [f"'{key}' in {count} of {of} episodes" for key, count in counts.items() if count]
    if not told:
        return []
    message = (
        "What was never written is read as the fill value, as HDF5 has it: "
        f"{', '.join(told[:SHOWN])}{', …' * (len(told) > SHOWN)}. If the recorder broke off, leave "
        "those episodes out."
    )
    return [Problem("fill-value", message)]
