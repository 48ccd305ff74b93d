"""The clock test: action t at tick t, for every controller, chunking and execute. And the loop."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from steadyhand.data import Episodes, make_windows
from steadyhand.errors import ConfigurationError
from steadyhand.runtime import ChunkRequest, RecedingHorizon, chunk_noise, run_loop
from steadyhand.spec import Chunking, PolicySpec

CONTROLLERS = [RecedingHorizon]
CHUNKINGS = [
    Chunking(),
    Chunking(obs_steps=1, horizon=4, execute=1),
    Chunking(obs_steps=3, horizon=8, execute=8),
    Chunking(obs_steps=2, horizon=16, execute=8, past_rows=1),
    Chunking(obs_steps=4, horizon=7, execute=3, past_rows=3),
]


def clock_spec(chunking: Chunking) -> PolicySpec:
    recorded = {"time": (1,), "action": (1,)}
    return PolicySpec.select(recorded, observations=["time"], chunking=chunking, rate_hz=50)


@dataclass
class Clock:
    """A fake predictor: each row of its chunk holds the time that the row is meant for."""

    spec: PolicySpec
    seen: list[ChunkRequest] = field(default_factory=list)

    def continues(self, how) -> None:
        """It says the same however it is to go on."""

    def predict(self, requests):
        self.seen.extend(requests)
        now = np.stack([request.observation["time"][-1] for request in requests])
        rows = now[:, None] + self.spec.chunking.action_offsets[None, :, None]
        return rows.astype(np.float32)


@pytest.mark.parametrize("controller", CONTROLLERS)
@pytest.mark.parametrize("chunking", CHUNKINGS, ids=str)
def test_action_t_leaves_at_tick_t(controller, chunking) -> None:
    clock = Clock(clock_spec(chunking))
    acting = controller(clock.spec, seed=5)
    for tick in range(50):
        request = acting.request({"time": np.array([tick])})
        if request is not None:
            acting.accept(clock.predict([request])[0])
        assert acting.action() == tick
    history = np.stack([request.observation["time"][:, 0] for request in clock.seen])
    wanted = history[:, -1:] + chunking.observation_offsets
    np.testing.assert_array_equal(history, np.maximum(wanted, 0))
    assert [request.number for request in clock.seen] == list(range(len(clock.seen)))
    assert {request.seed for request in clock.seen} == {5}
    assert len(clock.seen) == -(-50 // chunking.execute)


@pytest.mark.parametrize("chunking", CHUNKINGS, ids=str)
def test_training_windows_tell_the_same_time(chunking) -> None:
    """What the clock predicts at run time is what the windows teach."""
    lengths = np.array([9, 30, 5])
    time = np.concatenate([np.arange(n) for n in lengths])[:, None]
    episodes = Episodes({"time": time, "action": time}, np.cumsum(lengths))
    windows = make_windows(episodes, chunking)
    assert len(windows) == lengths.sum(), "every step of every episode is now, once"
    now, steps = time[:, 0], np.arange(len(windows))
    last = np.repeat(lengths - 1, lengths)
    meant = now[:, None] + chunking.action_offsets
    np.testing.assert_array_equal(windows.padded(steps), (meant < 0) | (meant > last[:, None]))
    np.testing.assert_array_equal(
        time[windows.action(steps)][..., 0], np.clip(meant, 0, last[:, None])
    )
    seen = np.maximum(now[:, None] + chunking.observation_offsets, 0)
    np.testing.assert_array_equal(time[windows.observation(steps)][..., 0], seen)


def test_execute_can_be_changed_but_not_beyond_the_chunk() -> None:
    spec = clock_spec(Chunking(horizon=8, execute=4))
    assert RecedingHorizon(spec, execute=8).plan.chunking.execute == 8
    with pytest.raises(ConfigurationError, match="Choose execute in 1…8"):
        RecedingHorizon(spec, execute=9)


def test_controller_says_what_is_wrong() -> None:
    acting = RecedingHorizon(clock_spec(Chunking(horizon=8)))
    with pytest.raises(ConfigurationError, match="no action for this tick"):
        acting.action()
    with pytest.raises(ConfigurationError, match=r"chunk of shape \(7, 1\)"):
        acting.accept(np.zeros((7, 1), np.float32))
    with pytest.raises(ConfigurationError, match="needs 'time'"):
        acting.request({"clock": np.zeros(1)})


def test_controller_keeps_its_own_copy_of_what_it_saw() -> None:
    acting = RecedingHorizon(clock_spec(Chunking(obs_steps=2, horizon=2, execute=1)))
    buffer = np.array([1.0])
    acting.request({"time": buffer})
    acting.accept(np.zeros((2, 1), np.float32))
    acting.action()
    buffer[0] = 2.0
    request = acting.request({"time": buffer})
    assert request is not None
    np.testing.assert_array_equal(request.observation["time"][:, 0], [1, 2])
    assert request.previous is not None
    assert len(request.previous) == 1


def test_noise_is_a_function_of_episode_and_chunk() -> None:
    one = chunk_noise(3, 0, (16, 2))
    np.testing.assert_array_equal(one, chunk_noise(3, 0, (16, 2)))
    assert not np.array_equal(one, chunk_noise(3, 1, (16, 2)))
    assert not np.array_equal(one, chunk_noise(4, 0, (16, 2)))
    np.testing.assert_array_equal(chunk_noise(3, 0, (5, 16, 2))[0], one)
    many = np.stack([chunk_noise(seed, 0, (16, 2)) for seed in range(500)])
    assert abs(many.mean()) < 0.03
    assert many.std() == pytest.approx(1, abs=0.02)


class FakeTime:
    """A clock that only moves when told."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def wait(self, seconds: float) -> None:
        self.time += seconds


