"""A predictor around arrays to arrays, without torch: noise, padding, kinds of numbers."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from test_runtime import clock_spec

from steadyhand.runtime import ChunkRequest, EnginePredictor, chunk_noise
from steadyhand.spec import Chunking


@dataclass
class Doubling:
    """An engine that answers with twice its noise, and keeps what it was given."""

    spec = clock_spec(Chunking(horizon=4, execute=2))
    noise_rows: int = 3
    exact: frozenset[str] = frozenset()
    seen: list = field(default_factory=list)

    def __call__(self, observation, noise, step_noise):
        self.seen.append((observation["time"], step_noise))
        return 2 * noise


def request(number: int, time) -> ChunkRequest:
    return ChunkRequest(observation={"time": time}, seed=7, number=number)


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_every_call_has_the_same_batch_and_the_noise_of_its_requests(batch) -> None:
    engine = Doubling()
    asked = [request(number, np.full((2, 1), number)) for number in range(3)]
    chunks = EnginePredictor(engine, batch=batch).predict(asked)
    drawn = np.stack([chunk_noise(7, number, (3, 4, 1)) for number in range(3)])
    np.testing.assert_array_equal(chunks, 2 * drawn[:, 0])
    assert {len(time) for time, _ in engine.seen} == {batch}
    np.testing.assert_array_equal(np.concatenate([n for _, n in engine.seen])[:3], drawn[:, 1:])
    padded = [*range(3), *[2] * (-3 % batch)]
    np.testing.assert_array_equal(np.concatenate([t for t, _ in engine.seen])[:, 0, 0], padded)
    assert EnginePredictor(engine).predict([]).shape == (0, 4, 1)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(
    ("time", "exact", "kind"),
    [
        (np.zeros((2, 1)), False, np.float32),
        (np.zeros((2, 1)), True, np.float64),
        (np.zeros((2, 1), np.float32), True, np.float32),
        (np.zeros((2, 1), ">i4"), False, np.int32),
        (np.zeros((4, 2), np.uint8)[::-2, :1], False, np.uint8),
        (np.broadcast_to(np.uint8(0), (2, 1)), False, np.uint8),
    ],
)
def test_arrays_of_any_kind_become_ones_that_every_engine_takes(batch, time, exact, kind) -> None:
    engine = Doubling(noise_rows=1, exact=frozenset({"time"} if exact else ()))
    EnginePredictor(engine, batch=batch).predict([request(0, time)])
    given, step_noise = engine.seen[0]
    assert step_noise is None
    assert given.dtype == kind
    assert given.dtype.isnative
    assert given.flags.c_contiguous
    assert given.flags.writeable
    assert given.shape == (batch, 2, 1)
