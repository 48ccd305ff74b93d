"""What is planned: the chunk in execution, the row that is due, and the request for the next.

Row indices come from `Chunking`; ticks are counted by the actions that were given.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError, NotFiniteError
from steadyhand.runtime.predictor import ChunkRequest, Observation
from steadyhand.sizes import check_array
from steadyhand.spec import PolicySpec
from steadyhand.values import seed as a_seed

Actions = NDArray[np.floating]


class Plan:
    """Actions of one episode, chunk by chunk. `execute` is the policy's own unless given.

    A chunk begins at the row that is meant for the tick in which it is accepted: one that comes k
    ticks after its request, at row k from "now". What it is given and what it gives are copies.
    """

    def __init__(self, spec: PolicySpec, *, execute: int | None = None, seed: int = 0) -> None:
        if not isinstance(spec, PolicySpec):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(
                f"A controller needs the policy's spec, not a {type(spec).__name__}: pass "
                "predictor.spec."
            )
        given = spec.chunking
        self.chunking = given if execute is None else replace(given, execute=execute)
        self.seed = a_seed("seed", seed)
        self.asked = 0
        """Requests so far: the number of the next."""
        self.told: Actions | None = None
        """The action of the tick before."""
        self._shape = spec.chunk_shape
        self._chunk: Actions | None = None
        self._row = 0
        self._latest: int | None = None
        self._waited = self._committed = 0

    @property
    def left(self) -> int:
        """How many actions can still be given without another chunk."""
        return 0 if self._chunk is None else max(self.chunking.executed_rows.stop - self._row, 0)

    def ask(self, stacked: Observation, *, committed: int = 0) -> ChunkRequest:
        """A request for the next chunk, from observations (obs_steps, …) by key.

        So many of the actions that are left, at most `committed`, are given before the answer takes
        over, even where it comes sooner.
        """
        rest = None if self._chunk is None else self._chunk[self._row :].copy()
        self._waited, self._committed = 0, min(committed, self.left)
        self._latest, self.asked = self.asked, self.asked + 1
        return ChunkRequest(
            observation=stacked,
            seed=self.seed,
            number=self._latest,
            previous=rest,
            committed=self._committed,
        )

    def accept(self, chunk: Actions, request: ChunkRequest | None = None) -> None:
        """Take a chunk (horizon, action_size), the answer to `request`.

        Raises `ConfigurationError` for an answer to another request than the latest, or to one
        before `drop`, and for another shape; `NotFiniteError` for numbers that are not finite.
        """
        check_array("chunk", chunk)
        if request is not None and (request.seed, request.number) != (self.seed, self._latest):
            latest = "none" if self._latest is None else f"{self._latest} of seed {self.seed}"
            raise ConfigurationError(
                f"This chunk answers request {request.number} of seed {request.seed}, and what is "
                f"waited for is {latest}. Drop an answer that comes too late; hand every other one "
                "to the controller that asked."
            )
        if chunk.shape != self._shape:
            raise ConfigurationError(
                f"The predictor answered with a chunk of shape {chunk.shape}; "
                f"this policy's are {self._shape} (horizon, action)."
            )
        if not np.all(np.isfinite(chunk)):
            raise NotFiniteError(
                "The predictor answered with numbers that are not finite. Use another checkpoint; "
                "evaluate it before it drives a robot."
            )
        taken = np.array(chunk)
        row = self.chunking.executed_rows.start + self._waited
        if self._chunk is not None and self._committed > self._waited:
            kept = self._chunk[self._row :][: self._committed - self._waited]
            taken[row : row + len(kept)] = kept
        self._chunk, self._row = taken, row

    def advance(self) -> Actions:
        """The action of this tick, (action_size,); each call moves on by one tick."""
        if self._chunk is None or not self.left:
            raise ConfigurationError(
                "There is no action for this tick: call request(observation), answer it with "
                "accept(chunk), then action(), once a tick."
            )
        action = self.told = self._chunk[self._row]
        self._row += 1
        self._waited += 1
        return action.copy()

    def drop(self) -> None:
        """Forget the chunk and the request: nobody knows how many ticks ago they were meant for."""
        self._chunk = self._latest = None
        self._waited = self._committed = 0
