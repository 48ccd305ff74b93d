"""A predictor around an engine, which is arrays to arrays: torch, an exported graph, a remote one.

Noise, padding and batches are decided here. A matrix product gives other last bits at another
batch size, so every call has the same one, or one that was found to give the same bits: a chunk is
then the same whether it is asked for alone or among fifty others.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError
from steadyhand.runtime.continuation import Continuation, Continued, aligned, soft_weights
from steadyhand.runtime.predictor import ChunkRequest, chunk_noise
from steadyhand.spec import TASK, PolicySpec
from steadyhand.task_table import Embed
from steadyhand.values import shown, whole

TELLING = 64
"""So many numbers agree to the last bit where sums are in the same order, and by no chance else."""


class Engine(Protocol):
    """What computes chunks from observations and noise."""

    @property
    def spec(self) -> PolicySpec: ...

    @property
    def noise_rows(self) -> int:
        """Chunks of noise that one chunk takes: 1, and one more for each step that adds noise."""
        ...

    @property
    def exact(self) -> Collection[str]:
        """The keys whose numbers are taken in float64, where they were recorded so."""
        ...

    def __call__(
        self,
        observation: Mapping[str, NDArray[Any]],
        noise: NDArray[np.float32],
        step_noise: NDArray[np.float32] | None,
        continued: Continued | None = None,
    ) -> NDArray[np.floating]:
        """Key → (B, obs_steps, …) and noise (B, H, N), (B, steps, H, N) → actions (B, H, A).

        N numbers are what the network has for an action, `spec.network_size`. `continued` is given
        where `continues` raised nothing.
        """
        ...


class EnginePredictor:
    """Answers requests with an engine. The noise of a chunk depends on its request alone.

    `batch` is 1 on a robot, larger where many environments are stepped together. `smaller` are
    sizes for fewer requests: one is taken once it gave, for a whole batch of its own, the very bits
    that `batch` gives. In float32 that tells, since the order in which numbers are added depends
    on sizes and not on the numbers; coarser precisions may hide another order, and should have
    none.

    Requests that go on from the last chunk in the same way are answered together, others beside
    them. `embed` makes the vectors of tasks whose words the policy does not know.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        batch: int = 1,
        smaller: Sequence[int] = (),
        embed: Embed | None = None,
    ) -> None:
        self.engine, self.batch, self.embed = engine, whole("batch", batch), embed
        self._smaller = [size for size in sorted(smaller) if size < self.batch]
        # A way to continue computes other products than a plain chunk does.
        self._agrees: dict[tuple[type, int], bool | None] = {}

    @property
    def spec(self) -> PolicySpec:
        return self.engine.spec

    def predict(self, requests: Sequence[ChunkRequest]) -> NDArray[np.floating]:
        """Chunks (requests, horizon, action_size) in robot units, as exact as they were recorded.

        They are float32, or float64 where the robot's numbers lie far from zero for their range.
        """
        given: Sequence[Any] = requests if isinstance(requests, Sequence) else [None]  # pyright: ignore
        if not all(isinstance(request, ChunkRequest) for request in given):
            raise ConfigurationError(
                f"A predictor answers a list of requests, not {shown(requests)}: "
                "predict([controller.request(observation)])."
            )
        alike: dict[Continuation | None, list[int]] = {}
        for place, request in enumerate(requests):
            alike.setdefault(request.continuation, []).append(place)
        if not alike:
            return np.zeros((0, *self.spec.chunk_shape), np.float32)
        places = list(chain.from_iterable(alike.values()))
        parts = [
            self._predict([requests[place] for place in some[start : start + self.batch]])
            for some in alike.values()
            for start in range(0, len(some), self.batch)
        ]
        return np.concatenate(parts)[np.argsort(places)]

    def continues(self, how: Continuation) -> None:
        """Raise `ConfigurationError` where chunks cannot go on from the last one so."""
        able = getattr(self.engine, "continues", None)
        if able is None:
            raise ConfigurationError(
                f"{type(self.engine).__name__} does not go on from the last chunk. Asynchronous "
                "and Blend need nothing of a policy."
            )
        able(how)

    def _predict(self, requests: Sequence[ChunkRequest]) -> NDArray[np.floating]:
        for request in requests:
            self.spec.check_observation(request.observation, lead=1)
        many = len(requests)
        told = many * math.prod(self.spec.chunk_shape) >= TELLING
        for size in self._smaller:
            agrees = self._agrees.get((type(requests[0].continuation), size))
            if size >= many and (agrees or (agrees is None and told)):
                return self._tried(requests, size)[:many]
        return self._answers(requests, self.batch)[:many]

    def _tried(self, requests: Sequence[ChunkRequest], size: int) -> NDArray[np.floating]:
        """Answers of a smaller size; where nobody knows yet whether it agrees, of the usual one."""
        few, case = self._answers(requests, size), (type(requests[0].continuation), size)
        if self._agrees.get(case):
            return few
        answers = self._answers(requests, self.batch)
        # Numbers that are cut off at a bound hide what came before.
        varied = 2 * len(np.unique(few[: len(requests)])) > few[: len(requests)].size
        self._agrees[case] = varied and np.array_equal(few, answers[:size])
        return answers

    def _answers(self, requests: Sequence[ChunkRequest], size: int) -> NDArray[np.floating]:
        """What the engine answers to a batch of that size, also to the rows that only fill it."""
        keys = dict.fromkeys(feature.key for feature in self.spec.observations)
        observation = {
            key: _batch([self._seen(key, r) for r in requests], size, key in self.engine.exact)
            for key in keys
        }
        shape = (self.engine.noise_rows, *self.spec.noise_shape)
        noise = _batch([chunk_noise(r.seed, r.number, shape) for r in requests], size)
        step_noise = noise[:, 1:] if self.engine.noise_rows > 1 else None
        how = requests[0].continuation
        if how is None:
            return self.engine(observation, noise[:, 0], step_noise)
        self.continues(how)
        continued = self._continued(how, requests, size)
        return self.engine(observation, noise[:, 0], step_noise, continued)

    def _continued(
        self, how: Continuation, requests: Sequence[ChunkRequest], size: int
    ) -> Continued:
        """What the requests go on from, row by row of their chunks."""
        horizon, first = self.spec.chunking.horizon, self.spec.chunking.past_rows
        rows, weights = list[NDArray[Any]](), list[NDArray[Any]]()
        for request in requests:
            if request.previous is None:
                raise ConfigurationError(
                    "A request asks to go on from the last chunk, and has none: previous is None."
                )
            rows.append(aligned(request.previous, horizon, first))
            weights.append(soft_weights(horizon, first, request.committed, len(request.previous)))
        return Continued(how, _batch(rows, size, exact=True), _batch(weights, size))

    def _seen(self, key: str, request: ChunkRequest) -> NDArray[Any]:
        """What an engine is given of one observation: of a task, its vector."""
        seen, tasks = request.observation[key], self.spec.tasks
        return seen if key != TASK or tasks is None else tasks.told(seen, self.embed)


def _batch(rows: Sequence[NDArray[Any]], size: int, exact: bool = False) -> NDArray[Any]:
    """`size` rows, the last one as often as it takes; one alone is not copied for that."""
    padded = [*rows, *[rows[-1]] * (size - len(rows))]
    made = padded[0][None] if len(padded) == 1 else np.stack(padded)
    narrow = made.dtype == np.float64 and not exact
    kind = np.dtype(np.float32) if narrow else made.dtype.newbyteorder("=")
    return np.require(made, kind, ["C", "W"])
