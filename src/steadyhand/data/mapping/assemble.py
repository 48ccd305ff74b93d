"""Demonstrations out of whatever a map says of a file or folder: nothing of it unsaid.

What no pair of the map names is left out, by its name. What was read otherwise than it lies there
is a remark.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from steadyhand.data.episodes import Episodes
from steadyhand.data.kinds.described import with_depth
from steadyhand.data.kinds.meaning import understood
from steadyhand.data.lazy import LazyArray, Parts, Rows
from steadyhand.data.mapping.beside import Timing, beside, films_left, is_beside
from steadyhand.data.mapping.cuts import (
    FILES,
    MARK,
    Span,
    matching_groups,
    numbered_spans,
    numbers_of,
    spans_of,
)
from steadyhand.data.mapping.grammar import Map, parse_map
from steadyhand.data.mapping.marks import clock_of, successes, tasks_of
from steadyhand.data.mapping.places import array_of
from steadyhand.data.mapping.tree import Tree, is_group
from steadyhand.data.mapping.trees import is_files, open_trees
from steadyhand.data.pictures.footage import Footage
from steadyhand.data.problem import Problem
from steadyhand.data.tasks import COUNTER
from steadyhand.errors import DataError, UsageError, plain

ACTION = "action"
READ = "read-otherwise"
SHOWN = 5
RATE = 10.0
"""Steps a second, where nothing says how many."""


def open_files(path: str | Path, text: str, trees: Sequence[Tree] | None = None) -> Episodes:
    """Demonstrations in HDF5, npz, zarr, parquet, or CSV with video, as a map says (`grammar.py`).

    `trees` are what is at the path, if that is known.

    Raises `UsageError` for a map that does not fit what is there, `DataError` for damage.
    """
    path, said = Path(path), parse_map(text)
    if of_bags := {"clock", "by"} & {*said.said}:
        raise UsageError(f"'{of_bags.pop()}=' is said of bags of messages, and {path} is none.")
    episodes = said.said["episodes"].words if "episodes" in said.said else ""
    tried = trees is not None
    if trees is None or is_files(episodes):
        trees = open_trees(path, episodes if is_files(episodes) else "")
    remarks: list[str] = []
    spans = [span for tree in trees for span in _spans(tree, said)]
    lengths, kept = _lengths(spans, said, remarks)
    spans = [spans[i] for i in kept]
    if not spans:
        raise DataError(f"{path}: no episode has a step.")
    clock = clock_of(spans, lengths, said, remarks.append)
    timing = Timing(lengths, clock.rate_hz, clock.of) if clock else Timing(lengths, RATE)
    filmed: list[Problem] = []
    root = path.parent if not path.is_dir() or is_group(path) else path
    arrays: dict[str, LazyArray] = {}
    for key, place in said.features.items():
        if is_beside(place):
            pictures = beside(root, place, spans, timing, remarks.append)
            filmed += pictures.remarks(key) if isinstance(pictures, Footage) else []
            arrays[key] = with_depth(pictures, {}, key)
        else:
            arrays[key] = _joined(key, spans, lengths, said)
        if place.later:
            arrays[key] = _of_next(arrays[key], np.cumsum(lengths))
    # A map that is only tried looks at nothing beside a file of arrays.
    near = not tried or trees[0].is_table
    left = films_left(path, arrays.values()) if near else {}
    texts, counter = tasks_of(spans, lengths, said)
    if counter is not None:
        arrays[COUNTER] = counter
    found = Episodes(
        arrays,
        np.cumsum(lengths),
        timing.rate_hz,
        path,
        format=f"mapped {trees[0].kind}",
        version="",
        rate_assumed=clock is None,
        numbers=numbers_of(spans) if spans[0].stretch is None else (),
        tasks=texts,
        left_out={**_left_out(trees, spans, said), **left},
        success=successes(spans, lengths, said),
        remarks=(*(Problem(READ, remark) for remark in dict.fromkeys(remarks)), *filmed),
    )
    return understood(found)


def _spans(tree: Tree, said: Map) -> Sequence[Span]:
    place = said.said.get("episodes")
    places = [*said.features.values()]
    if any(MARK in name.text for each in places for name in each.names if not name.exact):
        return numbered_spans(tree, places)
    if place is None or place.words == FILES or is_files(place.words):
        return list(spans_of(tree, None, None))
    if matching_groups(tree, place.words):
        return list(spans_of(tree, place, None))
    key = _measuring(said)
    return list(spans_of(tree, place, tuple(_named(key, Span(tree), said).shape)))


def _measuring(said: Map) -> str:
    """The feature whose length is that of the data: the action, or another that is no film."""
    keys = [key for key, place in said.features.items() if not is_beside(place)]
    if not keys:
        raise UsageError("The map needs a feature that is not a film: state or action.")
    return ACTION if ACTION in keys else keys[0]


def _named(key: str, span: Span, said: Map) -> LazyArray:
    try:
        return span.array(said.features[key])
    except UsageError as error:
        raise UsageError(f"'{key}' of the map: {error}") from error


def _lengths(spans: Sequence[Span], said: Map, remarks: list[str]) -> tuple[list[int], list[int]]:
    """(steps of each episode that has some, their places).

    An observation that was also made after the last action is one row too many, and passed over.
    """
    _measuring(said)
    keys = [key for key, place in said.features.items() if not is_beside(place)]
    steps, more, empty = [], set[str](), list[str]()
    for span in spans:
        rows = {key: _named(key, span, said).shape[0] for key in keys}
        fewest = min(rows.values())
        if odd := [key for key in keys if rows[key] not in (fewest, fewest + 1)]:
            short = min(rows, key=lambda key: rows[key])
            raise DataError(
                f"{span.tree.path}: '{odd[0]}' has {rows[odd[0]]} rows and '{short}' {fewest} in "
                f"{span.name or 'it'}. Features have a row a step; map others together, or say "
                "where episodes end with episodes=.",
                file=span.tree.path,
            )
        more |= {key for key in keys if rows[key] > fewest}
        if span.stretch is not None and span.stretch[1] > fewest:
            raise DataError(f"{span.tree.path} has {fewest} rows, and episodes beyond.")
        length = fewest if span.stretch is None else span.stretch[1] - span.stretch[0]
        steps.append(length)
        empty += [] if length else [span.name or span.tree.path.name]
    if more:
        remarks.append(
            f"{', '.join(map(repr, sorted(more)))} has one row more than there are actions; the "
            "last one of each episode is passed over."
        )
    if empty:
        which = ", ".join(empty[:SHOWN]) + ", …" * (len(empty) > SHOWN)
        remarks.append(f"Episodes of no steps are passed over: {which}.")
    kept = [i for i, length in enumerate(steps) if length]
    return [steps[i] for i in kept], kept


def _joined(key: str, spans: Sequence[Span], lengths: Sequence[int], said: Map) -> LazyArray:
    """A feature of all episodes; those of one tree and group are read as one."""
    parts: list[LazyArray] = []
    pieces: list[list[np.ndarray]] = []
    before: Span | None = None
    for span, steps in zip(spans, lengths, strict=True):
        start = span.stretch[0] if span.stretch else 0
        if not span.as_before(before):
            parts.append(_named(key, span, said))
            pieces.append([])
        pieces[-1].append(np.arange(start, start + steps))
        before = span
    rows = [np.concatenate(own) for own in pieces]
    shapes = {tuple(part.shape[1:]) for part in parts}
    if len(shapes) > 1:
        raise DataError(
            f"'{key}' has other shapes in other episodes: {', '.join(map(str, sorted(shapes)))}. "
            "Map only files and groups that are alike."
        )
    views = [
        part if len(own) == part.shape[0] and own[0] == 0 else Rows(part, own)
        for part, own in zip(parts, rows, strict=True)
    ]
    return views[0] if len(views) == 1 else Parts(views)


def _of_next(array: LazyArray, ends: np.ndarray) -> LazyArray:
    """Each step's is the one of the step after; the last one of an episode stays."""
    following = np.arange(1, ends[-1] + 1)
    following[ends - 1] -= 1
    return Rows(array, following)


