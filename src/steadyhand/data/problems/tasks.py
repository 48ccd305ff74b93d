"""Several tasks in one set, of which a policy does not see the one that is asked for."""

from collections.abc import Container, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.data.problem import Problem
from steadyhand.data.tasks import COUNTER
from steadyhand.errors import DataError
from steadyhand.spec import TASK

COUNTERS = ("task_index", "task_id", "task", "task_description")
"""How the name of a feature ends that says by a number which task a step belongs to."""
SHOWN = 5


def inspect(
    episodes: Episodes, flat: dict[str, NDArray[Any]], seen: Container[str]
) -> Iterator[Problem]:
    """Whether there are several tasks, unless a policy sees one of the features that tell them."""
    yield from _without_words(episodes, flat.get(COUNTER))
    if TASK in seen:
        return
    counters = [key for key in episodes.arrays if key.split(".")[-1] in COUNTERS]
    if any(key in seen for key in counters):
        return
    names = {key: _names(episodes, key, flat.get(key)) for key in counters}
    counter = max(names, key=lambda key: len(names[key]), default="")
    found = names.get(counter, [f"'{task}'" for task in dict.fromkeys(episodes.tasks) if task])
    if len(found) > 1:
        more = ", …" if len(found) > SHOWN else ""
        which = f", or let it see '{counter}' with --observations" if counter else ""
        told, one = "T", "Episodes.subset"
        if any(episodes.tasks):
            told, one = "Let it be told with --observations … task, or t", "--select task=…"
        message = (
            f"The data holds {len(found)} tasks ({', '.join(found[:SHOWN])}{more}), and a policy "
            "does not see which one is asked for: it will do one or another. "
            f"{told}rain on the episodes of one ({one}){which}."
        )
        yield Problem("tasks", message)


def _without_words(episodes: Episodes, numbers: NDArray[Any] | None) -> Iterator[Problem]:
    """Steps of a task of which the list of texts says nothing."""
    if numbers is None or not any(episodes.tasks) or numbers.size != len(numbers):
        return
    texts = range(len(episodes.tasks))
    wrong = [n for n in np.unique(numbers).tolist() if n not in texts or not episodes.tasks[int(n)]]
    if wrong:
        which = ", ".join(f"{n:g}" for n in wrong[:SHOWN]) + ", …" * (len(wrong) > SHOWN)
        message = (
            f"Steps are of task {which} by '{COUNTER}', counted from 0, and there is no text for "
            f"it; {sum(map(bool, episodes.tasks))} have one. Mend the set's list of tasks, or do "
            "without words."
        )
        yield Problem("tasks", message)


def _names(episodes: Episodes, key: str, values: NDArray[Any] | None) -> list[str]:
    """The tasks that a feature speaks of, by their words where the set has them."""
    try:
        values = episodes.read(key) if values is None else values
    except DataError:
        return []
    if values.size != len(values) or np.any(values != np.floor(values)):
        return []
    numbers, tasks = [int(number) for number in np.unique(values)], episodes.tasks
    return [f"'{tasks[i]}'" if 0 <= i < len(tasks) and tasks[i] else f"{key} {i}" for i in numbers]
