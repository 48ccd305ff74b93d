"""The tasks by name, with their settings."""

import re
from dataclasses import fields
from typing import Any

from steadyhand.errors import ConfigurationError, unknown
from steadyhand.runtime.settings import read_settings
from steadyhand.tasks.adroit import Adroit
from steadyhand.tasks.fork import Fork
from steadyhand.tasks.gymnasium import gym_task
from steadyhand.tasks.gymnasium_registry import is_gymnasium_id
from steadyhand.tasks.intercept import Intercept
from steadyhand.tasks.many import ManyTasks
from steadyhand.tasks.metaworld import MetaWorld
from steadyhand.tasks.own import own_task
from steadyhand.tasks.pusht import PushT
from steadyhand.tasks.task import Task

TASKS: dict[str, type[Any]] = {"fork": Fork, "intercept": Intercept, "pusht": PushT}
"""Each a frozen dataclass whose fields are the task's settings."""
FAMILIES: dict[str, type[Any]] = {"adroit": Adroit, "metaworld": MetaWorld}
"""Simulators with many tasks, `metaworld/reach-v3`: as in `TASKS`, and a field `env` says which."""

JOINED = re.compile(r"\+(?=[A-Za-z])")
"""What stands between several tasks in one, and in no number."""


def make_task(name: str) -> Task:
    """The task of that name, with settings where they are given: `fork:gap=0.1,commit=0.5`.

    A simulator with many names one behind it, `metaworld/reach-v3`; several tasks in one have a
    plus between, `metaworld/reach-v3+push-v3`; an environment of Gymnasium has its ID,
    `FetchReach-v4:view=96`. One in a user's file, `FILE.py:function`, has to be registered:
    `register_task`. Raises `ConfigurationError` with the nearest name for a typo.
    """
    if (own := own_task(name)) is not None:
        return own
    if re.search(JOINED, name):
        return ManyTasks([make_task(part) for part in _parts(name)])
    kind, _, words = name.partition(":")
    family, slash, env = kind.partition("/")
    made = FAMILIES.get(family) if slash else TASKS.get(kind)
    if made is None and is_gymnasium_id(kind):
        return gym_task(kind, words)
    if made is None:
        known = [*TASKS, *(f"{each}/NAME" for each in FAMILIES)]
        raise ConfigurationError(
            f"{unknown('task', kind, known)} An environment of Gymnasium is named by its ID, as "
            "FetchReach-v4, your own by its file, as FILE.py:function."
        )
    which = {"env": env} if slash else {}
    usual = {field.name: field.default for field in fields(made) if field.name not in which}
    return made(**which, **read_settings(kind, words, usual))


def _parts(name: str) -> list[str]:
    """The names of several tasks in one; after the first, the simulator may be left out."""
    first, *others = re.split(JOINED, name)
    family, slash, _ = first.partition(":")[0].partition("/")
    known = {*TASKS, *FAMILIES}
    return [
        first,
        *(
            part
            if not slash or re.split("[:/]", part, maxsplit=1)[0] in known
            else f"{family}/{part}"
            for part in others
        ),
    ]
