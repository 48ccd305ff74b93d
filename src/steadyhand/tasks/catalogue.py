"""The tasks by name, with their settings."""

from dataclasses import fields
from typing import Any

from steadyhand.errors import ConfigurationError, unknown
from steadyhand.runtime.settings import read_settings
from steadyhand.tasks.fork import Fork
from steadyhand.tasks.own import own_task
from steadyhand.tasks.pusht import PushT
from steadyhand.tasks.task import Task

TASKS: dict[str, type[Any]] = {"fork": Fork, "pusht": PushT}
"""Each a frozen dataclass whose fields are the task's settings."""


def make_task(name: str) -> Task:
    """The task of that name, with settings where they are given: `fork:gap=0.1,commit=0.5`.

    One in a user's file, `FILE.py:function`, has to be registered: `register_task`. Raises
    `ConfigurationError` with the nearest name for a typo.
    """
    if (own := own_task(name)) is not None:
        return own
    kind, _, words = name.partition(":")
    if kind not in TASKS:
        raise ConfigurationError(
            f"{unknown('task', kind, TASKS)} Your own is named by its file, as FILE.py:function."
        )
    usual = {field.name: field.default for field in fields(TASKS[kind])}
    return TASKS[kind](**read_settings(kind, words, usual))
