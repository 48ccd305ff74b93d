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

from steadyhand.data.mapping.grammar import Place
from steadyhand.data.mapping.places import array_of, place_of
from steadyhand.data.mapping.tree import Tree, natural
from steadyhand.errors import UsageError

FILES = "files"
"""What `episodes=` says where each file is one, as it is by default."""
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


def spans_of(tree: Tree, place: Place | None, steps: int | None) -> Iterator[Span]:
    """The episodes of a tree. `steps` are those of its features, None where these lie in groups.

    Raises `UsageError` where there is nothing of that name, or it does not fit the steps.
    """
    words = "" if place is None else place.words
    if place is None or words == FILES:
        yield Span(tree, name=tree.path.stem)
        return
    if groups := matching_groups(tree, words):
        yield from (Span(tree, group, name=group) for group in groups)
        return
    if steps is None:
        raise UsageError(
            f"{tree.path}: there are no groups '{words}', and the features are not found without "
            f"one. Groups: {', '.join(sorted(tree.groups(), key=natural)[:20]) or 'none'}."
        )
    for number, stretch in enumerate(_stretches(tree, place, steps)):
        yield Span(tree, "", stretch, str(number))


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
