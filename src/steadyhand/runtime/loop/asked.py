"""The requests that are on their way, and what becomes of each: its answer is used, or it is lost.

Who predicts is `beside.py`, when to ask is the controller's.
"""

from typing import NamedTuple

from steadyhand.errors import ConfigurationError, NotFiniteError, PredictorError
from steadyhand.runtime.loop.beside import Answer, Beside
from steadyhand.runtime.loop.clock import Clock
from steadyhand.runtime.loop.patience import Patience
from steadyhand.runtime.loop.report import Tally
from steadyhand.runtime.predictor import ChunkController, ChunkRequest


class _Open(NamedTuple):
    """A request that waits for its answer."""

    request: ChunkRequest
    at: float
    tick: int
    given: int


class Asked:
    """Hands requests to who predicts, and answers to the controller; counts what went wrong."""

    def __init__(
        self,
        beside: Beside,
        controller: ChunkController,
        clock: Clock,
        patience: Patience,
        tally: Tally,
    ) -> None:
        self._beside, self._controller, self._clock = beside, controller, clock
        self._patience, self._tally = patience, tally
        self._open: list[_Open] = []
        self._tick = self._failures = 0
        self._begun = False
        """Whether any answer came."""
        self._since: float | None = None
        """Since when nothing was heard that was waited for."""

    def begin(self) -> None:
        """A tick begins: use what has come before the controller decides what to ask for.

        Raises as `take`.
        """
        self._tick += 1
        self.take()

    def ask(self, request: ChunkRequest, given: int) -> None:
        """Ask for a chunk; so many actions were given before its observation."""
        now = self._clock.now()
        if self._since is None:
            self._since = now
        self._open.append(_Open(request, now, self._tick, given))
        self._tally.asked += 1
        self._beside.ask(request)

    def take(self) -> None:
        """Use the answers that have come, and give up those that take too long.

        Raises what a predictor raised that fails again and again, `PredictorError` where it is
        silent, and `ConfigurationError` at once for an answer that can never fit.
        """
        for answer in self._beside.answers():
            found = next((o for o in self._open if o.request is answer.request), None)
            if found is not None:  # what was given up before is no longer of use
                self._open.remove(found)
            if not answer.passed_over:
                self._begun, self._since = True, self._clock.now() if self._open else None
            if found is not None:
                self._use(found, answer)
        self._give_up()

    def overdue(self, given: int) -> bool:
        """Whether an answer is on its way that was to take over by now, after so many actions."""
        return any(given - each.given >= each.request.committed for each in self._open)

    def _use(self, found: _Open, answer: Answer) -> None:
        if answer.passed_over:
            self._tally.lost += 1
            self._controller.lost(found.request)
            return
        self._tally.latency_ms.add(1000 * answer.seconds)
        error = answer.error
        awaits = getattr(self._controller, "awaits", lambda request: True)  # pyright: ignore
        if error is None and not awaits(found.request):
            self._tally.lost += 1  # a newer answer came first, or the plan was dropped
            return
        if error is None:
            try:
                self._controller.accept(answer.chunk, found.request)
            except NotFiniteError as refused:
                error = refused
            else:
                self._failures = 0
                self._tally.came_late_by(self._tick - found.tick)
                return
        self._tally.failed += 1
        self._fail(found.request, error)

    def _give_up(self) -> None:
        now, patience = self._clock.now(), self._patience
        longest = patience.predictor_s if self._begun else patience.first_s
        silent = 0.0 if self._since is None else now - self._since
        if silent > longest:
            raise PredictorError(
                f"The predictor has not answered for {silent:.3g} s. Look whether it "
                "still runs; where it only takes long, give the loop more patience, as "
                f"patience=Patience(predictor_s={3 * longest:g})."
            )
        longest = patience.answer_s if self._begun else patience.first_s
        for late in [each for each in self._open if now - each.at > longest]:
            self._open.remove(late)
            self._tally.lost += 1
            self._fail(late.request, PredictorError(f"No answer came within {longest:g} s."))

    def _fail(self, request: ChunkRequest, error: Exception) -> None:
        self._controller.lost(request)
        self._failures += 1
        if isinstance(error, ConfigurationError) or self._failures > self._patience.failures:
            raise error
