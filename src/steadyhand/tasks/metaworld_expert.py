"""Who demonstrates in Meta-World: its own scripts, one a task, which see the goal in any case."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import library
from steadyhand.runtime.predictor import Observation


class MetaWorldExpert:
    """Acts in one episode as Meta-World's script for `env` would, in the world that it watches."""

    def __init__(self, env: str) -> None:
        self._script = library("metaworld.policies").ENV_POLICY_MAP[env]()
        self._world: Any = None

    def watch(self, world: Any) -> None:
        """The world of this episode: the script sees more than a policy does."""
        self._world = world

    def act(self, observation: Observation) -> NDArray[np.float64]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a script says at every tick that it moves fast
            move = self._script.get_action(self._world.full_state)
        return self._world.commanded(move)