class FakeRobot:
    def __init__(self, clock: FakeTime, slow_tick: int) -> None:
        self.clock, self.slow_tick = clock, slow_tick
        self.acted: list[float] = []
        self.when: list[float] = []

    def observe(self):
        if len(self.acted) == self.slow_tick:
            self.clock.time += 0.05
        return {"time": np.array([len(self.acted)])}

    def act(self, action) -> None:
        self.acted.append(float(action[0]))
        self.when.append(self.clock.time)


def test_a_late_tick_shifts_no_later_one_and_two_are_never_sent_at_once() -> None:
    clock = FakeTime()
    robot = FakeRobot(clock, slow_tick=3)
    predictor = Clock(clock_spec(Chunking()))
    report = run_loop(robot, predictor, RecedingHorizon(predictor.spec), ticks=10, clock=clock)
    # The tick that is due at 60 ms takes 50: the one after it is missed, and so is the next.
    wanted = [0, 20, 40, 110, 120, 140, 160, 180]
    np.testing.assert_allclose(np.array(robot.when) * 1000, wanted, atol=1e-9)
    assert robot.acted == list(range(8)), "the plan goes on where it was"
    assert (report.ticks, report.late, report.missed) == (10, 3, 2)
    assert report.work_ms.max() == pytest.approx(50)


class BusyRobot(FakeRobot):
    """One that takes its time in every tick: 7, 7, 25, 7, 7, 19 ms, and so on."""

    def observe(self):
        self.clock.time += (0.007, 0.007, 0.025, 0.007, 0.007, 0.019)[len(self.acted) % 6]
        return super().observe()


def test_what_a_tick_takes_is_of_its_period() -> None:
    clock = FakeTime()
    robot = BusyRobot(clock, slow_tick=99)
    predictor = Clock(clock_spec(Chunking()))
    report = run_loop(robot, predictor, RecedingHorizon(predictor.spec), ticks=12, clock=clock)
    # One that ends at 65 ms is followed by one that begins at once, but acts 10 ms later at least.
    wanted = [7, 27, 65, 75, 87, 119, 129, 147, 185, 195, 207, 239]
    np.testing.assert_allclose(np.array(robot.when) * 1000, wanted, atol=1e-9)
    assert (report.late, report.missed) == (2, 0), "by less than a period, and late all the same"
    assert report.interval_ms.n == 11
    assert report.jitter_ms.max() == pytest.approx(18)


def test_loop_stops_when_asked() -> None:
    clock = FakeTime()
    robot = FakeRobot(clock, slow_tick=99)
    predictor = Clock(clock_spec(Chunking()))
    report = run_loop(
        robot,
        predictor,
        RecedingHorizon(predictor.spec),
        ticks=10,
        clock=clock,
        stop=lambda: len(robot.acted) == 4,
    )
    assert report.ticks == 4
