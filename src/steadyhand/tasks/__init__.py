"""Environments in which policies are tried."""

from collections.abc import Callable, Sequence

from steadyhand.data import Episodes
from steadyhand.errors import ConfigurationError, unknown
from steadyhand.tasks.pusht import PushT
from steadyhand.tasks.pusht_demonstrations import align, mirror
from steadyhand.tasks.task import Environment, Scores, Task

TASKS: dict[str, Callable[[], Task]] = {"pusht": PushT}

PREPARATIONS: dict[str, dict[str, Callable[[Episodes], Episodes]]] = {
    "pusht": {"align": align, "mirror": mirror}
}

__all__ = ["TASKS", "Environment", "PushT", "Scores", "Task", "make_task", "prepare_episodes"]


def make_task(name: str) -> Task:
    """The task of that name. Raises `ConfigurationError` with the nearest name for a typo."""
    if name not in TASKS:
        raise ConfigurationError(unknown("task", name, TASKS))
    return TASKS[name]()


def prepare_episodes(
    episodes: Episodes, steps: Sequence[str], *, task: str | None = None
) -> Episodes:
    """What a task does to demonstrations before training, each step by name, in order."""
    for step in steps:
        known = PREPARATIONS.get(task or "", {})
        if step not in known:
            raise ConfigurationError(
                f"{unknown(f'preparation for task {task}:', step, known)} "
                "Give --prepare without a name to leave the demonstrations as they are."
            )
        episodes = known[step](episodes)
    return episodes
