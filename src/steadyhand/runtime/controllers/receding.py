"""Receding-horizon control: execute a part of each chunk, then ask for the next."""

import numpy as np
from numpy.typing import NDArray

from steadyhand.runtime.history import History
from steadyhand.runtime.plan import Plan
from steadyhand.runtime.predictor import ChunkRequest, Observation
from steadyhand.spec import PolicySpec
from steadyhand.values import named


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
        self.plan = Plan(spec, execute=execute, seed=seed)
        self.history = History(spec)
        self._begun = False

    def replan(self) -> None:
        """Drop the rest of the chunk: for after a pause in which `request` was not called."""
        self.plan.drop()

    def request(self, observation: Observation) -> ChunkRequest | None:
        """See one observation; a request, if the next action needs a new chunk.

        Raises `ConfigurationError` for an observation that does not fit, `NotFiniteError` for one
        that is not finite. A policy that sees `last_action` is told it from here, but for the first
        tick.
        """
        if self._begun:
            self.replan()
        self._begun = True
        self.history.see(observation, told=self.plan.told)
        return None if self.plan.left else self.plan.ask(self.history.stacked())

    def accept(self, chunk: NDArray[np.floating], request: ChunkRequest | None = None) -> None:
        """Take the chunk (horizon, action_size) that answers `request`, if that is the latest.

        It need not be named: here the next action waits for it, so that there is one at a time.
        """
        self.plan.accept(chunk, request)

    def action(self) -> NDArray[np.floating]:
        """The action of this tick, (action_size,); each call moves on by one tick."""
        action = self.plan.advance()
        self._begun = False
        return action
