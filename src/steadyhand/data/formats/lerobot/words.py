"""What was to be done in a LeRobotDataset, in words, wherever it keeps them.

As a rule in a list of tasks that a column counts in; else with each episode in its index, or in a
column of text.
"""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.formats.lerobot.content import TEXT, Content
from steadyhand.data.lazy import LazyArray
from steadyhand.data.problem import Problem

COUNTER = "task_index"
INSTRUCTION = re.compile(r"instruction|task|language|prompt|command|goal|annotation|caption")
"""In the names of columns whose text says what was to be done."""


@dataclass(frozen=True, kw_only=True)
class Words:
    """The texts, and where it is not the set's own column, which of them each step has."""

    tasks: tuple[str, ...] = ()
    counter: LazyArray | None = None
    column: str | None = None
    """The column of text that was read."""
    remarks: tuple[Problem, ...] = ()


def words_of(content: Content, tasks: tuple[str, ...], *, counted: bool) -> Words:
    """`tasks` is the set's list of them; `counted` says whether a column counts in it."""
    listed = tasks if any(tasks) else ()
    if any(listed) and (counted or len(listed) == 1):
        return Words(tasks=listed)
    steps = [episode.steps for episode in content.episodes]
    told = [episode.text for episode in content.episodes]
    if any(told):
        found, places = np.unique(told, return_inverse=True)
        counter = np.repeat(places.reshape(-1), steps).astype(np.int64)
        several = [e.number for e in content.episodes if e.texts > 1]
        remarks = ()
        if several:
            said = (
                f"{len(several)} episodes have several texts for what was to be done, the first is "
                f"episode {several[0]}; no list of tasks says which step has which: their first "
                "text is taken for all of their steps."
            )
            remarks = (Problem("tasks", said, several[0]),)
        return Words(tasks=tuple(map(str, found)), counter=counter, remarks=remarks)
    texts = [key for key, held in content.held.items() if held in TEXT]
    named = [key for key in texts if INSTRUCTION.search(key.lower())]
    if not named or not content.all_looked_at:
        return Words(tasks=listed)
    return _of_column(content, named[0])


def _of_column(content: Content, key: str) -> Words:
    """The texts of a column, in the order in which they are met."""
    known: dict[str, int] = {}
    folded = {file: table.words(key) for file, table in content.tables.items()}
    parts: list[NDArray[np.int64]] = []
    for episode in content.episodes:
        found, places, _ = folded[episode.table]
        here = places[episode.first : episode.first + episode.steps]
        numbers = np.zeros(len(found), np.int64)
        for place in dict.fromkeys(here.tolist()):
            numbers[place] = known.setdefault(found[place], len(known))
        parts.append(numbers[here])
    if not any(known):
        return Words()
    said = f"What was to be done is read in the words of '{key}': {len(known)} texts."
    return Words(
        tasks=tuple(known),
        counter=np.concatenate(parts),
        column=key,
        remarks=(Problem("words", said),),
    )
