"""What a process of worlds is told when it starts: the task, by its name or as an object, and more.

Objects go as they are (pickle), between processes of this library alone. A task in a user's file
goes by the name that the user gave here, and is run there as it was here.
"""

import io
import pickle
import sys
from types import FunctionType
from typing import Any

from steadyhand.errors import ConfigurationError, SteadyhandError
from steadyhand.evaluation.lanes import Setting
from steadyhand.runtime.own_file import own_name
from steadyhand.tasks import make_task, register_task
from steadyhand.tasks.own import mark_of

REST_BUT = ("task", "controller")


class CannotTravel(Exception):
    """Something exists in this process alone; the text says what."""


def packed(setting: Setting) -> bytes:
    """The setting for another process. Raises `CannotTravel` where a part of it cannot go."""
    named = _named(setting.task)
    content = {
        "path": list(sys.path),
        "own": None if named is None else (named, mark_of(named)),
        "task": None if named else _pickled("The task", setting.task),
        "controller": _pickled("The controller", setting.controller),
        "rest": _pickled("The policy's spec", _rest(setting)),
    }
    return pickle.dumps(content)


def unpacked(content: bytes) -> Setting:
    """The setting, in the process that it was packed for. Raises `CannotTravel`."""
    parts = pickle.loads(content)
    sys.path[:] = parts["path"]
    if parts["own"] is not None:
        name, mark = parts["own"]
        if mark_of(register_task(name)) != mark:
            raise ConfigurationError(
                f"{name} was edited since this evaluation began. Begin it again: it then tries "
                "what is there now."
            )
        task = make_task(name)
    else:
        task = _unpickled("The task", parts["task"])
    controller = _unpickled("The controller", parts["controller"])
    rest = _unpickled("The policy's spec", parts["rest"])
    return Setting(task=task, controller=controller, **rest)


def _rest(setting: Setting) -> dict[str, Any]:
    """What is neither the task nor the controller."""
    return {name: value for name, value in vars(setting).items() if name not in REST_BUT}


def _named(task: Any) -> str | None:
    """The name under which another process makes this very task of a user's file."""
    if own_name(task.name) is None:
        return None
    try:
        same = make_task(task.name)
        alike = type(same) is type(task) and _told(vars(same)) == _told(vars(task))
    except Exception:  # of a file that was not named here, or with parts that cannot be told apart
        return None
    return task.name if alike else None


class _Teller(pickle.Pickler):
    """Tells functions apart by their code and what they hold: lambdas, too, which cannot go."""

    def reducer_override(self, obj: Any) -> Any:
        if not isinstance(obj, FunctionType):
            return NotImplemented
        held = [cell.cell_contents for cell in obj.__closure__ or ()]
        return tuple, ((id(obj.__code__), obj.__defaults__, obj.__kwdefaults__, held),)


def _told(fields: dict[str, Any]) -> bytes:
    written = io.BytesIO()
    _Teller(written).dump(fields)
    return written.getvalue()


class _Pickler(pickle.Pickler):
    """Refuses what stands in the user's script or notebook: another process has another one."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, type | FunctionType) and obj.__module__ == "__main__":
            raise CannotTravel(f"{obj.__qualname__} is defined in the script that runs")
        return NotImplemented


def _pickled(what: str, value: object) -> bytes:
    written = io.BytesIO()
    try:
        _Pickler(written).dump(value)
    except Exception as error:
        raise CannotTravel(f"{what} stays in this process: {error}.") from error
    return written.getvalue()


def _unpickled(what: str, content: bytes) -> Any:
    try:
        return pickle.loads(content)
    except SteadyhandError:
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        raise CannotTravel(f"{what} is not found in another process ({said}).") from error
