"""The clock test of every controller, with answers that are late, lost and out of order."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest

from steadyhand.actions import ActionPart
from steadyhand.errors import ConfigurationError
from steadyhand.evaluation.episode import Play, played
from steadyhand.evaluation.latency import Latency
from steadyhand.runtime.continuation import Guided, Prefixed, aligned, soft_weights
from steadyhand.runtime.controllers import (
    CONTROLLERS,
    Asynchronous,
    Blend,
    Ensemble,
    RealTime,
    RecedingHorizon,
    Speculative,
)
from steadyhand.runtime.controllers.blend import shares
from steadyhand.spec import Chunking, PolicySpec

TICKS = 60
RATE = 50.0


def spec_of(chunking: Chunking) -> PolicySpec:
    recorded = {"tick": (1,), "given": (1,), "action": (2,)}
    names = ["tick", "given"]
    return PolicySpec.select(recorded, observations=names, chunking=chunking, rate_hz=RATE)


class World:
    """Counts what it is told: the n-th action has to be n, or once more the one before it."""

    def reset(self, seed):
        self.tick = self.given = 0
        return self.observe()

    def observe(self):
        return {"tick": np.array([self.tick]), "given": np.array([self.given])}

    def step(self, action):
        self.tick += 1
        assert action[0] in (self.given, self.given - 1), f"tick {self.tick}: {action}"
        self.given += action[0] == self.given
        return self.observe(), False

    def scores(self):
        return {"given": self.given}

    def state(self):
        return [self.tick]

    def render(self):
        raise NotImplementedError


@dataclass
class Timed:
    """The task of that world."""

    rate_hz: float = RATE
    max_steps: int = TICKS


def answer(spec, request):
    """Rows that say what they are meant for, in actions given, and from which tick they are."""
    seen, chunking = request.observation, spec.chunking
    ticks = seen["tick"][:, 0]
    wanted = np.maximum(ticks[-1] + chunking.observation_offsets, 0)
    np.testing.assert_array_equal(ticks, wanted, "real observations, one a tick")
    given = seen["given"][-1, 0]
    if request.previous is not None:
        meant = given + np.arange(len(request.previous))
        np.testing.assert_array_equal(request.previous[:, 0], meant)
    rows = given + chunking.action_offsets
    return np.stack([rows, np.full(len(rows), ticks[-1])], -1).astype(np.float32)


def play(spec, controller, latency, seed=0):
    """(the episode, the requests)."""
    acting = played(Timed(), World(), controller, Play(seed), latency=latency)
    requests, chunk = [], None
    while True:
        try:
            requests.append(acting.send(chunk))
            chunk = answer(spec, requests[-1])
        except StopIteration as ended:
            return ended.value, requests


def cases(count):
    """Chunkings, executions, latencies in ticks, drops: drawn, with the corners among them."""
    random = np.random.default_rng(7)
    for number in range(count):
        horizon = int(random.integers(2, 24))
        past = int(random.integers(0, min(horizon, 3)))
        most = horizon - past
        execute = int(random.integers(1, most + 1))
        obs_steps = int(random.integers(1, 5))
        ticks = number % 21
        jitter = float(random.choice([0, 0, 2, 5]))
        drop = float(random.choice([0, 0, 0.1, 0.5]))
        yield (
            Chunking(obs_steps=obs_steps, horizon=horizon, past_rows=past, execute=execute),
            Latency(seconds=ticks / RATE, jitter=jitter / RATE, drop=drop),
            int(random.integers(0, most - execute + 1)) if number % 3 else None,
            number,
        )


@pytest.mark.parametrize("name", CONTROLLERS)
def test_each_action_leaves_when_it_was_meant_for(name) -> None:
    late = 0
    for chunking, latency, delay, seed in cases(84):
        spec = spec_of(chunking)
        own = {} if name in ("receding", "ensemble") else {"delay": delay}
        controller = CONTROLLERS[name](spec, seed=seed, **own)
        episode, requests = play(spec, controller, latency, seed)
        assert len(episode.actions) == TICKS
        assert episode.scores["given"] == TICKS - episode.held
        assert {request.seed for request in requests} == {seed}
        assert [request.number for request in requests] == list(range(len(requests)))
        if name not in ("blend", "ensemble"):
            told = episode.seen >= 0
            np.testing.assert_array_equal(episode.actions[told, 1], episode.seen[told])
        late += episode.held
    assert late, "some latencies are longer than any chunk"


@pytest.mark.parametrize("name", CONTROLLERS)
def test_without_latency_nothing_is_held_and_every_chunk_executed_as_far_as_it_is_to_be(
    name,
) -> None:
    chunking = Chunking(obs_steps=2, horizon=16, execute=8, past_rows=1)
    spec = spec_of(chunking)
    episode, requests = play(spec, CONTROLLERS[name](spec), Latency())
    assert episode.held == 0 == episode.lost
    every = TICKS if name == "ensemble" else -(-TICKS // 8)
    assert len(requests) == every
    if name != "ensemble":
        assert episode.boundaries == tuple(range(8, TICKS, 8))
        assert episode.reaction == pytest.approx(3.5, abs=0.3)


def test_who_waits_stands_still_and_goes_on_with_the_first_row() -> None:
    spec = spec_of(Chunking(obs_steps=1, horizon=16, execute=8))
    episode, _ = play(spec, RecedingHorizon(spec), Latency(seconds=3 / RATE))
    told = episode.actions[:, 0].astype(int)
    wanted = [*range(8), 7, 7, 7, *range(8, 16), 15, 15, 15, *range(16, 24)]
    assert told[: len(wanted)].tolist() == wanted, "the first chunk is waited for before it begins"


@pytest.mark.parametrize("late", [1, 3, 8])
@pytest.mark.parametrize("delay", [None, 8])
def test_who_asks_early_never_stands_still(late, delay) -> None:
    spec = spec_of(Chunking(obs_steps=1, horizon=16, execute=8))
    controller = Asynchronous(spec, delay=delay)
    episode, requests = play(spec, controller, Latency(seconds=late / RATE))
    assert episode.held == 0
    settled = requests[3:]
    expected = late if delay is None else 8
    assert {request.committed for request in settled} == {expected}
    assert {len(request.previous) for request in settled} == {8}


def test_a_wait_that_was_long_once_is_forgotten_again() -> None:
    spec = spec_of(Chunking(obs_steps=1, horizon=16, execute=4))
    controller = Asynchronous(spec)
    rule = controller._rule
    for tick in range(400):
        request = controller.request({"tick": np.array([tick]), "given": np.array([tick])})
        if request is not None:
            waits = 7 if request.number == 1 else 2
            due = tick + waits if tick else tick
        if request is not None or controller.plan.waiting:
            asked = request or asked
            if tick >= due:
                controller.accept(answer(spec, asked), asked)
        assert controller.action()[0] == tick
        if asked.number in (2, 3) and not controller.plan.waiting:
            assert rule.delay == 7
    assert rule.delay == 2


def test_a_real_time_chunk_is_asked_to_go_on_from_the_rest() -> None:
    spec = spec_of(Chunking(obs_steps=1, horizon=16, execute=8))
    controller = RealTime(spec, delay=3, by=Guided(beta=2.0))
    _, requests = play(spec, controller, Latency(seconds=3 / RATE))
    assert requests[0].continuation is None, "there is nothing to go on from"
    assert {request.continuation for request in requests[1:]} == {Guided(beta=2.0)}
    assert {(len(r.previous), r.committed) for r in requests[2:]} == {(8, 3)}
    with pytest.raises(ConfigurationError, match="by is 'guided'; it must be Guided"):
        RealTime(spec, by="guided")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="trained to be given no rows"):
        RealTime(spec, by=Prefixed())


def test_the_soft_mask_is_the_papers() -> None:
    """W by hand for H = 6, d = 2, s = 2: the rest has H - s = 4 rows."""
    c = (4 - np.array([2, 3])) / (4 - 2 + 1)
    soft = c * (np.exp(c) - 1) / (np.e - 1)
    np.testing.assert_allclose(soft_weights(6, 0, 2, 4), [1, 1, *soft, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(soft_weights(7, 1, 2, 4), [0, 1, 1, *soft, 0, 0], rtol=1e-6)
    np.testing.assert_array_equal(soft_weights(4, 0, 3, 3), [1, 1, 1, 0])
    rows = aligned(np.array([[5.0], [6.0]]), 5, 1)
    np.testing.assert_array_equal(rows[:, 0], [5, 5, 6, 6, 6])


def turning_spec() -> PolicySpec:
    parts = (
        ActionPart(start=1, stop=5, kind="quaternion_wxyz"),
        ActionPart(start=5, stop=6, kind="gripper", levels=(0.0, 0.08)),
    )
    return PolicySpec.select(
        {"tick": (1,), "action": (6,)},
        observations=["tick"],
        chunking=Chunking(obs_steps=1, horizon=8, execute=4),
        action_parts=parts,
    )


def turned(angle, place, gripper):
    """A chunk of one place, one rotation about z and one gripper."""
    row = [place, np.cos(angle / 2), 0, 0, np.sin(angle / 2), gripper]
    return np.tile(np.array(row, np.float32), (8, 1))


def two_chunks(controller):
    """What is told when 4 rows of one chunk are followed by another."""
    told = []
    for tick in range(8):
        request = controller.request({"tick": np.array([tick])})
        if request is not None:
            first = request.number == 0
            chunk = turned(0.0, 0.0, 0.0) if first else turned(np.pi / 2, 1.0, 0.08)
            chunk[:, 1:5] *= 1 if first else -1  # the same rotation, of the other sign
            controller.accept(chunk, request)
        told.append(controller.action())
    return np.array(told)


@pytest.mark.parametrize("fading", ["linear", "exponential"])
def test_old_and_new_fade_into_one_another_by_what_they_mean(fading) -> None:
    told = two_chunks(Blend(turning_spec(), delay=0, fading=fading))
    share = shares(4, fading)
    np.testing.assert_allclose(told[4:, 0], share, atol=1e-6)
    angle = 2 * np.arctan2(np.abs(told[4:, 4]), np.abs(told[4:, 1]))
    np.testing.assert_allclose(angle, share * np.pi / 2, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(told[:, 1:5], axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(told[4:, 5], np.where(share < 0.5, 0, 0.08))
    assert (np.diff(share) > 0).all()
    assert share[0] > 0
    assert share[-1] < 1
    short = two_chunks(Blend(turning_spec(), delay=0, fading=fading, over=1))
    np.testing.assert_array_equal(short[5:, 0], [1, 1, 1])


@pytest.mark.parametrize("name", CONTROLLERS)
def test_a_rotation_that_comes_with_the_other_sign_is_no_jump(name) -> None:
    turns = two_chunks(CONTROLLERS[name](turning_spec()))[:, 1:5]
    assert (np.sum(turns[1:] * turns[:-1], axis=1) > 0.5).all()


def test_an_ensemble_is_the_weighted_mean_of_all_that_was_predicted_for_now() -> None:
    spec, decay, ticks = spec_of(Chunking(obs_steps=1, horizon=5, execute=2)), 0.3, 12
    random = np.random.default_rng(0)
    chunks = random.standard_normal((ticks, 5, 2)).astype(np.float32)
    controller = Ensemble(spec, decay=decay)
    late = [0, 1, 0, 2, 1, 3, 0, 0, 1, 0, 2, 0]
    way = []
    for tick in range(ticks):
        seen = {"tick": np.array([tick]), "given": np.array([tick])}
        way.append((tick + late[tick], controller.request(seen)))
        for due, request in list(way):
            if due <= tick:
                controller.accept(chunks[request.number], request)
                way.remove((due, request))
        there = [n for n in range(tick + 1) if n + late[n] <= tick and tick - n < 5]
        weights = np.exp(-decay * np.arange(len(there)))
        wanted = weights @ np.array([chunks[n][tick - n] for n in there]) / weights.sum()
        np.testing.assert_allclose(controller.action(), wanted, rtol=1e-5)


@pytest.mark.parametrize(("decay", "tick"), [(-50, 29), (-1e308, 29), (800, 14), (1e308, 14)])
def test_a_steep_decay_leaves_the_newest_or_the_oldest(decay, tick) -> None:
    spec = spec_of(Chunking(obs_steps=1, horizon=16, execute=2))
    controller = Ensemble(spec, decay=decay)
    for now in range(30):
        request = controller.request({"tick": np.array([now]), "given": np.array([now])})
        controller.accept(np.full((16, 2), now, np.float32), request)
        told = controller.action()
    np.testing.assert_array_equal(told, [tick, tick])


def test_an_ensemble_averages_turns_as_turns_and_votes_on_a_gripper() -> None:
    told = two_chunks(Ensemble(turning_spec(), decay=0.0))
    weight = (np.arange(8) / (np.arange(8) + 1))[:, None]
    np.testing.assert_allclose(told[:, 0], weight[:, 0], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(told[:, 1:5], axis=1), 1, atol=1e-6)
    angle = 2 * np.arctan2(np.abs(told[1:, 4]), np.abs(told[1:, 1]))
    assert (np.diff(angle) > 0).all()
    assert angle[0] == pytest.approx(np.pi / 4, abs=1e-4)
    np.testing.assert_allclose(told[2:, 5], 0.08)


@pytest.mark.parametrize(("turn", "asked"), [(None, [0, 8, 16]), (10, [0, 8, 12])])
def test_a_chunk_is_abandoned_where_the_world_is_not_as_expected(turn, asked) -> None:
    """A goal that goes straight on is expected to; one that turns is seen two ticks later."""
    recorded = {"goal": (2,), "action": (2,)}
    spec = PolicySpec.select(
        recorded, observations=["goal"], chunking=Chunking(obs_steps=1, horizon=16, execute=8)
    )
    controller, found = Speculative(spec, delay=0, bound=0.5), []
    place, step = np.zeros(2), np.array([1.0, 0.0])
    for tick in range(20):
        request = controller.request({"goal": place.copy()})
        if request is not None:
            found.append(tick)
            controller.accept(np.zeros((16, 2), np.float32), request)
        controller.action()
        step = np.array([0.0, 1.0]) if tick == turn else step
        place += step
    assert found == asked


def test_where_the_robot_was_told_to_be_is_where_it_is_expected() -> None:
    recorded = {"joints": (1,), "action": (1,)}
    spec = PolicySpec.select(
        recorded, observations=["joints"], chunking=Chunking(obs_steps=1, horizon=16, execute=8)
    )
    controller, found, told = (
        Speculative(spec, delay=0, bound=0.5, targets="joints"),
        [],
        np.zeros(1),
    )
    for tick in range(16):
        request = controller.request({"joints": told * (0.2 if tick == 5 else 1)})
        if request is not None:
            found.append(tick)
            rows = np.arange(tick + 1, tick + 17)[:, None] ** 2
            controller.accept(rows.astype(np.float32), request)
        told = controller.action()
    assert found == [0, 5, 13]


def test_joints_that_are_old_are_expected_where_they_were_to_be_then() -> None:
    recorded = {"joints": (1,), "action": (1,)}
    spec = PolicySpec.select(
        recorded, observations=["joints"], chunking=Chunking(obs_steps=1, horizon=16, execute=8)
    )
    controller = Speculative(spec, delay=0, bound=0.5, targets="joints")
    places, found = [0.0], []
    for tick in range(30):
        age = min(tick, 3)
        request = controller.request({"joints": np.array([places[tick - age]])}, age=age)
        if request is not None:
            found.append(tick)
            rows = np.arange(tick - age + 1, tick - age + 17)[:, None] ** 2
            controller.accept(rows.astype(np.float32), request)
        places.append(float(controller.action()[0]))
    assert found == [0, 8, 16, 24]


def test_an_observation_that_is_old_is_continued_from_where_it_was_made() -> None:
    """Pictures of 3 ticks ago: what was done since is committed, and rows are counted from then."""
    spec, age = spec_of(Chunking(obs_steps=1, horizon=16, execute=4)), 3
    controller, way, given = RealTime(spec, delay=2), [], []
    for tick in range(50):
        then = max(tick - age, 0)
        seen = {"tick": np.array([then]), "given": np.array([min(then, len(given))])}
        request = controller.request(seen, age=tick - then)
        if request is not None:
            way.append((tick + 2 if tick else tick, request))
        for due, asked in list(way):
            if due <= tick:
                way.remove((due, asked))
                rows = asked.observation["given"][-1, 0] + np.arange(16)
                controller.accept(np.stack([rows, rows], -1).astype(np.float32), asked)
                if asked.number > 1:
                    assert asked.committed == age + 2
        action = controller.action()
        assert action[0] == tick
        given.append(action)


@pytest.mark.parametrize("name", CONTROLLERS)
def test_a_tick_that_went_wrong_is_followed_by_a_new_chunk(name) -> None:
    spec = spec_of(Chunking(obs_steps=1, horizon=8, execute=4))
    controller = CONTROLLERS[name](spec)
    seen = {"tick": np.array([0]), "given": np.array([0])}
    request = controller.request(seen)
    assert not controller.ready
    assert controller.hold() is None
    assert name == "ensemble" or controller.request(seen) is None, "its answer is waited for"
    controller.accept(answer(spec, request), request)
    assert controller.action()[0] == 0
    controller.request(seen)  # and this tick ends with nothing
    again = controller.request(seen)
    assert again.previous is None
    assert not controller.ready
    controller.lost(again)
    np.testing.assert_array_equal(controller.hold(), [0, 0])
    other = controller.request(seen)
    assert other.number == again.number + 1


def test_a_delay_that_no_chunk_has_rows_for_is_refused() -> None:
    spec = spec_of(Chunking(horizon=16, execute=8))
    with pytest.raises(ConfigurationError, match="Execute at most 7"):
        Asynchronous(spec, delay=9)
    assert partial(Asynchronous, delay=9, execute=7)(spec)
    with pytest.raises(ConfigurationError, match="no fading 'fast'"):
        Blend(spec, fading="fast")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="Available: given, tick"):
        Speculative(spec, watch=["goal"])


def test_latency_is_drawn_from_seed_and_number_alone() -> None:
    latency = Latency(seconds=0.2, jitter=0.1, drop=0.25)
    draws = [latency.of(3, number, 10.0) for number in range(4000)]
    assert draws == [latency.of(3, number, 10.0) for number in range(4000)]
    assert draws != [latency.of(4, number, 10.0) for number in range(4000)]
    ticks, comes = map(np.array, zip(*draws, strict=True))
    assert 0.72 < comes.mean() < 0.78
    assert set(ticks) == {2, 3}
    assert 0.45 < (ticks == 2).mean() < 0.55
    assert Latency(seconds=0.2).of(0, 0, 10.0) == (2, True), "no rounding up of 2"
    assert Latency(seconds=0.21).of(0, 0, 10.0) == (3, True)
    assert Latency().of(0, 0, 10.0) == (0, True)
    assert not Latency()


@pytest.mark.parametrize("name", ["blend", "ensemble"])
def test_numbers_that_only_float64_holds_are_averaged_as_such(name) -> None:
    spec = spec_of(Chunking(obs_steps=1, horizon=8, execute=4))
    controller = CONTROLLERS[name](spec)
    for tick in range(6):
        request = controller.request({"tick": np.array([tick]), "given": np.array([tick])})
        if request is not None:
            far = request.number == 0
            chunk = np.full((8, 2), 1e200) if far else np.ones((8, 2), np.float32)
            controller.accept(chunk, request)
        action = controller.action()
        assert np.isfinite(action).all()
    assert action.dtype == np.float64


def test_last_action_is_not_watched() -> None:
    """A robot does not show it: the controller tells it itself."""
    recorded = {"state": (1,), "action": (1,), "last_action": (1,)}
    spec = PolicySpec.select(
        recorded, observations=["state", "last_action"], chunking=Chunking(horizon=8, execute=4)
    )
    controller, found = Speculative(spec, delay=0), []
    for tick in range(9):
        seen = {
            "state": np.array([float(tick)]),
            **({"last_action": np.zeros(1)} if not tick else {}),
        }
        request = controller.request(seen)
        if request is not None:
            found.append(tick)
            controller.accept(np.full((8, 1), tick * 10.0), request)
        controller.action()
    assert found == [0, 4, 8]
    with pytest.raises(ConfigurationError, match="last_action"):
        Speculative(spec, watch=["last_action"])


def test_what_moves_while_the_first_chunk_is_awaited_is_expected_to_go_on() -> None:
    recorded = {"goal": (1,), "action": (1,)}
    spec = PolicySpec.select(
        recorded, observations=["goal"], chunking=Chunking(obs_steps=1, horizon=16, execute=8)
    )
    controller, found = Speculative(spec, delay=0, bound=0.5), []
    for tick in range(16):
        request = controller.request({"goal": np.array([float(tick)])})
        if request is not None:
            found.append((tick, request))
        if tick == 3:
            controller.accept(np.zeros((16, 1), np.float32), found[0][1])
        controller.action() if controller.ready else controller.hold()
    assert [tick for tick, _ in found] == [0, 11]


def test_no_more_rows_are_given_than_a_policy_was_trained_for_also_where_what_is_seen_is_old() -> (
    None
):
    spec = spec_of(Chunking(obs_steps=1, horizon=16, execute=4, prefix=4))
    for age, committed in ((2, 4), (6, 4), (0, 3)):
        controller, way, most = RealTime(spec), [], 0
        for tick in range(40):
            for due, asked in list(way):
                if due <= tick:
                    way.remove((due, asked))
                    controller.accept(np.zeros((16, 2), np.float32), asked)
            seen = {"tick": np.array([tick]), "given": np.array([tick])}
            request = controller.request(seen, age=age)
            if request is not None:
                way.append((tick + 3, request))
                most = max(most, request.committed)
            controller.action() if controller.ready else controller.hold()
        assert most == committed


def test_a_tick_in_which_nothing_was_seen_is_a_tick() -> None:
    """Of an observation that is 2 ticks old, 2 actions were given since, also where one of these
    ticks had none of its own."""
    spec = spec_of(Chunking(obs_steps=1, horizon=16, execute=4))
    controller = RecedingHorizon(spec)
    for tick in range(9):
        if tick == 3:
            controller.action()  # the camera gave nothing
            continue
        seen = {"tick": np.array([tick]), "given": np.array([tick])}
        request = controller.request(seen, age=2 if tick else 0)
        if request is not None:
            assert request.committed == (2 if tick else 0)
            controller.accept(np.zeros((16, 2), np.float32), request)
        controller.action()


def test_a_robot_that_begins_anew_begins_with_the_first_row() -> None:
    spec = spec_of(Chunking(obs_steps=1, horizon=16, execute=4))
    controller = RecedingHorizon(spec)
    seen = {"tick": np.array([0]), "given": np.array([0])}
    rows = np.arange(32, dtype=np.float32).reshape(16, 2)
    for _ in range(2):
        request = controller.request(seen, age=2)
        assert request.previous is None
        controller.accept(rows, request)
        for tick in range(3):
            assert controller.action()[0] == 2 * tick
            if tick < 2:
                controller.request(seen, age=2)
        controller.replan()
