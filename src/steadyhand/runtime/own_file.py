"""What a user wrote into a file of their own: how it is named, `FILE.py:function`, and called.

A file is run where the command line or a caller in Python names it, and nowhere else: what a
policy, a run or a plan says of one is read as a name, and never followed.
"""

import hashlib
import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from steadyhand.errors import (
    ConfigurationError,
    SteadyhandError,
    missing_extra,
    nothing_at,
    unknown,
)
from steadyhand.runtime.settings import read_settings

_FORM = re.compile(r"(.+?\.py)(?::([^:]*)(?::(.*))?)?", re.DOTALL)


@dataclass(frozen=True)
class OwnName:
    """`FILE.py:function`, with settings behind another colon where there are some."""

    file: str
    function: str
    settings: str = ""

    def __str__(self) -> str:
        return ":".join(filter(None, [self.file, self.function, self.settings]))

    @property
    def family(self) -> str:
        """The name without settings."""
        return f"{self.file}:{self.function}"

    @property
    def short(self) -> str:
        """The name without the folder that the file lies in."""
        return str(replace(self, file=Path(self.file).name))


@dataclass(frozen=True)
class OwnFunction:
    """A function, or a class, of a file that was run."""

    name: OwnName
    """With the whole path, and the settings that are not the usual ones, in their order."""
    mark: str
    """Of what the file held: another where it was edited."""
    called: Callable[..., Any]
    settings: dict[str, Any]

    @classmethod
    def of(cls, name: OwnName, mark: str, called: Callable[..., Any]) -> "OwnFunction":
        """Raises `ConfigurationError` for settings that it does not have."""
        exact = replace(name, settings="")
        usual = _usual(exact, called)
        settings = read_settings(exact.short, name.settings, usual)
        said = [f"{k}={settings[k]}" for k in usual if k in settings and settings[k] != usual[k]]
        return cls(replace(exact, settings=",".join(said)), mark, called, settings)

    def __call__(self, **given: Any) -> Any:
        """What it answers with its settings. Raises `ConfigurationError` where it raises."""
        known = inspect.signature(self.called).parameters
        open_to_all = any(one.kind is one.VAR_KEYWORD for one in known.values())
        strange = [key for key in given if key not in known and not open_to_all]
        if strange:
            raise ConfigurationError(
                f"{self.name.short} does not take a {strange[0]}: give the function a parameter "
                f"`{strange[0]}` with a default, or name none."
            )
        try:
            return self.called(**self.settings, **given)
        except SteadyhandError:
            raise
        except (Exception, SystemExit) as error:
            raise _told(error, self.name.file, f"{self.name.function}()") from error


def own_name(text: str) -> OwnName | None:
    """The name of something in a file, FILE.py:function; None where it is any other name."""
    found = _FORM.fullmatch(text)
    return None if found is None else OwnName(*(part or "" for part in found.groups()))


def run_file(name: OwnName) -> OwnFunction:
    """Run the file, once for what it holds, and find the function.

    Only for a name that the user gave in this very call. Raises `ConfigurationError` where the file
    is not there or raises, and with the nearest name where it has no such function.
    """
    path, content = _read(name.file)
    mark = hashlib.sha256(content).hexdigest()[:16]
    if path not in _RUN or _RUN[path][0] != mark:
        _RUN[path] = (mark, _module(path, content, mark))
    module = _RUN[path][1]
    called: Any = getattr(module, name.function, None) if name.function else None
    if not callable(called):
        known = [key for key, value in vars(module).items() if _own(value, module)]
        if name.function:
            raise ConfigurationError(unknown(f"function or class in {path}:", name.function, known))
        raise ConfigurationError(
            f"Name what is meant in {path}, as {name.file}:{known[0] if known else 'function'}. "
            f"Available: {', '.join(known) or 'none'}."
        )
    return OwnFunction.of(replace(name, file=str(path)), mark, called)


_RUN: dict[Path, tuple[str, ModuleType]] = {}
"""The files that were run in this process, and what they held then."""


def _read(file: str) -> tuple[Path, bytes]:
    path = Path(file).expanduser().resolve()
    if not path.is_file():
        raise ConfigurationError(nothing_at("file", Path(file)))
    return path, path.read_bytes()


def _module(path: Path, content: bytes, mark: str) -> ModuleType:
    """The file, run. It may import what lies beside it, after all that is installed."""
    name = f"{path.stem}_{mark}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None, "a path that ends in .py has a loader"
    module = importlib.util.module_from_spec(spec)
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    sys.modules[name] = module  # where dataclasses look for their module
    try:
        exec(compile(content, str(path), "exec"), vars(module))
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        if isinstance(error, SteadyhandError):
            raise
        if isinstance(error, ModuleNotFoundError) and (missing := missing_extra(error)) is not None:
            raise missing from error
        raise _told(error, str(path), "it") from error
    return module


def _told(error: BaseException, file: str, what: str) -> ConfigurationError:
    """An error of the user's own code in one line, with where in their file it comes from."""
    frames = [each for each in traceback.extract_tb(error.__traceback__) if each.filename == file]
    line, said = frames[-1].lineno if frames else None, str(error)
    if isinstance(error, SyntaxError):
        line, said = error.lineno, error.msg
    kind = type(error).__name__
    where = file if line is None else f"{file}, line {line}"
    return ConfigurationError(f"{where}: {what} raised {kind}{f': {said}' if said else ''}.")


def _own(value: object, module: ModuleType) -> bool:
    own = getattr(value, "__module__", None) == module.__name__
    return own and callable(value) and not getattr(value, "__name__", "_").startswith("_")


def _usual(name: OwnName, called: Callable[..., Any]) -> dict[str, Any]:
    """The defaults of its parameters. Raises `ConfigurationError` where one has none."""
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    known = [one for one in inspect.signature(called).parameters.values() if one.kind not in kinds]
    lacking = [one.name for one in known if one.default is one.empty]
    if lacking:
        raise ConfigurationError(
            f"{name.short} is called without arguments, and its {', '.join(lacking)} "
            f"{'has no default' if len(lacking) == 1 else 'have no defaults'}. Give it one: it can "
            f"then be set as {name.short}:{lacking[0]}=…"
        )
    return {one.name: one.default for one in known}
