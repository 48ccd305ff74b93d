"""What a task is to everything above it: worlds that start from a seed and score themselves."""

from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields
from typing import Any, Protocol, get_args, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError
from steadyhand.runtime.predictor import Observation, require
from steadyhand.sizes import Kind
from steadyhand.values import positive, seed, shown, whole

Scores = Mapping[str, float | bool]
"""Named outcomes of an episode: a bool becomes a rate, a float a mean."""


class Environment(Protocol):
    """One world, stepped at the task's rate. It may be reset any number of times.

    Where it does not keep a robot in its place to be told the same again, since actions are
    displacements or speeds, it has a method more: `hold(told)`, the action that does; `told` was
    the last.
    """

    def reset(self, seed: int) -> Observation:
        """The first observation of the episode `seed`; the same seed gives the same episode."""
        ...

    def step(self, action: NDArray[np.floating[Any]]) -> tuple[Observation, bool]:
        """Act for one tick: the next observation, and whether the episode is over."""
        ...

    def scores(self) -> Scores:
        """The outcome so far."""
        ...

    def state(self) -> list[float]:
        """Where the world stands, in numbers that can be written into a result."""
        ...

    def render(self) -> NDArray[np.uint8]:
        """A picture, (height, width, 3)."""
        ...


SHARES = frozenset({"max_coverage", "final_coverage"})
"""Scores that are numbers in 0…1 by what they are."""


class Task(Protocol):
    """A named family of episodes."""

    @property
    def name(self) -> str:
        """The name under which it is found again, its settings included."""
        ...

    @property
    def rate_hz(self) -> float: ...
    @property
    def max_steps(self) -> int: ...
    @property
    def first_seed(self) -> int:
        """Where evaluation's seeds begin unless said otherwise."""
        ...

    @property
    def initial_states(self) -> str:
        """One line for the results: how an episode's seed becomes its initial state."""
        ...

    def make(self) -> Environment:
        """A new environment."""
        ...


class Expert(Protocol):
    """Acts in one episode as a demonstrator would."""

    def act(self, observation: Observation) -> NDArray[Any]:
        """The action of this tick, (A,)."""
        ...


@runtime_checkable
class Watching(Expert, Protocol):
    """An expert that sees more than is observed."""

    def watch(self, world: Any) -> None:
        """The world of its episode, told before the first tick."""
        ...


@runtime_checkable
class Demonstrated(Protocol):
    """A task that has an expert of its own."""

    def expert(self, seed: int) -> Expert:
        """The demonstrator of the episode `seed`."""
        ...


def modes_of(task: Task) -> tuple[str, ...]:
    """The scores that say which of several right ways an episode took, as the task's `modes` names
    them; () where it names none. Raises `ConfigurationError` where they are no names."""
    named = getattr(task, "modes", ())
    if not isinstance(named, tuple | list) or not all(isinstance(name, str) for name in named):
        raise ConfigurationError(
            f"The task's modes are {shown(named)}; they are names of scores: ('left', 'right')."
        )
    return tuple(named)


def shown_by_settings(task: Task) -> tuple[str, ...]:
    """The observations that a task's settings add, which no recipe for the usual task names."""
    return tuple(getattr(task, "settings_show", ()))


def kinds_of(task: Task) -> dict[str, Kind]:
    """What observations are whose shape does not say it, as the task's `kinds` names them: depth in
    metres, points. Raises `ConfigurationError` where they are no kinds."""
    named: Any = getattr(task, "kinds", {})
    known = get_args(Kind)
    if not isinstance(named, Mapping) or not all(kind in known for kind in named.values()):
        raise ConfigurationError(
            f"The task's kinds are {shown(named)}; they are observations and what they are: "
            "{'depth': 'depth', 'cloud': 'points'}."
        )
    return {str(key): kind for key, kind in named.items()}


def usable(task: Task) -> Task:
    """The task; raises `ConfigurationError` where it lacks something or has what cannot be."""
    require({"task": (task, Task)}, "`steadyhand.tasks.Task` says what each of them is.")
    positive("The task's rate_hz", task.rate_hz)
    whole("The task's max_steps", task.max_steps)
    seed("The task's first_seed", task.first_seed)
    return task


def world_of(task: Task, *, but: Collection[str] = ()) -> Environment:
    """A new world; raises `ConfigurationError` that names all its methods that are lacking."""
    world = task.make()
    said = "`steadyhand.tasks.Environment` says what each of them is."
    require({"world": (world, Environment)}, said, but=but)
    return world


def stepped(world: Environment, action: NDArray[Any]) -> tuple[Observation, bool]:
    """One tick of the world. Raises `ConfigurationError` where it answers with something else."""
    answer: object = world.step(action)
    if isinstance(answer, tuple) and len(answer) == 2:
        return answer
    what = f"{len(answer)} values" if isinstance(answer, tuple) else shown(answer)
    raise ConfigurationError(
        f"step() of {type(world).__name__} answered with {what}; it gives two, the next "
        "observation and whether the episode is over: return observation, over."
    )


def spelled(task: Any) -> str:
    """The name of a task that is a dataclass with a `kind`: `fork`, or `fork:gap=0.1,commit=0.5`.

    `make_task` reads it back.
    """
    settings = [
        f"{field.name}={getattr(task, field.name)}"
        for field in fields(task)
        if field.default is not MISSING and getattr(task, field.name) != field.default
    ]
    return ":".join(filter(None, [task.kind, ",".join(settings)]))
