"""Gymnasium's environments by ID: which there are, and how one is made.

An ID may be the word of a policy that a stranger made. It is looked up among what installed
packages that are listed here registered, and never imports a module, as `module:ID` would.
"""

import contextlib
import io
import re
import warnings
from collections.abc import Iterator
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from steadyhand.errors import EXTRAS, ConfigurationError, library

_ID = re.compile(r"([A-Za-z0-9_-]{1,60}/)?[A-Za-z0-9_.-]{1,80}-v[0-9]{1,4}")
PACKAGES = ("gymnasium_robotics", "gym_pusht", "gym_aloha", "gym_xarm", "panda_gym")
"""Imported one after the other, where they are installed, until one has registered the ID."""


def is_gymnasium_id(name: str) -> bool:
    """Whether a task of that name could be an environment of Gymnasium: FetchReach-v4."""
    return _ID.fullmatch(name) is not None


def registered(name: str) -> Any:
    """What the registry says of an ID: how long an episode is, how it is made.

    Raises `ConfigurationError` with the nearest names where nobody registered it, and
    `MissingExtraError` where gymnasium is not installed.
    """
    if not is_gymnasium_id(name):
        raise ConfigurationError(
            f"'{name}' is no ID of Gymnasium: those are as FetchReach-v4, or namespace/Name-v0. "
            "What has to be imported first is made by a function of your own: "
            "GymTask(environment=make)."
        )
    registry: dict[str, Any] = library("gymnasium").envs.registry
    for package in PACKAGES:
        if name in registry:
            break
        if find_spec(package) is not None:
            with quietly():
                import_module(package)
    if name not in registry:
        raise ConfigurationError(_unknown(name, registry))
    return registry[name]


def _unknown(name: str, registry: dict[str, Any]) -> str:
    near = get_close_matches(name, registry, n=4, cutoff=0.5)
    guess = f" Near it are {', '.join(near)}." if near else ""
    absent = [each for each in PACKAGES if find_spec(each) is None]
    ways = [
        f"{each} (pip install 'steadyhand[{EXTRAS[each]}]')" if each in EXTRAS else each
        for each in absent
    ]
    more = f" More come with packages that are not installed: {', '.join(ways)}." if ways else ""
    return (
        f"There is no environment '{name}' of Gymnasium.{guess}{more} One of your own is a "
        "function in a file that returns a GymTask: --task FILE.py:function."
    )


def made(name: str) -> Any:
    """A new environment, which ends when it itself says so. Raises as `registered` does."""
    spec = registered(name)
    with quietly():
        # Its own limit in time is the task's to keep.
        return library("gymnasium").make(
            spec, render_mode="rgb_array", max_episode_steps=-1, disable_env_checker=True
        )


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Without what packages have to say of their own versions when they are imported."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
