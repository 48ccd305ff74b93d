"""The tasks by name, with their settings."""

from dataclasses import fields
from typing import Any

from steadyhand.errors import ConfigurationError, unknown
from steadyhand.tasks.fork import Fork
from steadyhand.tasks.pusht import PushT
from steadyhand.tasks.task import Task

TASKS: dict[str, type[Any]] = {"fork": Fork, "pusht": PushT}
"""Each a frozen dataclass whose fields are the task's settings."""


def make_task(name: str) -> Task:
    """The task of that name, with settings where they are given: `fork:gap=0.1,commit=0.5`.

    Raises `ConfigurationError` with the nearest name for a typo.
    """
    kind, _, words = name.partition(":")
    if kind not in TASKS:
        raise ConfigurationError(unknown("task", kind, TASKS))
    usual = {field.name: field.default for field in fields(TASKS[kind])}
    settings: dict[str, Any] = {}
    for word in filter(None, words.split(",")):
        key, _, value = word.partition("=")
        if key not in usual:
            raise ConfigurationError(unknown(f"setting of {kind}:", key, usual))
        try:
            settings[key] = type(usual[key])(value)
        except ValueError:
            kind_of_number = "whole number" if type(usual[key]) is int else "number"
            raise ConfigurationError(
                f"{kind}'s {key} is a {kind_of_number}, not '{value}'. "
                f"Write it as {kind}:{key}={usual[key]}"
            ) from None
    return TASKS[kind](**settings)
