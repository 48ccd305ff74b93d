"""History and plan alone, and under a controller that does not wait for its answers."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from test_runtime import CHUNKINGS, Clock, clock_spec

from steadyhand.errors import ConfigurationError
from steadyhand.runtime import ChunkRequest, RecedingHorizon
from steadyhand.runtime.history import History
from steadyhand.runtime.plan import Plan
from steadyhand.spec import Chunking, PolicySpec


class Ahead:
    """Asks so many ticks before its actions end, and goes on acting until the answer is there."""

    def __init__(self, spec, *, ahead: int) -> None:
        self.plan, self.history, self.ahead = Plan(spec), History(spec), ahead
        self.waiting = False

    def request(self, observation):
        self.history.see(observation)
        if self.waiting or self.plan.left > self.ahead:
            return None
        self.waiting = True
        return self.plan.ask(self.history.stacked(), committed=self.ahead)

    def accept(self, chunk, request) -> None:
        self.plan.accept(chunk, request)
        self.waiting = False

    def action(self):
        return self.plan.advance()


@pytest.mark.parametrize("late", [0, 1, 2, 3])
@pytest.mark.parametrize("chunking", [c for c in CHUNKINGS if c.execute > 3], ids=str)
def test_an_answer_that_comes_late_begins_at_its_own_row(chunking, late) -> None:
    """The clock test, for a chunk that is on its way while the one before it is executed."""
    clock = Clock(clock_spec(chunking))
    acting, on_their_way = Ahead(clock.spec, ahead=3), []
    for tick in range(60):
        request = acting.request({"time": np.array([tick])})
        if request is not None:
            rest = [] if request.previous is None else request.previous[: request.committed, 0]
            np.testing.assert_array_equal(rest, tick + np.arange(len(rest)))
            on_their_way.append((tick + late if tick else 0, request))
        if on_their_way and on_their_way[0][0] == tick:
            answered = on_their_way.pop(0)[1]
            acting.accept(clock.predict([answered])[0], answered)
        assert acting.action() == tick
    assert [request.number for request in clock.seen] == list(range(len(clock.seen)))
    assert len(clock.seen) > 60 // chunking.execute


def test_what_was_committed_is_executed_before_an_answer_takes_over() -> None:
    plan = Plan(clock_spec(Chunking(horizon=8, execute=6)))
    plan.accept(np.arange(8.0)[:, None])
    told = [plan.advance().item() for _ in range(4)]
    request = plan.ask({"time": np.zeros((2, 1))}, committed=5)
    assert request.committed == plan.left == 2, "no more than there are"
    told.append(plan.advance().item())
    plan.accept(100 + np.arange(8.0)[:, None], request)
    told += [plan.advance().item() for _ in range(plan.left)]
    assert told == [0, 1, 2, 3, 4, 5, 102, 103, 104, 105, 106, 107]
    with pytest.raises(ConfigurationError, match=r"committed is 3; it must be in 0…2"):
        replace(request, previous=np.zeros((2, 1)), committed=3)
    with pytest.raises(ConfigurationError, match=r"committed is 1; it must be in 0…0"):
        ChunkRequest(observation={}, committed=1)


def test_an_answer_to_another_request_is_refused() -> None:
    spec = clock_spec(Chunking(horizon=8, execute=2))
    acting, other = RecedingHorizon(spec), RecedingHorizon(spec, seed=3)
    chunk, seen = np.zeros((8, 1)), {"time": np.zeros(1)}
    first, foreign = acting.request(seen), other.request(seen)
    with pytest.raises(ConfigurationError, match="0 of seed 3, and what is waited for is 0"):
        acting.accept(chunk, foreign)
    second = acting.request(seen)
    with pytest.raises(ConfigurationError, match=r"answers request 0 .* waited for is 1 of seed 0"):
        acting.accept(chunk, first)
    acting.accept(chunk, second)
    acting.replan()
    with pytest.raises(ConfigurationError, match="waited for is none"):
        acting.accept(chunk + 1, second)
    acting.accept(chunk + 2)
    assert acting.action() == 2, "who asks for one at a time need not name it"


def cameras(*, obs_steps: int) -> PolicySpec:
    recorded = {"camera": (64, 96, 3), "time": (1,), "action": (1,)}
    return PolicySpec.select(
        recorded, observations=["camera", "time"], chunking=Chunking(obs_steps=obs_steps)
    )


@pytest.mark.parametrize("obs_steps", [1, 3])
def test_what_was_seen_is_kept_whoever_fills_the_same_array_again(obs_steps) -> None:
    history = History(cameras(obs_steps=obs_steps))
    picture, time, before = np.zeros((64, 96, 3), np.uint8), np.zeros(1), None
    for tick in range(9):
        picture[:], time[:] = tick, tick
        history.see({"camera": picture, "time": time})
        assert (picture == tick).all()
        stacked = history.stacked()
        wanted = np.maximum(np.arange(tick - obs_steps + 1, tick + 1), 0)
        np.testing.assert_array_equal(stacked["time"][:, 0], wanted)
        np.testing.assert_array_equal(stacked["camera"][:, 5, 7, 2], wanted)
        if before is not None:
            np.testing.assert_array_equal(before[0]["camera"][:, 5, 7, 2], before[1])
        before = stacked, wanted
    history.see({"camera": picture, "time": np.array([2**40 + 1])})
    assert history.stacked()["time"][-1] == 2**40 + 1, "of another kind than before"


def test_a_tick_copies_a_picture_once() -> None:
    history, picture = History(cameras(obs_steps=2)), np.zeros((64, 96, 3), np.uint8)
    seen = {"camera": picture, "time": np.zeros(1)}
    history.see(seen)
    tracemalloc.start()
    try:
        for _ in range(5):
            history.see(seen)
        # The two that are kept, and a third while it takes the place of the first.
        assert tracemalloc.get_traced_memory()[1] < 3.5 * picture.nbytes
    finally:
        tracemalloc.stop()
