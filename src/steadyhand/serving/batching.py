"""One thread a policy that answers the requests of all connections, many at a time.

It waits for others a few milliseconds, and not where nobody is left who could ask. Nothing here
knows of messages; what is asked fits the policy already.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError, NotFiniteError, PredictorError, SteadyhandError
from steadyhand.runtime.predictor import ChunkRequest, Predictor, answers


class Answered(NamedTuple):
    """What became of a request."""

    chunk: NDArray[np.floating]
    """(horizon, action_size)."""
    queued_s: float
    inference_s: float
    batch: int
    """How many were answered together."""


@dataclass(eq=False)
class Asked:
    """A request on its way."""

    request: ChunkRequest
    future: asyncio.Future[Answered]
    at: float = field(default_factory=time.perf_counter)


class Batch(NamedTuple):
    """One run of a policy, for those who count."""

    requests: int
    queued_s: Sequence[float]
    inference_s: float


class Batcher:
    """Answers with `predictors`, one for each size of a batch; they may be exchanged.

    `told` is given every run, from the thread; `failed` every error that is no client's mistake.
    """

    def __init__(
        self,
        predictors: Mapping[int, Predictor],
        *,
        wait_s: float,
        told: Callable[[Batch], object] = lambda batch: None,
        failed: Callable[[Exception], object] = lambda error: None,
    ) -> None:
        self.predictors = dict(predictors)
        self.clients = 0
        """Connections that could ask."""
        self._wait, self._told, self._failed = wait_s, told, failed
        self._queue = deque[Asked]()
        self._calls = deque[tuple[Callable[[], object], asyncio.Future[None]]]()
        self._changed = Condition()
        self._over = False
        self._thread = Thread(target=self._work, name="policy", daemon=True)
        self._thread.start()

    def ask(self, request: ChunkRequest) -> Asked:
        """Begin to answer; called in the event loop, which the answer's future belongs to."""
        asked = Asked(request, asyncio.get_running_loop().create_future())
        with self._changed:
            self._queue.append(asked)
            self._changed.notify()
        return asked

    def call(self, function: Callable[[], object]) -> asyncio.Future[None]:
        """Have the policy's thread do something between two batches; what it raises is raised."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._changed:
            self._calls.append((function, future))
            self._changed.notify()
        return future

    def withdraw(self, asked: Asked) -> bool:
        """Take a request back; False where it is in work already."""
        with self._changed:
            if asked not in self._queue:
                return False
            self._queue.remove(asked)
            return True

    @property
    def waiting(self) -> int:
        """Requests that are not yet in work."""
        return len(self._queue)

    def close(self) -> None:
        """Answer what was asked, then end."""
        with self._changed:
            self._over = True
            self._changed.notify()

    def _work(self) -> None:
        while True:
            predictors, batch = self._next()
            if not batch:
                return
            try:
                outcomes = self._outcomes(predictors, batch)
            except Exception as error:  # nobody would be answered any more
                outcomes = [self._error(error) for _ in batch]
            self._deliver([asked.future for asked in batch], outcomes)

    def _next(self) -> tuple[Mapping[int, Predictor], list[Asked]]:
        """The next requests to be answered together, none where all is over; and by what, which
        may be exchanged for something with other sizes at any time."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._queue or self._calls or self._over)
                while self._calls:
                    self._do(*self._calls.popleft())
                if not self._queue and not self._over:
                    continue
                predictors = self.predictors
                if not self._queue:
                    return predictors, []
                left = self._queue[0].at + self._wait - time.perf_counter()
                if left <= 0 or self._full(max(predictors)):
                    return predictors, self._taken(max(predictors))
                self._changed.wait(left)

    def _full(self, largest: int) -> bool:
        return self._over or len(self._queue) >= min(largest, max(self.clients, 1))

    def _taken(self, largest: int) -> list[Asked]:
        """The earliest request, and those that go on from their last chunk as it does."""
        how = self._queue[0].request.continuation
        taken, left = list[Asked](), deque[Asked]()
        for asked in self._queue:
            alike = len(taken) < largest and asked.request.continuation == how
            (taken if alike else left).append(asked)
        self._queue = left
        return taken

    def _outcomes(
        self, predictors: Mapping[int, Predictor], batch: Sequence[Asked]
    ) -> list[Answered | SteadyhandError]:
        """What becomes of each. Where a batch fails, its halves are tried: one cannot fail all."""
        begun = time.perf_counter()
        size = min(size for size in predictors if size >= len(batch))
        try:
            chunks: Any = answers(predictors[size], [asked.request for asked in batch])
        except Exception as error:
            if len(batch) > 1:
                half = len(batch) // 2
                return [
                    *self._outcomes(predictors, batch[:half]),
                    *self._outcomes(predictors, batch[half:]),
                ]
            return [self._error(error)]
        took = time.perf_counter() - begun
        queued = [begun - asked.at for asked in batch]
        self._told(Batch(len(batch), queued, took))
        return [
            Answered(np.array(chunk), waited, took, len(batch))
            if np.isfinite(chunk).all()
            else NotFiniteError("The policy's answer to this observation is not finite.")
            for chunk, waited in zip(chunks, queued, strict=True)
        ]

    def _error(self, error: Exception) -> SteadyhandError:
        if isinstance(error, ConfigurationError):
            return error  # of the request
        self._failed(error)
        return PredictorError("The policy could not answer; the server's log says why.")

    def _do(self, function: Callable[[], object], future: asyncio.Future[None]) -> None:
        raised: SteadyhandError | None = None
        self._changed.release()
        try:
            function()
        except Exception as error:
            raised = self._error(error)
        finally:
            self._changed.acquire()
        self._deliver([future], [raised])

    def _deliver(
        self,
        futures: Sequence[asyncio.Future[Any]],
        outcomes: Sequence[Answered | SteadyhandError | None],
    ) -> None:
        def give() -> None:
            for future, outcome in zip(futures, outcomes, strict=True):
                if future.done():  # who asked has gone
                    continue
                if isinstance(outcome, Exception):
                    future.set_exception(outcome)
                else:
                    future.set_result(outcome)

        try:
            futures[0].get_loop().call_soon_threadsafe(give)
        except RuntimeError:
            return  # the event loop has ended, and with it everybody who asked
