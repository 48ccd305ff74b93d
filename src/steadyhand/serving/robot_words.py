"""What a robot with openpi's client sends, as a policy takes it: one time step, names of its own
habit, the task as a prompt. History, seed and number of each chunk are kept here, per connection.
"""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from steadyhand.errors import ConfigurationError
from steadyhand.runtime.conversation import checked_history
from steadyhand.runtime.history import History
from steadyhand.runtime.predictor import ChunkRequest
from steadyhand.spec import LAST_ACTION, TASK, PolicySpec

PROMPT = "prompt"


class Listener:
    """One robot's side of a conversation: what it has shown so far."""

    def __init__(self, spec: PolicySpec, *, seed: int) -> None:
        self._spec, self._seed, self._number = spec, seed, 0
        self._history = History(spec)
        self._shapes = {f.key: f.recorded_shape for f in spec.observations}

    def named(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """What the policy sees of a message, under the policy's names.

        `observation/state`, and `state` within `observation`, are `observation.state`, too;
        `prompt` is the task.
        """
        flat = dict(_flat(message))
        alike = {_plain(name): value for name, value in flat.items()}
        if TASK in self._shapes and TASK not in flat and PROMPT in flat:
            flat[TASK] = flat[PROMPT]
        found: dict[str, Any] = {}
        for key in self._shapes:
            value = flat.get(key, alike.get(_plain(key)))
            if value is not None:
                found[key] = np.array(value) if isinstance(value, str | float | int) else value
        if not found or (LAST_ACTION in self._shapes and LAST_ACTION not in found):
            raise ConfigurationError(
                f"The policy sees {', '.join(self._shapes)}; the message has "
                f"{', '.join(flat) or 'nothing'}."
            )
        return found

    def request(self, observation: Mapping[str, Any]) -> ChunkRequest:
        """The request that an observation makes: one time step, or the whole history.

        Raises `ConfigurationError` where it does not fit, `NotFiniteError` where it is not finite.
        """
        steps = self._spec.chunking.obs_steps
        whole = {
            getattr(observation.get(key), "shape", None) == (steps, *shape)
            for key, shape in self._shapes.items()
            if key != TASK
        }
        if whole == {True}:
            told = np.asarray(observation.get(TASK, 0))
            once = {TASK: np.repeat(told[None], steps, axis=0)} if told.ndim == 1 else {}
            seen = checked_history({**observation, **once}, self._spec)
        else:
            self._history.see(observation)
            seen = self._history.stacked()
        self._number += 1
        return ChunkRequest(observation=seen, seed=self._seed, number=self._number - 1)


def _flat(message: Mapping[str, Any], before: str = "") -> list[tuple[str, Any]]:
    """Maps within maps as one, their names joined by a dot."""
    found: list[tuple[str, Any]] = []
    for name, value in message.items():
        if isinstance(value, dict):
            found += _flat(cast(dict[str, Any], value), f"{before}{name}.")
        else:
            found.append((before + name, value))
    return found


def _plain(name: str) -> str:
    return name.replace("/", ".")
