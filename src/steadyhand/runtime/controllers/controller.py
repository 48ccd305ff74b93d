"""What all controllers are made of: what was seen, what is planned, and the rule when to ask.

A controller of its own name says which rule, how two chunks are joined and how requests go on from
the last one; everything that a tick consists of is here.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from steadyhand.runtime.continuation import Continuation
from steadyhand.runtime.history import History
from steadyhand.runtime.plan import Plan
from steadyhand.runtime.predictor import ChunkRequest, Observation
from steadyhand.spec import PolicySpec

Rule = Callable[[Plan, Observation], int | None]
"""`(plan, what is seen now) → committed`: to ask in this tick, so many actions before the answer
may take over; None not to ask."""


class Controller:
    """Acts in one episode: make a new one for the next, with its own seed.

    What it is given and what it gives are copies. A call that raises leaves what was seen and
    planned as it was: after a refused observation, `action` still gives what was planned for this
    tick.
    """

    def __init__(
        self,
        spec: PolicySpec,
        plan: Plan,
        rule: Rule,
        *,
        continuation: Continuation | None = None,
        waited: Callable[[int], object] = lambda ticks: None,
    ) -> None:
        self.plan, self.history = plan, History(spec)
        self.continuation = continuation
        self._rule, self._waited = rule, waited
        self._open = False

    @property
    def ready(self) -> bool:
        """Whether there is an action for this tick."""
        return self.plan.lasting > 0

    @property
    def source(self) -> int | None:
        """The number of the request whose answer the last action came from."""
        return self.plan.source

    @property
    def coming(self) -> NDArray[np.floating]:
        """What is planned for the ticks to come, as things stand: (ticks, action_size)."""
        return self.plan.coming.copy()

    def request(self, observation: Observation, *, age: int = 0) -> ChunkRequest | None:
        """See one observation, made `age` ticks ago; a request, if a chunk is to be predicted.

        Raises `ConfigurationError` for an observation that does not fit, `NotFiniteError` for one
        that is not finite. A policy that sees `last_action` is told it from here, but for the first
        tick.
        """
        if self._open:
            self.replan()
        self._open = True
        self.plan.tick(age)
        self.history.see(observation, told=self.plan.told_before(age))
        committed = self._rule(self.plan, observation)
        if committed is None:
            return None
        stacked, how = self.history.stacked(), self.continuation
        return self.plan.ask(stacked, committed=committed, continuation=how, age=age)

    def accept(self, chunk: NDArray[np.floating], request: ChunkRequest | None = None) -> None:
        """Take the chunk (horizon, action_size) that answers `request`, by default the latest.

        Between two ticks it is for the next one, which may ask for another at once.
        """
        self.plan.accept(chunk, request)
        # An answer that came from standstill says nothing of those that are waited for in motion.
        if request is not None and request.previous is not None:
            self._waited(self.plan.late + (not self._open))

    def awaits(self, request: ChunkRequest) -> bool:
        """Whether an answer to that request is still of use."""
        return self.plan.awaits(request)

    def lost(self, request: ChunkRequest) -> None:
        """No answer to that request will come: the next tick may ask again."""
        self.plan.lost(request)

    def action(self) -> NDArray[np.floating]:
        """The action of this tick, (action_size,); each call moves on by one tick."""
        if self.ready:
            self._end()
        return self.plan.advance()

    def hold(self) -> NDArray[np.floating] | None:
        """Nothing is planned for this tick: what was told last, None before the first action."""
        self._end()
        told = self.plan.told
        return None if told is None else told.copy()

    def replan(self) -> None:
        """Forget what is planned and asked: for after a pause in which `request` was not called."""
        self.plan.drop()

    def _end(self) -> None:
        """A tick is over; it is one, too, where nothing was seen in it."""
        if not self._open:
            self.plan.tick()
        self._open = False
