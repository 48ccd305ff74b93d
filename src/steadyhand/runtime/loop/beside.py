"""Prediction beside the control thread: ask, go on, and look later what has come.

In a thread of its own, or in simulated time, where an answer comes exactly when it is said to. What
an answer is good for is not decided here.
"""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from steadyhand.errors import ConfigurationError, PredictorError
from steadyhand.runtime.continuation import Continuation
from steadyhand.runtime.loop.clock import Clock, SystemClock
from steadyhand.runtime.loop.timing import own_copy
from steadyhand.runtime.loop.undisturbed import PREDICTION, before_others
from steadyhand.runtime.predictor import ChunkRequest, Predictor, answers
from steadyhand.spec import PolicySpec

CLOSING_SECONDS = 1.0
"""How long the thread is waited for in the end; a prediction that hangs is left behind."""


class Answer(NamedTuple):
    """What became of a request."""

    request: ChunkRequest
    chunk: Any
    """(horizon, action_size) as the predictor gave it; None where it gave none."""
    error: Exception | None
    """What it raised instead."""
    seconds: float
    """From the question to the answer."""
    passed_over: bool = False
    """Whether it was never tried, since a newer request was waiting."""


class Beside(Protocol):
    """Who predicts while the loop goes on."""

    @property
    def spec(self) -> PolicySpec: ...

    def ask(self, request: ChunkRequest) -> None:
        """Begin to answer; returns at once."""
        ...

    def answers(self) -> list[Answer]:
        """What has come since the last call, the earliest first; returns at once."""
        ...

    def close(self) -> None:
        """Nothing will be asked any more."""
        ...


class InThread:
    """Predicts in a thread of its own, one request at a time, the newest first.

    Where several wait, the older ones are passed over: the robot has seen more since. An `urgent`
    thread goes before all that are not, as the system's scheduler has it. Where chunks are to go on
    from the last one (`continuation`), that is tried before the first is handed out: whatever is
    slow the first time is done while the robot stands still.
    """

    def __init__(
        self,
        predictor: Predictor,
        clock: Clock | None = None,
        *,
        urgent: bool = False,
        continuation: Continuation | None = None,
    ) -> None:
        self.predictor, self._urgent = predictor, urgent
        self._untried = continuation
        self._clock = SystemClock() if clock is None else clock
        self._waiting: deque[tuple[ChunkRequest, float]] = deque()
        self._come: deque[Answer] = deque()
        self._wake = threading.Event()
        self._over = False
        self._thread: threading.Thread | None = None

    @property
    def spec(self) -> PolicySpec:
        return self.predictor.spec

    def ask(self, request: ChunkRequest) -> None:
        self._over = False  # who was closed is begun anew
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work, name="prediction", daemon=True)
            self._thread.start()
        self._waiting.append((request, self._clock.now()))
        self._wake.set()

    def answers(self) -> list[Answer]:
        return [self._come.popleft() for _ in range(len(self._come))]

    def close(self) -> None:
        self._over = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(CLOSING_SECONDS)

    def _work(self) -> None:
        with before_others(PREDICTION) if self._urgent else nullcontext():
            self._answer()

    def _answer(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while self._waiting and not self._over:
                for _ in range(len(self._waiting) - 1):
                    older, asked = self._waiting.popleft()
                    since = self._clock.now() - asked
                    self._come.append(Answer(older, None, None, since, passed_over=True))
                request, asked = self._waiting.popleft()
                chunk, error = self._tried(request)
                if self._untried is not None and error is None:
                    error = self._warm_up(request, chunk)
                self._come.append(Answer(request, chunk, error, self._clock.now() - asked))
            if self._over:
                return

    def _tried(self, request: ChunkRequest) -> tuple[Any, Exception | None]:
        """The chunk, or what was raised: nothing ends this thread, for which the robot waits."""
        try:
            return _predicted(self.predictor, request)
        except BaseException as error:
            said = f"{type(error).__name__}: {error}".rstrip(": ")
            return None, PredictorError(f"The predictor ended with {said}.")

    def _warm_up(self, request: ChunkRequest, chunk: Any) -> Exception | None:
        """Go on from the first chunk once, for nothing; what that raised."""
        how, self._untried = self._untried, None
        if np.shape(chunk) != self.spec.chunk_shape:
            return None  # the controller refuses it
        rest = chunk[self.spec.chunking.past_rows :]
        again = replace(request, previous=rest, committed=1, continuation=how)
        return self._tried(again)[1]


class Simulated:
    """Predicts at once and answers later: `latency` gives the seconds, or None for never.

    Everything happens in the control thread and by `clock`, so that it repeats to the last bit.
    """

    def __init__(
        self,
        predictor: Predictor,
        clock: Clock,
        latency: Callable[[ChunkRequest], float | None] = lambda request: 0.0,
    ) -> None:
        self.predictor, self._clock, self._latency = predictor, clock, latency
        self._coming: list[tuple[float, Answer]] = []

    @property
    def spec(self) -> PolicySpec:
        return self.predictor.spec

    def ask(self, request: ChunkRequest) -> None:
        seconds = self._latency(request)
        if seconds is None:
            return
        if not seconds >= 0:
            raise ConfigurationError(f"A latency is {seconds}; it is a number of seconds, or None.")
        chunk, error = _predicted(self.predictor, request)
        due = self._clock.now() + seconds
        self._coming.append((due, Answer(request, chunk, error, seconds)))

    def answers(self) -> list[Answer]:
        now = self._clock.now() + 1e-9  # sums of periods and latencies are not exact
        come = sorted((each for each in self._coming if each[0] <= now), key=lambda each: each[0])
        self._coming = [each for each in self._coming if each[0] > now]
        return [answer for _, answer in come]

    def close(self) -> None:
        self._coming.clear()


def _predicted(predictor: Predictor, request: ChunkRequest) -> tuple[Any, Exception | None]:
    try:
        chunk: Any = answers(predictor, [request])[0]
        return own_copy(chunk), None
    except Exception as error:
        return None, error
