"""A user's own task in a file, `FILE.py:function`, found again under that name.

`register_task` runs the file, for whoever is told its name by the user; `own_task` never does.
"""

import re
from copy import copy
from functools import cache
from shlex import quote
from typing import Any

from steadyhand.errors import ConfigurationError
from steadyhand.runtime.own_file import OwnFunction, own_name, run_file
from steadyhand.runtime.predictor import require
from steadyhand.tasks.task import Task, usable

_NAMED: dict[str, OwnFunction] = {}
"""What the user named in this process, by name without settings."""


def register_task(name: str) -> str:
    """The name under which `make_task` knows what the user calls `name`, in this process.

    `FILE.py:function`, or a class, is run for it, with settings as `FILE.py:Reach:speed=0.2`; any
    other name is answered as it is. Only for a name that the user gave in this very call, never for
    one that was read from a policy, a run or a plan. Raises `ConfigurationError` for a file that is
    not there, raises, or makes no task.
    """
    if (parts := own_name(name)) is None:
        return name
    found = run_file(parts)
    _NAMED[found.name.family] = found
    own_task(str(found.name))
    return str(found.name)


def own_task(name: str) -> Task | None:
    """The registered task of that name; None for a name that is not of a file.

    Raises `ConfigurationError` for a file that the user has not named.
    """
    if (parts := own_name(name)) is None:
        return None
    found = _registered(name)
    task = OwnFunction.of(parts, found.mark, found.called)()
    require({f"task of {parts.short}": (task, Task)}, SAID, but=("name",))
    return usable(_under(name, task))


SAID = "`steadyhand.tasks.Task` says what each of them is."


def mark_of(name: str | None) -> str | None:
    """Of the file in which a registered task is: another where it was edited. Else None."""
    return None if own_name(name or "") is None else _registered(name or "").mark


def file_word(name: str) -> str:
    """A task's name where it is part of a file's name; another where its own file was edited."""
    parts = own_name(name)
    if parts is None:
        return re.sub("[:=,/+]", "-", name)
    words = [parts.short.replace(".py:", "-", 1), (mark_of(name) or "")[:8]]
    return re.sub(r"[^\w.+-]", "-", "-".join(words))


def family_of(name: str) -> str:
    """A task's name without settings."""
    parts = own_name(name)
    return name.partition(":")[0] if parts is None else parts.family


def short_name(name: str) -> str:
    """A task's name as a title says it: without the folder of its file."""
    parts = own_name(name)
    return name if parts is None else parts.short


def task_flag(name: str | None) -> str:
    """What a command that is advised needs for this task: a file has to be named each time."""
    return f" --task {quote(name)}" if name and own_name(name) else ""


def moved(one: str | None, other: str | None) -> bool:
    """Whether both are names of the same task, in a file that may lie elsewhere now."""
    names = [own_name(name or "") for name in (one, other)]
    return None not in names and len({name.short for name in names if name is not None}) == 1


def _registered(name: str) -> OwnFunction:
    parts = own_name(name)
    if parts is None or parts.family not in _NAMED:
        raise ConfigurationError(
            f"The task {name} is a file, which is run only where you name it yourself: look at "
            f"it, then add --task {quote(name)} (in Python, steadyhand.tasks.register_task)."
        )
    return _NAMED[parts.family]


def _under(name: str, task: Any) -> Task:
    """The task under that name, whatever it calls itself."""
    twin = copy(task)
    try:
        object.__setattr__(twin, "__class__", _named(type(task), name))
    except TypeError:
        raise ConfigurationError(
            f"The task of {short_name(name)} is a {type(task).__name__}; let it be an object of a "
            "class of your own."
        ) from None
    return twin


@cache
def _named(kind: type[Any], name: str) -> type[Any]:
    """A class as `kind` in all but the name of its tasks."""
    members = {"__slots__": (), "__module__": kind.__module__, "name": property(lambda _: name)}
    return type(kind.__name__, (kind,), members)
