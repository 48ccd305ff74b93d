"""What was seen: the last `obs_steps` observations of an episode, checked, for any controller."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError, NotFiniteError
from steadyhand.runtime.predictor import Observation
from steadyhand.spec import LAST_ACTION, PolicySpec

LARGEST = np.finfo(np.float32).max
"""Policies compute in float32, where a larger number is infinite."""


class History:
    """A ring of arrays for each recorded key. A refused observation leaves it as it was."""

    def __init__(self, spec: PolicySpec) -> None:
        self._spec, self._steps = spec, spec.chunking.obs_steps
        self._rings: dict[str, list[NDArray[Any]]] = {f.key: [] for f in spec.observations}
        self._count = 0

    def see(self, observation: Observation, told: NDArray[np.floating] | None = None) -> None:
        """Keep one observation. `told` is what a policy sees as `last_action`, where it does.

        Raises `ConfigurationError` for one that does not fit, `NotFiniteError` for one that is not
        finite.
        """
        observation = self._checked(observation, told)
        place = self._count % self._steps
        for key, ring in self._rings.items():
            # The one copy of a tick: a camera may fill the same array again.
            seen = observation[key]
            if place == len(ring):
                ring.append(np.array(seen))
            elif ring[place].dtype == seen.dtype:
                np.copyto(ring[place], seen)
            else:
                ring[place] = np.array(seen)
        self._count += 1

    def stacked(self) -> dict[str, NDArray[Any]]:
        """Key → (obs_steps, …), oldest first and the last one now, for the one who asks to keep.

        Before the first `obs_steps` observations the earliest is repeated, as in training.
        """
        steps = range(self._count - self._steps, self._count)
        places = [max(step, 0) % self._steps for step in steps]
        rings = self._rings.items()
        return {key: np.stack([ring[place] for place in places]) for key, ring in rings}

    def _checked(self, observation: Observation, told: NDArray[np.floating] | None) -> Observation:
        given = isinstance(observation, Mapping)  # pyright: ignore[reportUnnecessaryIsInstance]
        if given and LAST_ACTION in self._rings and LAST_ACTION not in observation:
            if told is None:
                raise ConfigurationError(
                    f"This policy sees '{LAST_ACTION}', and before the first tick there was none: "
                    "give it in the first observation, where the robot is told to be then."
                )
            observation = {**observation, LAST_ACTION: told}
        self._spec.check_observation(observation)
        for feature in self._spec.observations:
            seen = observation[feature.key]
            seen = seen if feature.columns == slice(None) else seen[feature.columns]
            if seen.dtype.kind == "f" and not np.all(np.abs(seen) <= LARGEST):
                raise NotFiniteError(
                    f"Observation '{feature.name}' is not a finite number of float32: {seen}. No "
                    "action follows from it; mend the sensor or what reads it."
                )
        return observation
