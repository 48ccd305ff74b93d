"""What is planned: the chunk in execution, the row that is due, and the request for the next.

Row indices come from `Chunking`. Time is counted by the actions that were given: a tick in which
the robot waits moves nothing on.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError, NotFiniteError
from steadyhand.runtime.continuation import Continuation
from steadyhand.runtime.predictor import ChunkRequest, Observation
from steadyhand.sizes import check_array
from steadyhand.spec import PolicySpec
from steadyhand.values import seed as a_seed

Actions = NDArray[np.floating]
Join = Callable[[Actions, Actions], Actions]
"""`(old (n, A), new (m, A)) → rows (…, A)`: what is planned from now on, of what was and came."""


def switch(old: Actions, new: Actions) -> Actions:
    """What the new chunk says, from its first row on."""
    return new


class Plan:
    """Actions of one episode, chunk by chunk. `execute` is the policy's own unless given.

    A chunk begins at the row that is meant for the tick in which it is accepted: one that comes
    after k actions were given since its observation, at row k from "now". `join` makes one of the
    rest of the old chunk and the new one; `overrun` lets the rows after those that are to be
    executed be given as well, while the next chunk is late; `every` answer is waited for, also
    where a later one has come. No request has more than `most` committed rows. What it is given and
    what it gives are copies.
    """

    def __init__(
        self,
        spec: PolicySpec,
        *,
        execute: int | None = None,
        seed: int = 0,
        join: Join = switch,
        overrun: bool = False,
        every: bool = False,
        most: int | None = None,
    ) -> None:
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
        """The action that was given last."""
        self.source: int | None = None
        """The number of the request that it came from."""
        self.age = 0
        """How many ticks ago what is seen was made."""
        self.late = 0
        """How many ticks passed between the last answer and its request."""
        self._shape, self._join, self._transform = spec.chunk_shape, join, spec.transform
        self._overrun, self._every, self._most = overrun, every, most
        self._rows: Actions = np.zeros((0, self._shape[1]))
        """What is planned from now on."""
        self._sources: list[int | None] = []
        """Which request each of them answers."""
        self._until = 0
        """When so many actions were given, the chunk has been executed as far as it is to be."""
        self._given = self._tick = 0
        self._log: deque[tuple[int, Actions]] = deque(maxlen=given.horizon)
        """(tick, action) of the last that were given."""
        self._waiting: dict[int, tuple[int, int, int]] = {}
        """Number of a request → (actions given before its now, committed since, tick)."""

    @property
    def left(self) -> int:
        """How many actions are to be given before the next chunk takes over."""
        return max(0, min(self._until - self._given, len(self._rows)))

    @property
    def lasting(self) -> int:
        """How many actions could be given without another chunk."""
        return len(self._rows) if self._overrun else self.left

    @property
    def coming(self) -> Actions:
        """What these are, as things stand: (lasting, action_size), in the plan's own memory."""
        return self._rows[: self.lasting]

    @property
    def waiting(self) -> bool:
        """Whether an answer is on its way."""
        return bool(self._waiting)

    def told_before(self, age: int) -> Actions | None:
        """What was told last when the observation of `age` ticks ago was made; None before."""
        if not age or not self._log:
            return self.told
        earlier = [action for tick, action in self._log if tick < self._tick - age]
        return earlier[-1] if earlier else None

    def tick(self, age: int = 0) -> None:
        """A tick begins, in which is seen what was `age` ticks ago; who never says so has an action
        given in every one of them."""
        self._tick, self.age = self._tick + 1, age

    def ask(
        self,
        stacked: Observation,
        *,
        committed: int = 0,
        continuation: Continuation | None = None,
        age: int = 0,
    ) -> ChunkRequest:
        """A request for the next chunk, from observations (obs_steps, …) by key.

        So many of the actions that are planned, at most `committed`, are given before the answer
        takes over, even where it comes sooner. `age` is how many ticks ago the last observation was
        made: what was given since is committed, too.
        """
        since = [action for tick, action in self._log if age and tick >= self._tick - age]
        rest = np.concatenate([since, self._rows]) if since else self._rows.copy()
        ahead = len(since) + min(committed, self.lasting)
        ahead = ahead if self._most is None else min(ahead, self._most)
        number, self.asked = self.asked, self.asked + 1
        self._waiting[number] = self._given - len(since), ahead, self._tick
        return ChunkRequest(
            observation=stacked,
            seed=self.seed,
            number=number,
            previous=rest if len(rest) else None,
            committed=ahead,
            continuation=continuation if len(rest) else None,
        )

    def accept(self, chunk: Actions, request: ChunkRequest | None = None) -> None:
        """Take a chunk (horizon, action_size), the answer to `request`, by default the latest.

        Answers to requests before it are then waited for no more, but for `every`. Raises
        `ConfigurationError` for an answer that is not waited for, and for another shape;
        `NotFiniteError` for numbers that are not finite.
        """
        check_array("chunk", chunk)
        number = self._number(request)
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
        begin, committed, tick = self._waiting.get(number, (self._given, 0, self._tick))
        self._waiting = {
            n: asked
            for n, asked in self._waiting.items()
            if n > number or (self._every and n != number)
        }
        self.late = self._tick - tick
        passed = self._given - begin
        new = np.array(chunk)[self.chunking.past_rows :][passed:]
        kept = min(max(committed - passed, 0), self.lasting)
        joined = self._join(self._rows[kept:], new[kept:])
        self._sources = self._sources[:kept] + [number] * len(joined)
        self._rows = np.concatenate([self._rows[:kept], joined]) if kept else joined
        self._until = self._given + kept + min(self.chunking.execute, len(joined))

    def awaits(self, request: ChunkRequest) -> bool:
        """Whether an answer to that request could still be accepted."""
        return request.seed == self.seed and request.number in self._waiting

    def advance(self) -> Actions:
        """The action of this tick, (action_size,)."""
        if not self.lasting:
            raise ConfigurationError(
                "There is no action for this tick: call request(observation), answer it with "
                "accept(chunk), then action(), once a tick."
            )
        action = self._rows[0]
        if self.told is not None:  # q and -q are one rotation; in numbers it is no jump, either
            action = self._transform.aligned(action, self.told)
        self.told = action
        self.source = self._sources[0]
        self._rows, self._sources = self._rows[1:], self._sources[1:]
        self._log.append((self._tick, action))
        self._given += 1
        return action.copy()

    def lost(self, request: ChunkRequest) -> None:
        """The answer to that request will not come. One that is not waited for is ignored."""
        if request.seed == self.seed:
            self._waiting.pop(request.number, None)

    def drop(self) -> None:
        """Forget the chunk and the requests: nobody knows how long ago they were meant for."""
        self._rows, self._sources = self._rows[:0], []
        self._waiting.clear()
        self._log.clear()

    def _number(self, request: ChunkRequest | None) -> int:
        """The request that is answered. Raises `ConfigurationError` where it is not waited for."""
        if request is None:
            return max(self._waiting, default=self.asked)
        if self.awaits(request):
            return request.number
        waited = ", ".join(map(str, self._waiting))
        said = f"{waited} of seed {self.seed}" if waited else "none"
        raise ConfigurationError(
            f"This chunk answers request {request.number} of seed {request.seed}, and what is "
            f"waited for is {said}. Drop an answer that comes too late; hand every other one "
            "to the controller that asked."
        )
