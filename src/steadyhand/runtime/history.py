"""What was seen: the last `obs_steps` observations of an episode, checked, for any controller."""

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError, NotFiniteError
from steadyhand.runtime.predictor import Observation
from steadyhand.spec import LAST_ACTION, Feature, PolicySpec

LARGEST = np.finfo(np.float32).max
"""Policies compute in float32, where a larger number is infinite."""


def tells(feature: Feature, seen: NDArray[Any]) -> bool:
    """Whether an action can follow from what was seen of a feature, at one time step or several.

    Numbers are finite; where depth was not measured there is none, and a cloud has one point.
    """
    if seen.dtype.kind != "f" or feature.kind == "depth":
        return True
    finite = np.abs(seen) <= LARGEST
    return bool(np.all(finite.all(-1).any(-1) if feature.kind == "points" else finite))


class History:
    """The observations of the last ticks, each a copy. A refused one leaves it as it was."""

    def __init__(self, spec: PolicySpec) -> None:
        self._spec = spec
        self._keys = tuple(dict.fromkeys(feature.key for feature in spec.observations))
        self._seen: deque[Observation] = deque(maxlen=spec.chunking.obs_steps)

    def see(self, observation: Observation, told: NDArray[np.floating] | None = None) -> None:
        """Keep one observation. `told` is what a policy sees as `last_action`, where it does; None
        where that has not changed since the one before.

        Before the first `obs_steps` observations the earliest is repeated, as in training. Raises
        `ConfigurationError` for one that does not fit, `NotFiniteError` for one that is not finite.
        """
        observation = self._checked(observation, told)
        # The one copy of a tick: a camera may fill the same array again. A new array is as fast as
        # an old one filled anew, and the allocator then has warm memory for what is stacked.
        now = {key: np.array(observation[key]) for key in self._keys}
        self._seen.extend([now] * max(1, self._spec.chunking.obs_steps - len(self._seen)))

    def stacked(self) -> dict[str, NDArray[Any]]:
        """Key → (obs_steps, …), oldest first and the last one now, for the one who asks to keep."""
        return {key: np.stack([seen[key] for seen in self._seen]) for key in self._keys}

    def _checked(self, observation: Observation, told: NDArray[np.floating] | None) -> Observation:
        given = isinstance(observation, Mapping)  # pyright: ignore[reportUnnecessaryIsInstance]
        if given and LAST_ACTION in self._keys and LAST_ACTION not in observation:
            if told is None and self._seen:
                told = self._seen[-1][LAST_ACTION]
            if told is None:
                raise ConfigurationError(
                    f"This policy sees '{LAST_ACTION}', and before the first tick there was none: "
                    "give it in the first observation, where the robot is told to be then."
                )
            observation = {**observation, LAST_ACTION: told}
        self._spec.check_observation(observation)
        for feature in self._spec.observations:
            seen = np.asarray(observation[feature.key])
            seen = seen if feature.columns == slice(None) else seen[feature.columns]
            if not tells(feature, seen):
                raise NotFiniteError(
                    f"Observation '{feature.name}' is not a finite number of float32: {seen}. No "
                    "action follows from it; mend the sensor or what reads it."
                )
        return observation
