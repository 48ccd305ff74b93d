"""Where episodes begin and end: a file or group each, or by ends, lengths, starts, flags, numbers.

What a list of numbers means is told by what fits the steps; only where two fit, by its name.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.lazy import LazyArray
from steadyhand.data.mapping.grammar import Place
from steadyhand.data.mapping.places import array_of, place_of
from steadyhand.data.mapping.tree import Tree, natural
from steadyhand.errors import UsageError

FILES = "files"
"""What `episodes=` says where each file is one, as it is by default."""
ROWS = "rows"
"""What it says where each row of every array is one: (episodes, steps, …)."""
MARK = "#"
"""Stands for the number of an episode in the names of places: obs_#, act_#."""
FIRST = ("first", "start", "starts", "begin", "reset", "initial")
LAST = ("done", "dones", "terminal", "terminals", "terminated", "truncated", "timeout", "timeouts")
LAST += ("last", "end", "ends", "final", "truncations", "terminations")
"""Words in the names of flags that say where an episode begins, and where it ends."""
CALLED = {
    "ends": {"end", "ends"},
    "starts": {"start", "starts", "begin", "begins"},
    "lengths": {"length", "lengths", "len", "lens", "steps", "sizes"},
}
"""Words in the names of lists that have a number an episode."""
Stretch = tuple[int, int]


@dataclass(frozen=True)
class Span:
    """One episode: steps `start…stop` of the arrays below a group of a tree; all where None."""

    tree: Tree
    prefix: str = ""
    stretch: Stretch | None = None
    name: str = ""
    number: str = ""
    """What stands in the place of each `#` of the map."""
    row: int | None = None
    """Which of the first rows of every array is the episode, (episodes, steps, …)."""

    def array(self, place: Place) -> LazyArray:
        """What a place means in this episode; its steps are in `stretch`.

        Raises `UsageError` where there is no such place.
        """
        found = array_of(self.tree, self.prefix, place.numbered(self.number))
        return found if self.row is None else RowOf(found, self.row)

    def as_before(self, other: "Span | None") -> bool:
        """Whether the arrays are those of another episode, at other steps."""
        if other is None or other.tree is not self.tree or other.row != self.row:
            return False
        return (other.prefix, other.number) == (self.prefix, self.number)


def spans_of(tree: Tree, place: Place | None, shape: tuple[int, ...] | None) -> Iterator[Span]:
    """The episodes of a tree. `shape` is that of a feature, None where these lie in groups.

    Raises `UsageError` where there is nothing of that name, or it does not fit the steps.
    """
    words = "" if place is None else place.words
    if place is None or words == FILES:
        yield Span(tree, name=tree.path.stem)
        return
    if groups := matching_groups(tree, words):
        yield from (Span(tree, group, name=group) for group in groups)
        return
    if shape is None:
        raise UsageError(
            f"{tree.path}: there are no groups '{words}', and the features are not found without "
            f"one. Groups: {', '.join(sorted(tree.groups(), key=natural)[:20]) or 'none'}."
        )
    if words == ROWS:
        yield from (Span(tree, name=str(row), row=row) for row in range(shape[0]))
        return
    if (lengths := _of_rows(tree, place, shape)) is not None:
        for row, length in enumerate(lengths):
            yield Span(tree, "", (0, length), str(row), row=row)
        return
    for number, stretch in enumerate(_stretches(tree, place, shape[0])):
        yield Span(tree, "", stretch, str(number))


def numbered_spans(tree: Tree, places: Sequence[Place]) -> list[Span]:
    """An episode for each number that stands for `#` in all places, as people count.

    Raises `UsageError` where there is none.
    """
    found: list[set[str]] = []
    for name in (name.text for place in places for name in place.names if MARK in name.text):
        head, *rest = [re.escape(part) for part in re.split(r"\[", name)[0].split(MARK)]
        pattern = re.compile(head + "([0-9]{1,18})" + r"\1".join(rest))
        found.append({m[1] for place in tree.arrays if (m := pattern.fullmatch(place))})
    numbers = sorted(set.intersection(*found), key=int) if found else []
    if not numbers:
        words = ", ".join(place.words for place in places if MARK in place.words)
        raise UsageError(f"{tree.path}: no number for {MARK} makes arrays of {words}.")
    return [Span(tree, name=number, number=number) for number in numbers]


def _of_rows(tree: Tree, place: Place, shape: tuple[int, ...]) -> list[int] | None:
    """Steps of each episode, where there is one in each row of arrays (episodes, steps, …)."""
    if len(shape) < 3 or not {*re.findall("[a-z]+", place.words.lower())} & CALLED["lengths"]:
        return None
    if place_of(tree, "", place.words, tree.arrays) is None:
        return None
    values = np.asarray(array_of(tree, "", place)[:]).reshape(-1)
    fits = len(values) == shape[0] and values.min() >= 0 and values.max() <= shape[1]
    return values.astype(int).tolist() if fits and values.dtype.kind in "iu" else None


class RowOf:
    """One row of an array (episodes, steps, …), as an array (steps, …)."""

    def __init__(self, source: LazyArray, row: int) -> None:
        if len(source.shape) < 2:
            raise UsageError(
                f"An array of shape {tuple(source.shape)} has no steps in its rows, as "
                "(episodes, steps, …) has."
            )
        self.source, self.row = source, row
        self.shape, self.dtype = tuple(source.shape[1:]), source.dtype

    def __getitem__(self, key: Any, /) -> NDArray[Any]:
        found = np.asarray(self.source[self.row : self.row + 1])[0][key]
        return found


