"""Where the requests for one policy are handed in: its thread, its greeting and its counters."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from steadyhand.errors import ConfigurationError
from steadyhand.runtime.continuation import Continuation
from steadyhand.runtime.conversation import Greeting, greeted
from steadyhand.runtime.predictor import ChunkRequest, Predictor
from steadyhand.runtime.wire import pack
from steadyhand.serving.batching import Asked, Batch, Batcher
from steadyhand.serving.journal import broke
from steadyhand.serving.metrics import Metrics
from steadyhand.spec import TASK


class Desk:
    """One policy of a server. `predictors` has one for each size of a batch."""

    def __init__(
        self,
        greeting: Greeting,
        predictors: Mapping[int, Predictor],
        metrics: Metrics,
        *,
        wait_s: float,
    ) -> None:
        self.greeting, self.spec, self.name = greeting, greeting.spec, greeting.policy
        self.welcome = pack(greeted(greeting))
        """What everybody is told first."""
        self._metrics = metrics
        self._batcher = Batcher(predictors, wait_s=wait_s, told=self._told, failed=self._failed)

    def ask(self, request: ChunkRequest) -> Asked:
        """Begin to answer a request that fits."""
        return self._batcher.ask(request)

    def withdraw(self, asked: Asked) -> bool:
        """Take a request back; False where it is in work already."""
        return self._batcher.withdraw(asked)

    async def continues(self, how: Continuation) -> None:
        """Raise `ConfigurationError` where chunks cannot go on from the last one so."""
        able = getattr(self._predictor, "continues", None)
        if able is None:
            raise ConfigurationError("This policy does not go on from the last chunk.")
        await self._batcher.call(lambda: able(how))

    async def with_words_known(self, observation: Mapping[str, Any]) -> dict[str, Any]:
        """The observation, its task told by vectors: a text model may take its time for words.

        Raises `ConfigurationError` for a task that the policy does not know.
        """
        told, tasks = observation.get(TASK), self.spec.tasks
        words = np.array(told) if isinstance(told, list | str) else told
        if tasks is None or not isinstance(words, np.ndarray) or words.dtype.kind != "U":
            return dict(observation)
        embed = getattr(self._predictor, "embed", None)
        if embed is None or np.isin(words, tasks.texts).all():
            return {**observation, TASK: tasks.told(words, embed)}
        return {**observation, TASK: await asyncio.to_thread(tasks.told, words, embed)}

    @contextmanager
    def present(self) -> Iterator[None]:
        """While this lasts there is one client more that could ask."""
        self._batcher.clients += 1
        self._metrics.connections.labels(self.name).inc()
        try:
            yield
        finally:
            self._batcher.clients -= 1
            self._metrics.connections.labels(self.name).dec()

    def exchange(self, predictors: Mapping[int, Predictor]) -> None:
        """Answer with these from the next batch on."""
        self._batcher.predictors = dict(predictors)

    def count(self, outcome: str) -> None:
        """One request more of which that became."""
        self._metrics.requests.labels(self.name, outcome).inc()

    def close(self) -> None:
        """Answer what was asked, then end."""
        self._batcher.close()

    @property
    def waiting(self) -> int:
        """Requests that are not yet in work."""
        return self._batcher.waiting

    @property
    def _predictor(self) -> Predictor:
        return next(iter(self._batcher.predictors.values()))

    def _told(self, batch: Batch) -> None:
        self._metrics.batch(self.name, batch)

    def _failed(self, error: Exception) -> None:
        broke("policy-failed", error, policy=self.name)
