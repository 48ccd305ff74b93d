"""Environments in which policies are tried, and the experts that demonstrate in them."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

from steadyhand.data import Episodes
from steadyhand.errors import ConfigurationError, unknown
from steadyhand.tasks.fork import Fork
from steadyhand.tasks.pusht import PushT
from steadyhand.tasks.pusht_demonstrations import align, mirror
from steadyhand.tasks.record import record_episodes
from steadyhand.tasks.task import Demonstrated, Environment, Expert, Scores, Task

TASKS: dict[str, type[Any]] = {"fork": Fork, "pusht": PushT}
"""Each a frozen dataclass whose fields, those that can be given, are the task's settings."""

PREPARATIONS: dict[str, dict[str, Callable[[Episodes], Episodes]]] = {
    "pusht": {"align": align, "mirror": mirror}
}

__all__ = [
    "TASKS",
    "Demonstrated",
    "Environment",
    "Expert",
    "Fork",
    "PushT",
    "Scores",
    "Task",
    "make_task",
    "prepare_episodes",
    "record_episodes",
]


def make_task(name: str) -> Task:
    """The task of that name, with settings where they are given: `fork:gap=0.1,commit=0.5`.

    Raises `ConfigurationError` with the nearest name for a typo.
    """
    kind, _, words = name.partition(":")
    if kind not in TASKS:
        raise ConfigurationError(unknown("task", kind, TASKS))
    known = {field.name: type(field.default) for field in fields(TASKS[kind]) if field.init}
    settings: dict[str, Any] = {}
    for word in filter(None, words.split(",")):
        key, _, value = word.partition("=")
        if key not in known:
            raise ConfigurationError(unknown(f"setting of {kind}:", key, known))
        try:
            settings[key] = known[key](value)
        except ValueError:
            raise ConfigurationError(
                f"{kind}'s {key} is a number, not '{value}'. Write it as {kind}:{key}=0.5"
            ) from None
    return TASKS[kind](**settings)


def prepare_episodes(
    episodes: Episodes, steps: Sequence[str], *, task: str | None = None
) -> Episodes:
    """What a task does to demonstrations before training, each step by name, in order."""
    for step in steps:
        kind = (task or "").partition(":")[0]
        known = PREPARATIONS.get(kind, {})
        if step not in known:
            raise ConfigurationError(
                f"{unknown(f'preparation for task {task}:', step, known)} "
                "Give --prepare without a name to leave the demonstrations as they are."
            )
        episodes = known[step](episodes)
    return episodes
