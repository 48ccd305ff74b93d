"""Environments in which policies are tried, and the experts that demonstrate in them."""

from collections.abc import Callable, Sequence

from steadyhand.data import Episodes
from steadyhand.errors import ConfigurationError, unknown
from steadyhand.tasks.catalogue import TASKS, make_task
from steadyhand.tasks.fork import Fork
from steadyhand.tasks.gymnasium import GymTask
from steadyhand.tasks.intercept import Intercept
from steadyhand.tasks.own import family_of, register_task
from steadyhand.tasks.pusht import PushT
from steadyhand.tasks.pusht_demonstrations import align, mirror
from steadyhand.tasks.record import record_episodes
from steadyhand.tasks.task import Demonstrated, Environment, Expert, Scores, Task

PREPARATIONS: dict[str, dict[str, Callable[[Episodes], Episodes]]] = {
    "pusht": {"align": align, "mirror": mirror}
}

__all__ = [
    "TASKS",
    "Demonstrated",
    "Environment",
    "Expert",
    "Fork",
    "GymTask",
    "Intercept",
    "PushT",
    "Scores",
    "Task",
    "make_task",
    "prepare_episodes",
    "record_episodes",
    "register_task",
]


def prepare_episodes(
    episodes: Episodes, steps: Sequence[str], *, task: str | None = None
) -> Episodes:
    """What a task does to demonstrations before training, each step by name, in order."""
    for step in steps:
        kind = family_of(task or "")
        known = PREPARATIONS.get(kind, {})
        if step not in known:
            raise ConfigurationError(
                f"{unknown(f'preparation for task {task}:', step, known)} "
                "Give --prepare without a name to leave the demonstrations as they are."
            )
        episodes = known[step](episodes)
    return episodes
