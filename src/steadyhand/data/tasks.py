"""What was to be done at each step of a set, in words: its texts, and which of them a step has."""

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.errors import ConfigurationError, DataError
from steadyhand.task_table import TaskTable

COUNTER = "task_index"
"""The feature that counts in the texts of a set."""


def texts_of(episodes: Episodes) -> tuple[str, ...]:
    """What was to be done in any of the steps, each text once.

    Raises `ConfigurationError` where the data does not say it in words.
    """
    found = task_numbers(episodes)
    return tuple(dict.fromkeys(episodes.tasks[int(number)] for number in np.unique(found)))


def task_places(episodes: Episodes, table: TaskTable) -> NDArray[np.int64]:
    """Which task of the table each step has, (steps,). Raises `ConfigurationError` for a text that
    is not in it."""
    found, places = task_numbers(episodes), np.zeros(len(episodes.tasks), np.int64)
    for number in np.unique(found):
        places[number] = table.place(episodes.tasks[int(number)])
    return places[found]


def task_numbers(episodes: Episodes) -> NDArray[np.int64]:
    """The number of the text of each step, (steps,)."""
    where = episodes.path or "The data"
    if not any(episodes.tasks):
        raise ConfigurationError(
            f"{where} does not say in words what was to be done, so a policy cannot be told its "
            "task. Leave 'task' out of --observations, or record it: LeRobot's sets have a text "
            "for each episode, and worlds that show `task` are recorded with it."
        )
    if COUNTER not in episodes.arrays:
        if len(episodes.tasks) == 1:
            return np.zeros(episodes.steps, np.int64)
        raise ConfigurationError(
            f"{where} holds {len(episodes.tasks)} tasks and no {COUNTER} that says which of them a "
            "step has."
        )
    numbers = episodes.read(COUNTER)
    if numbers.size != episodes.steps or (numbers != np.floor(numbers)).any():
        raise DataError(f"{where}: {COUNTER} is no whole number a step.")
    found = numbers.reshape(-1).astype(np.int64)
    wrong = (found < 0) | (found >= len(episodes.tasks))
    wrong[~wrong] = np.array([not text for text in episodes.tasks])[found[~wrong]]
    if wrong.any():
        step, episode = episodes.at(int(np.argmax(wrong)))
        raise DataError(
            f"{where}: step {step} of episode {episode} has task {found[np.argmax(wrong)]}, and "
            f"there is no text for it; {len(episodes.tasks)} tasks are told. Mend its list of "
            "tasks, or leave 'task' out of --observations."
        )
    return found