def matching_groups(tree: Tree, pattern: str) -> list[str]:
    """The groups that a pattern as `data/demo_*` names, as people count."""
    depth = pattern.count("/")
    same = [
        group
        for group in tree.groups()
        if group.count("/") == depth and fnmatchcase(group, pattern)
    ]
    return sorted(same, key=natural)


def _stretches(tree: Tree, place: Place, steps: int) -> list[Stretch]:
    words = place.words
    single = place.names[0].text
    if len(place.names) == 1 and (found := place_of(tree, "", single, tree.words)):
        texts = tree.words[found]()
        numbers = {text: i for i, text in enumerate(dict.fromkeys(texts))}
        return _runs(tree, words, np.array([numbers[text] for text in texts]), steps)
    values = np.asarray(array_of(tree, "", place)[:])
    values = values.any(axis=1) if len(place.names) > 1 else values.reshape(len(values), -1)
    if values.ndim == 2 and values.shape[1] != 1:
        raise UsageError(
            f"{tree.path}: '{words}' has {values.shape[1]} numbers a row, and cuts no episodes. "
            "Name ends, lengths, starts, flags or numbers of episodes."
        )
    values = values.reshape(-1)
    said = np.isfinite(values).all() and np.array_equal(values, np.floor(values))
    if not said:
        raise UsageError(f"{tree.path}: '{words}' does not hold whole numbers.")
    values = values.astype(np.int64)
    if len(values) == steps and steps > 1:
        return _of_every_step(tree, words, values)
    return cut_by(f"{tree.path}: '{words}'", words, values, steps)


def cut_by(what: str, name: str, values: NDArray[np.int64], steps: int) -> list[Stretch]:
    """The episodes that ends, lengths or starts cut of so many steps.

    Raises `UsageError` where `values` are none of them.
    """
    rising = bool(np.all(np.diff(values) >= 0)) and len(values) > 0
    called = set(re.findall("[a-z]+", name.lower()))
    fits = {
        "ends": rising and values[-1] == steps and values[0] >= 0,
        "starts": rising and values[0] == 0 and values[-1] < steps,
        "lengths": bool(np.all(values >= 0)) and values.sum() == steps,
        "last steps": rising and values[-1] == steps - 1 and values[0] > 0,
    }
    if rising and values[0] > 0 and values[-1] < steps and called & CALLED["ends"]:
        fits["ends"] = not fits["last steps"]  # what comes after the last end is of no episode
    fitting = [kind for kind, fit in fits.items() if fit]
    by_name = [kind for kind in fitting if called & CALLED.get(kind, set())]
    kind = (by_name or fitting or [None])[0]
    if kind is None:
        listed = ", ".join(map(str, values[:6])) + ", …" * (len(values) > 6)
        raise UsageError(
            f"{what} holds {listed}: neither the ends of episodes, nor their lengths or starts, "
            f"of {steps} steps. Is it of these features?"
        )
    if kind == "starts":
        return list(zip(values.tolist(), [*values[1:].tolist(), steps], strict=True))
    ends = np.cumsum(values) if kind == "lengths" else values + (kind == "last steps")
    return list(zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True))


def _of_every_step(tree: Tree, name: str, values: NDArray[np.int64]) -> list[Stretch]:
    """The episodes that flags or numbers, one a step, cut."""
    called = set(re.findall("[a-z]+", name.lower()))
    flags = bool(np.isin(values, (0, 1)).all())
    if flags and called & {*FIRST}:
        starts = sorted({0, *np.flatnonzero(values).tolist()})
        return list(zip(starts, [*starts[1:], len(values)], strict=True))
    if flags and called & {*LAST}:
        ends = (np.flatnonzero(values) + 1).tolist()
        ends += [] if ends and ends[-1] == len(values) else [len(values)]
        return list(zip([0, *ends[:-1]], ends, strict=True))
    return _runs(tree, name, values, len(values))


def _runs(tree: Tree, name: str, values: NDArray[np.int64], steps: int) -> list[Stretch]:
    if len(values) != steps:
        raise UsageError(f"{tree.path}: '{name}' has {len(values)} rows for {steps} steps.")
    cuts = np.flatnonzero(np.diff(values)) + 1
    starts = [0, *cuts.tolist()]
    if len(np.unique(values[starts])) < len(starts):
        again = next(i for i, at in enumerate(starts) if values[at] in values[starts[:i]])
        raise UsageError(
            f"{tree.path}: '{name}' is {values[starts[again]]} again from step {starts[again]} on: "
            "the steps of an episode lie apart. Sort them; or, if it is a flag, name it done or "
            "first."
        )
    return list(zip(starts, [*starts[1:], steps], strict=True))


def numbers_of(spans: Sequence[Span]) -> tuple[int, ...]:
    """What files or groups call their episodes by their last number, or their folders do; ()
    where two have one."""
    own = [span.name.rpartition("/")[2] for span in spans]
    for names in (own, [span.tree.path.parent.name for span in spans]):
        found: list[Any] = [re.findall(r"[0-9]{1,18}", name) for name in names]
        numbers = tuple(int(each[-1]) for each in found if each)
        if len(set(numbers)) == len(spans):
            return numbers
    return ()
