"""A task's world as a robot: what drives a robot drives it, one tick at each action."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.runtime.predictor import Observation
from steadyhand.tasks.task import Scores, Task, stepped, world_of


class WorldRobot:
    """One episode of a task, with the initial state of `seed`, the task's first unless given.

    The world stands still while nothing is told. After its last tick, or the task's `max_steps`, it
    is `over`, and what is told then does nothing.
    """

    def __init__(self, task: Task, seed: int | None = None) -> None:
        self._world = world_of(task, but=("state", "render"))
        self._seen = self._world.reset(task.first_seed if seed is None else seed)
        self._left = task.max_steps
        self.over = False

    def observe(self) -> Observation:
        return self._seen

    def act(self, action: NDArray[Any]) -> None:
        if not self.over:
            self._seen, ended = stepped(self._world, action)
            self._left -= 1
            self.over = ended or not self._left

    def hold(self, last: NDArray[np.floating]) -> NDArray[np.floating]:
        """The action for a tick in which nothing is planned: the last, unless the world says."""
        own = getattr(self._world, "hold", None)
        return last if own is None else own(last)

    def scores(self) -> Scores:
        """The outcome so far."""
        return self._world.scores()
