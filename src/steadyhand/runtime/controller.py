"""Receding-horizon control: execute a part of each chunk, then ask for the next.

All mutable state of acting lives here, so that a rollout can batch the requests of many
environments and a real-time loop can overlap them. Row indices come from `Chunking`.
"""

from collections import deque
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError, NotFiniteError
from steadyhand.runtime.predictor import ChunkRequest, Observation
from steadyhand.spec import LAST_ACTION, PolicySpec, check_mapping
from steadyhand.values import check_array, named
from steadyhand.values import seed as a_seed

LARGEST = np.finfo(np.float32).max
"""Policies compute in float32, where a larger number is infinite."""


class ChunkController(Protocol):
    """One tick is: `request` with what is seen, `accept` if it asked, then `action`."""

    def request(self, observation: Observation) -> ChunkRequest | None: ...
    def accept(self, chunk: NDArray[np.floating]) -> None: ...
    def action(self) -> NDArray[np.floating]: ...


@named
class RecedingHorizon:
    """Executes `execute` actions of each chunk, then predicts again from the latest observations.

    `execute` is the policy's own unless given. One controller serves one episode: make a new one
    for the next, with its own seed. What it is given and what it gives are copies.

    A call that raises leaves what was seen and planned as it was: after a refused observation,
    `action` still gives what was planned for this tick. Where a tick ends without its action, only
    the caller knows how long ago that was: the next `request` asks for a new chunk, whose action is
    meant for then.
    """

    def __init__(self, spec: PolicySpec, *, execute: int | None = None, seed: int = 0) -> None:
        if not isinstance(spec, PolicySpec):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(
                f"A controller needs the policy's spec, not a {type(spec).__name__}: pass "
                "predictor.spec."
            )
        self.spec = spec
        self.chunking = (
            spec.chunking if execute is None else replace(spec.chunking, execute=execute)
        )
        self.seed = a_seed("seed", seed)
        self.chunks = 0
        self._keys = tuple(dict.fromkeys(feature.key for feature in spec.observations))
        self._history: deque[dict[str, NDArray[Any]]] = deque(maxlen=self.chunking.obs_steps)
        self._chunk: NDArray[np.floating] | None = None
        self._row = 0
        self._begun = False
        self._told: NDArray[np.floating] | None = None

    def replan(self) -> None:
        """Drop the rest of the chunk: for after a pause in which `request` was not called."""
        self._chunk = None

    def request(self, observation: Observation) -> ChunkRequest | None:
        """See one observation; a request, if the next action needs a new chunk.

        Raises `ConfigurationError` for an observation that does not fit, `NotFiniteError` for one
        that is not finite. Before the first `obs_steps` observations the earliest is repeated, as
        in training. A policy that sees `last_action` is told it from here, but for the first tick.
        """
        if self._begun:
            self.replan()
        self._begun = True
        now = self._seen(observation)
        while len(self._history) < self.chunking.obs_steps - 1:
            self._history.append(now)
        self._history.append(now)
        if self._chunk is not None and self._row < self.chunking.executed_rows.stop:
            return None
        stacked = {key: np.stack([seen[key] for seen in self._history]) for key in self._keys}
        rest = None if self._chunk is None else self._chunk[self._row :].copy()
        return ChunkRequest(observation=stacked, seed=self.seed, number=self.chunks, previous=rest)

    def _seen(self, observation: Observation) -> dict[str, NDArray[Any]]:
        """The controller's own copy of an observation, checked."""
        check_mapping(observation, self.spec.observations)
        if LAST_ACTION in self._keys and LAST_ACTION not in observation:
            if self._told is None:
                raise ConfigurationError(
                    f"This policy sees '{LAST_ACTION}', and before the first tick there was none: "
                    "give it in the first observation, where the robot is told to be then."
                )
            observation = {**observation, LAST_ACTION: self._told}
        self.spec.check_observation(observation)
        for feature in self.spec.observations:
            seen = observation[feature.key]
            seen = seen if feature.columns == slice(None) else seen[feature.columns]
            if seen.dtype.kind == "f" and not np.all(np.abs(seen) <= LARGEST):
                raise NotFiniteError(
                    f"Observation '{feature.name}' is not a finite number of float32: {seen}. No "
                    "action follows from it; mend the sensor or what reads it."
                )
        return {key: np.array(observation[key]) for key in self._keys}

    def accept(self, chunk: NDArray[np.floating]) -> None:
        """Take the chunk that was asked for, (horizon, action_size)."""
        check_array("chunk", chunk)
        if chunk.shape != self.spec.chunk_shape:
            raise ConfigurationError(
                f"The predictor answered with a chunk of shape {chunk.shape}; "
                f"this policy's are {self.spec.chunk_shape} (horizon, action)."
            )
        if not np.all(np.isfinite(chunk)):
            raise NotFiniteError(
                "The predictor answered with numbers that are not finite. Use another checkpoint; "
                "evaluate it before it drives a robot."
            )
        self._chunk = np.array(chunk)
        self._row = self.chunking.executed_rows.start
        self.chunks += 1

    def action(self) -> NDArray[np.floating]:
        """The action of this tick, (action_size,); each call moves on by one tick."""
        if self._chunk is None or self._row >= self.chunking.executed_rows.stop:
            raise ConfigurationError(
                "There is no action for this tick: call request(observation), answer it with "
                "accept(chunk), then action(), once a tick."
            )
        action = self._told = self._chunk[self._row]
        self._row += 1
        self._begun = False
        return action.copy()
