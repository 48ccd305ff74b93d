"""How a LeRobotDataset marks its episodes: those that succeeded, and its own division of them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from steadyhand.data.episodes import Episodes
from steadyhand.data.files import told
from steadyhand.data.formats.lerobot.content import Content
from steadyhand.data.formats.lerobot.index import IndexedEpisode
from steadyhand.data.formats.lerobot.info import NOTE, Description
from steadyhand.data.formats.limits import ARRAYS
from steadyhand.data.formats.noted import with_noted
from steadyhand.data.lazy import Told
from steadyhand.data.problem import Problem
from steadyhand.errors import DataError

BY_STEP = ("next.success", "success", "is_success", "episode_success", "is_episode_successful")
"""Columns whose last number of an episode says whether it succeeded."""
SPAN = re.compile(r"\s*(\d{1,12})\s*(?::\s*(\d{1,12})\s*)?")
Masks = dict[str, tuple[int, ...]]


def with_marks(
    episodes: Episodes, said: Description, content: Content, indexed: Sequence[IndexedEpisode]
) -> Episodes:
    """The episodes with the marks and the division that were noted, or else that are told."""
    kept = [episode.number for episode in content.episodes]
    if "success" in said.note:
        numbers = [episode.number for episode in indexed]
        try:
            noted = with_noted(Episodes({}, np.arange(1, len(numbers) + 1)), said.note)
        except ValueError as error:
            file = content.path / NOTE
            raise DataError(f"{file} cannot be used: {error}. Delete that file.") from error
        places = {number: place for place, number in enumerate(numbers)}
        part = noted.subset([places[number] for number in kept])
        kinds = {
            key: kind
            for key, kind in noted.kinds.items()
            if not isinstance(episodes.arrays.get(key, Told), Told)  # which say themselves
        }
        names = {key: called for key, called in noted.names.items() if key in episodes.arrays}
        marked = {"success": part.success, "masks": part.masks}
        return replace(episodes, kinds=kinds, names=names, **marked)
    success, told_of_it = successes(content)
    masks, told_of_them = own_masks(said.info, indexed, kept)
    remarks = (*episodes.remarks, *told_of_it, *told_of_them)
    return replace(episodes, success=success, masks=masks, remarks=remarks)


def successes(content: Content) -> tuple[tuple[bool | None, ...], list[Problem]]:
    """(whether each episode succeeded, what is to be said of it); () where nothing marks them."""
    by_index = tuple(episode.success for episode in content.episodes)
    if any(mark is not None for mark in by_index):
        return by_index, []
    held = content.held
    key = next((name for name in BY_STEP if name in held and held[name] is None), None)
    if key is None:
        return (), []
    if not content.all_looked_at:
        said = f"marks successes step by step, in {len(content.tables)} tables that are not all"
        way = "convert the set, and its episodes are marked"
        return (), [Problem("success", f"'{key}' {said} looked at: {way}.")]
    marks = [_last(content, key, episode) for episode in content.episodes]
    if not any(marks):
        said = f"'{key}' ends no episode with a success: none is taken to be marked"
        return (), [Problem("success", f"{said}, rather than all to have failed.")]
    return tuple(marks), []


def _last(content: Content, key: str, episode: IndexedEpisode) -> bool | None:
    """Whether the last step of an episode is marked so; None where it is neither yes nor no."""
    last = episode.first + episode.steps - 1
    values = content.tables[episode.table].numbers(key, last, last + 1)
    return bool(values.flat[0]) if values.size == 1 and values.flat[0] in (0, 1) else None


def own_masks(
    info: Mapping[str, Any], indexed: Sequence[IndexedEpisode], kept: Sequence[int]
) -> tuple[Masks, list[Problem]]:
    """(name → places among the numbers `kept`, what is to be said), as its `splits` divide it.

    One that has all episodes, as every set has, is none. Spans count by the numbers of episodes, or
    by their places where they cover just these.
    """
    splits = info.get("splits")
    if not isinstance(splits, Mapping) or len(splits) > ARRAYS:
        return {}, []
    numbers = [episode.number for episode in indexed]
    read = {str(name): _spans(said) for name, said in splits.items()}
    good = {name: found for name, found in read.items() if found is not None}
    problems = []
    if odd := sorted(read.keys() - good.keys()):
        said = f"'{told(odd[0])}' of meta/info.json's splits is {told(repr(splits[odd[0]]))}"
        way = "it is read as spans, as '0:50' or '0:40,45:50'"
        problems.append(Problem("splits", f"{said}, which says no episodes; {way}."))
    ends = [stop for found in good.values() for _, stop in found]
    covered = sum(stop - start for found in good.values() for start, stop in found)
    by_place = numbers != list(range(len(numbers))) and max(ends, default=0) == covered
    by_place = by_place and covered == len(numbers)
    called = np.arange(len(numbers)) if by_place else np.array(numbers)
    masks: Masks = {}
    for name, found in good.items():
        inside = [(called >= start) & (called < stop) for start, stop in found]
        chosen = {numbers[i] for i in np.flatnonzero(np.any(inside, axis=0))} if inside else set()
        masks[told(name)] = tuple(i for i, number in enumerate(kept) if number in chosen)
    everything = len(masks) == 1 and all(len(places) == len(kept) for places in masks.values())
    return {} if everything else {
        name: places for name, places in masks.items() if places
    }, problems


def _spans(said: Any) -> list[tuple[int, int]] | None:
    """(first, after the last) of the spans that a split is said to have; None where it is none."""
    if isinstance(said, list) and len(said) <= 1_000_000:
        whole = all(type(number) is int and 0 <= number < 10**12 for number in said)
        return [(number, number + 1) for number in said] if whole else None
    if not isinstance(said, str) or len(said) > 100_000:
        return None
    parts = [SPAN.fullmatch(part) for part in said.split(",")]
    if not all(parts):
        return None
    found = [(int(p[1]), int(p[2]) if p[2] else int(p[1]) + 1) for p in parts if p]
    return found if all(start <= stop for start, stop in found) else None