def _left_out(trees: Sequence[Tree], spans: Sequence[Span], said: Map) -> Mapping[str, str]:
    """What is in the first tree and in no pair of the map, and what could not be read."""
    first = spans[0]
    tree, prefix = trees[0], first.prefix
    every = [*said.features.values(), *said.said.values()]
    numbers = {span.number for span in spans}
    used = {n.text for place in every for number in numbers for n in place.numbered(number).names}
    inside = f"{prefix}/" if prefix else ""
    own = [*tree.arrays, *tree.words]
    names = [name.removeprefix(inside) for name in own if name.startswith(inside)]
    taken = {id(each) for each in _used_arrays(first, said)}
    free = [
        name
        for name in names
        if name not in used and id(tree.arrays.get(f"{inside}{name}")) not in taken
    ]
    whys: dict[str, str] = dict.fromkeys(map(plain, free), "the map does not name it")
    refused = {name: why for name, why in tree.refused.items() if name.startswith(inside)}
    return whys | {plain(name.removeprefix(inside)): why for name, why in refused.items()}


def _used_arrays(span: Span, said: Map) -> Sequence[Any]:
    found: list[Any] = []
    for place in said.features.values():
        if not is_beside(place):
            array = array_of(span.tree, span.prefix, place.numbered(span.number))
            found += [array, getattr(array, "source", None), *getattr(array, "parts", ())]
    return found
