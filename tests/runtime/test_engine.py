"""A predictor around arrays to arrays, without torch: noise, padding, kinds of numbers."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from test_runtime import clock_spec

from steadyhand.errors import ConfigurationError
from steadyhand.runtime import ChunkRequest, EnginePredictor, chunk_noise
from steadyhand.runtime.continuation import Guided, Inpainted, WarmStart
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


class Going(Doubling):
    """One that goes on from the last chunk, and keeps what it was given for it."""

    def continues(self, how) -> None:
        if how == WarmStart():
            raise ConfigurationError("not so")

    def __call__(self, observation, noise, step_noise, continued=None):
        self.seen.append(continued)
        return noise if continued is None else continued.rows + 0 * noise


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_requests_that_go_on_alike_are_answered_together_each_with_its_own(batch) -> None:
    engine = Going(noise_rows=1)
    asked, plain = [], request(9, np.zeros((2, 1)))
    for number, how in enumerate([None, Guided(), None, Inpainted(), Guided(), Guided()]):
        rest = np.full((3 - number % 2, 1), 10.0 * number)
        one = replace(plain, number=number, previous=rest, committed=1, continuation=how)
        asked.append(one)
    chunks = EnginePredictor(engine, batch=batch).predict(asked)
    drawn = [chunk_noise(7, number, (1, 4, 1))[0] for number in range(6)]
    wanted = [10.0 * n if one.continuation else drawn[n] for n, one in enumerate(asked)]
    for chunk, right in zip(chunks, wanted, strict=True):
        np.testing.assert_array_equal(chunk, np.broadcast_to(right, (4, 1)))
    for given in filter(None, engine.seen):
        assert given.rows.shape == (batch, 4, 1)
        assert given.weights.shape == (batch, 4)
        assert given.weights[0, 0] == 1
        assert given.weights[0, -1] == 0
    with pytest.raises(ConfigurationError, match="not so"):
        EnginePredictor(engine).predict([replace(asked[1], continuation=WarmStart())])
    with pytest.raises(ConfigurationError, match="has none: previous is None"):
        EnginePredictor(engine).predict([replace(plain, continuation=Guided())])
    with pytest.raises(ConfigurationError, match="Doubling does not go on from the last chunk"):
        EnginePredictor(Doubling()).continues(Guided())


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


@dataclass
class Sized:
    """An engine whose answers depend on the size of its batch, as those of products may."""

    spec = clock_spec(Chunking(horizon=64, execute=2))
    noise_rows: int = 1
    exact: frozenset[str] = frozenset()
    off: tuple[int, ...] = ()
    """Sizes at which the last row has another last bit."""
    most: float = np.inf
    sizes: list[int] = field(default_factory=list)

    def __call__(self, observation, noise, step_noise):
        self.sizes.append(len(noise))
        found = noise + observation["time"][:, -1:, :].astype(np.float32)
        if len(noise) in self.off:
            found[-1] = np.nextafter(found[-1], np.float32(np.inf))
        return found.clip(-self.most, self.most)


@pytest.mark.parametrize("off", [(), (4,), (4, 8), (2, 4, 8)])
def test_fewer_requests_take_a_smaller_batch_where_it_gives_the_same_bits(off) -> None:
    engine, alone = Sized(off=off), EnginePredictor(Sized(), batch=16)
    predictor = EnginePredictor(engine, batch=16, smaller=(2, 4, 8))
    asked = [request(number, np.full((2, 1), number)) for number in range(16)]
    for many in (16, 7, 3, 2, 1, 3, 6, 11, 2):
        np.testing.assert_array_equal(predictor.predict(asked[:many]), alone.predict(asked[:many]))
    engine.sizes.clear()
    for many in (2, 3, 8, 9):
        predictor.predict(asked[:many])
    sizes = [min(s for s in (2, 4, 8, 16) if s >= many and s not in off) for many in (2, 3, 8, 9)]
    assert engine.sizes == sizes, "nothing is tried twice"


def test_what_is_cut_off_says_nothing_of_a_smaller_batch() -> None:
    engine = Sized(off=(4,), most=1e-9)
    predictor = EnginePredictor(engine, batch=8, smaller=(4,))
    asked = [request(number, np.full((2, 1), number)) for number in range(3)]
    predictor.predict(asked)
    engine.most = np.inf
    found = predictor.predict(asked[:2])
    np.testing.assert_array_equal(found, EnginePredictor(Sized(), batch=8).predict(asked[:2]))
    short = Sized()
    short.spec = clock_spec(Chunking(horizon=4, execute=2))
    EnginePredictor(short, batch=8, smaller=(4,)).predict(asked[:1])
    assert short.sizes == [8], "four numbers tell nothing"
