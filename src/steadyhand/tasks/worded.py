"""A task told in other words than its own: whether a policy knows what they mean."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError
from steadyhand.runtime.predictor import Observation
from steadyhand.sizes import Kind
from steadyhand.spec import TASK
from steadyhand.tasks.many import ManyTasks
from steadyhand.tasks.task import Environment, Scores, Task, kinds_of


class Worded:
    """`task`, whose worlds show `instruction` as what is to be done; all else is as it is.

    Raises `ConfigurationError` for several tasks in one, which no words are for.
    """

    def __init__(self, task: Task, instruction: str) -> None:
        if isinstance(task, ManyTasks):
            raise ConfigurationError(
                f"'{instruction}' cannot be what is to be done in several tasks. Name one: --task "
                f"{task.parts[0].name}"
            )
        self._task, self.instruction = task, instruction

    @property
    def name(self) -> str:
        return self._task.name

    @property
    def rate_hz(self) -> float:
        return self._task.rate_hz

    @property
    def max_steps(self) -> int:
        return self._task.max_steps

    @property
    def first_seed(self) -> int:
        return self._task.first_seed

    @property
    def kinds(self) -> dict[str, Kind]:
        return kinds_of(self._task)

    @property
    def initial_states(self) -> str:
        return self._task.initial_states

    def make(self) -> Environment:
        return _World(self._task.make(), self.instruction)


class _World:
    def __init__(self, world: Environment, instruction: str) -> None:
        self._world, self._told = world, np.array(instruction)

    def reset(self, seed: int) -> Observation:
        return {**self._world.reset(seed), TASK: self._told}

    def step(self, action: NDArray[Any]) -> tuple[Observation, bool]:
        observation, over = self._world.step(action)
        return {**observation, TASK: self._told}, over

    def scores(self) -> Scores:
        return self._world.scores()

    def state(self) -> list[float]:
        return self._world.state()

    def render(self) -> NDArray[np.uint8]:
        return self._world.render()

    def __getattr__(self, name: str) -> Any:
        """What else the world has: what an expert watches, how it holds."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._world, name)
