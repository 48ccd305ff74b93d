"""Who acts may do what they like with what they are given, and may go on after an error."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from test_runtime import CHUNKINGS, Clock, FakeTime, clock_spec

from steadyhand.errors import ConfigurationError, NotFiniteError
from steadyhand.evaluation.rollout import rollout
from steadyhand.runtime import RecedingHorizon, chunk_noise, run_loop
from steadyhand.spec import LAST_ACTION, Chunking, PolicySpec
from steadyhand.tasks import record_episodes

NAN = float("nan")


def seen(tick: float) -> dict:
    return {"time": np.array([tick])}


def answered(controller, clock, observation) -> np.ndarray:
    """The action of one tick in which nothing goes wrong."""
    request = controller.request(observation)
    if request is not None:
        controller.accept(clock.predict([request])[0])
    return controller.action()


@pytest.mark.parametrize("chunking", CHUNKINGS, ids=str)
def test_an_action_may_be_changed_in_place(chunking) -> None:
    """A robot that converts units, a predictor that fills the same array again."""
    spec = clock_spec(chunking)
    spec = replace(spec, observations=(*spec.observations, replace(spec.action, name=LAST_ACTION)))
    clock, controller = Clock(spec), RecedingHorizon(spec)
    buffer, told = np.zeros(spec.chunk_shape, np.float32), 0.0
    for tick in range(30):
        observation = seen(tick) | ({LAST_ACTION: np.zeros(1)} if tick == 0 else {})
        request = controller.request(observation)
        if request is not None:
            assert request.observation[LAST_ACTION][-1] == told
            if request.previous is not None:
                rest = np.arange(len(request.previous)) + tick
                np.testing.assert_array_equal(request.previous[:, 0], rest)
                request.previous[:] = -1
            buffer[:] = clock.predict([request])[0]
            controller.accept(buffer)
            buffer[:] = -5
        action = controller.action()
        assert action == tick
        action *= 180
        told = tick


def test_a_robot_of_the_loop_and_a_world_of_a_rollout_may_change_theirs() -> None:
    clock = Clock(clock_spec(Chunking()))
    told: list[float] = []

    def act(action) -> None:
        told.append(float(action[0]))
        action[:] = -7

    robot = SimpleNamespace(observe=lambda: seen(len(told)), act=act)
    run_loop(robot, clock, Stubborn(clock.spec), ticks=20, clock=FakeTime())
    assert told == [*range(20)]
    done = rollout(clock, Changing(), [3], controller=Stubborn).episodes[0]
    np.testing.assert_array_equal(done.actions[:, 0], np.arange(12))
    np.testing.assert_array_equal(done.states[:, 0], np.arange(13))


class Stubborn(RecedingHorizon):
    """A controller of a user's own, which hands out its chunk."""

    def action(self):
        super().action()
        return self.plan.told


class Changing:
    """A task and its world: it changes what it is given and answers with what it changes later."""

    name, rate_hz, max_steps, first_seed, initial_states = "changing", 10.0, 12, 0, "none"

    def make(self):
        return self

    def reset(self, seed):
        self.place, self.seen = np.zeros(1), np.zeros(1)
        return {"time": self.seen}

    def step(self, action):
        action[:] = -1
        self.place += 1
        self.seen += 1
        return {"time": self.seen}, False

    def scores(self):
        return {"success": True}

    def state(self):
        return self.place

    def expert(self, seed):
        return SimpleNamespace(act=lambda observation: self.seen)


def test_a_recording_keeps_its_own() -> None:
    world = Changing()
    world.step = lambda action: (action.__iadd__(1) and {"time": world.seen}, False)
    recorded = record_episodes(world, 1)  # type: ignore[arg-type]
    np.testing.assert_array_equal(recorded.read("action")[:, 0], np.arange(12))


@pytest.mark.parametrize("chunking", CHUNKINGS, ids=str)
@pytest.mark.parametrize("again", [0, 1], ids=["in the same tick", "in the next"])
@pytest.mark.parametrize("wrong", ["observation", "key", "prediction", "chunk", "shape", "caller"])
def test_after_an_error_the_action_is_that_of_its_tick(chunking, again, wrong) -> None:
    """The clock test, with an error in some ticks and whoever catches it going on."""
    clock = Clock(clock_spec(chunking))
    controller = RecedingHorizon(clock.spec)
    tick = failures = 0
    for turn in range(40):
        if turn % 7 in (2, 4, 5):
            try:
                spoiled(controller, clock, tick, wrong)
            except (ConfigurationError, NotFiniteError, RuntimeError):
                failures += 1
                tick += again
            else:
                tick += 1
            continue
        assert answered(controller, clock, seen(tick)) == tick
        tick += 1
    assert failures


def spoiled(controller, clock, tick, wrong) -> None:
    """One tick in which something raises, where it comes to that."""
    observation = {"observation": seen(NAN), "key": {"clock": np.zeros(1)}}.get(wrong, seen(tick))
    request = controller.request(observation)
    if request is not None:
        if wrong == "prediction":
            raise RuntimeError("the network is gone")
        chunk = clock.predict([request])[0]
        bad = {"chunk": chunk * NAN, "shape": chunk[:-1]}.get(wrong, chunk)
        controller.accept(bad)
    if wrong == "caller":
        raise RuntimeError("something else of the caller's")
    assert controller.action() == tick, "nothing went wrong: no chunk was due"


def test_a_refused_observation_leaves_what_was_planned() -> None:
    clock = Clock(clock_spec(Chunking(horizon=8, execute=8)))
    controller = RecedingHorizon(clock.spec)
    assert answered(controller, clock, seen(0)) == 0
    with pytest.raises(NotFiniteError):
        controller.request(seen(NAN))
    assert controller.action() == 1
    assert answered(controller, clock, seen(2)) == 2
    assert controller.plan.asked == 1, "nothing was lost, so nothing is planned anew"
    controller.replan()
    assert answered(controller, clock, seen(9)) == 9, "after a pause that only the caller knows of"


def test_a_second_loop_begins_with_a_new_chunk() -> None:
    """The camera failed in tick 5 of the first loop, and somebody went on at tick 9."""
    clock = Clock(clock_spec(Chunking()))
    controller, told, now = RecedingHorizon(clock.spec), [], iter([0, 1, 2, 3, 4, None, 9, 10])

    def observe():
        tick = next(now)
        if tick is None:
            raise OSError("no picture")
        return seen(tick)

    robot = SimpleNamespace(observe=observe, act=lambda action: told.append(float(action[0])))
    with pytest.raises(OSError, match="no picture"):
        run_loop(robot, clock, controller, ticks=20, clock=FakeTime())
    run_loop(robot, clock, controller, ticks=2, clock=FakeTime())
    assert told == [0, 1, 2, 3, 4, 9, 10]


@pytest.mark.parametrize(
    "rate", [0, 0.0, -10, float("inf"), NAN, True, "10", 1j, np.float32("nan")]
)
def test_a_rate_is_positive_and_finite(rate) -> None:
    clock = Clock(clock_spec(Chunking()))
    robot = SimpleNamespace(observe=lambda: seen(0), act=lambda action: None)
    with pytest.raises(ConfigurationError, match="rate_hz is"):
        run_loop(robot, clock, RecedingHorizon(clock.spec), ticks=1, rate_hz=rate)
    with pytest.raises(ConfigurationError, match="rate_hz is"):
        replace(clock.spec, rate_hz=rate)
    world = Changing()
    world.rate_hz = rate
    with pytest.raises(ConfigurationError, match="rate_hz is"):
        record_episodes(world, 1)  # type: ignore[arg-type]


@pytest.mark.parametrize("ticks", [0, -1, 1.5, True, NAN, "3", 2**80])
def test_ticks_are_counted(ticks) -> None:
    clock = Clock(clock_spec(Chunking()))
    robot = SimpleNamespace(observe=lambda: seen(0), act=lambda action: None)
    with pytest.raises(ConfigurationError, match="ticks is"):
        run_loop(robot, clock, RecedingHorizon(clock.spec), ticks=ticks, clock=FakeTime())


@pytest.mark.parametrize("seed", [2**80, -1, 2**63, 1.0, True, "0", 10**5000], ids=range(7))
def test_seeds_are_whole_and_bounded(seed) -> None:
    said = r"is .*; seeds are whole numbers, 0 to 2\*\*63 - 1"
    with pytest.raises(ConfigurationError, match=said):
        RecedingHorizon(clock_spec(Chunking()), seed=seed)
    with pytest.raises(ConfigurationError, match=said):
        chunk_noise(seed, 0, (1,))
    said = r"first_seed is .*; (seeds are|it must be (below|a whole))"
    with pytest.raises(ConfigurationError, match=said):
        record_episodes("fork", 1, first_seed=seed)


class Odd:
    pass


ODD = [
    ([0.0], "is a list; numpy arrays are taken here: np.asarray"),
    (torch.zeros(1), r"is a Tensor; numpy arrays are taken here: observation\['time'\].cpu"),
    (0.0, "is a float; numpy arrays"),
    (None, "is a NoneType; numpy arrays"),
    ("now", "is a str; numpy arrays"),
    (Odd(), "is a Odd; numpy arrays"),
    (np.array(["now"]), "holds <U3; numbers"),
    (np.array([None]), "holds object; numbers"),
    (np.array([1j]), "holds complex128; numbers"),
    (np.zeros(1, [("a", "f4")]), "numbers are taken here"),
    (np.array(["2020-01-01"], "datetime64[D]"), "numbers are taken here"),
    (np.float32(0), r"has shape \(\) at each time step"),
    (np.zeros((1, 1)), r"has shape \(1, 1\) at each"),
]


@pytest.mark.parametrize(("value", "said"), ODD, ids=[said[:24] for _, said in ODD])
def test_what_is_no_array_of_numbers(value, said) -> None:
    with pytest.raises(ConfigurationError, match=said):
        RecedingHorizon(clock_spec(Chunking())).request({"time": value})


@pytest.mark.parametrize("chunk", [[[0.0]] * 16, torch.zeros(16, 1), None, np.array([None] * 16)])
def test_what_is_no_chunk(chunk) -> None:
    controller = RecedingHorizon(clock_spec(Chunking()))
    controller.request(seen(0))
    with pytest.raises(ConfigurationError, match=r"^chunk (is a|holds) .*taken here"):
        controller.accept(chunk)


def test_all_that_the_parts_of_a_loop_lack_is_said_at_once() -> None:
    clock = Clock(clock_spec(Chunking()))

    class Half:
        def observe(self): ...

    nothing = SimpleNamespace(accept=lambda chunk: None)
    with pytest.raises(ConfigurationError) as raised:
        run_loop(Half, object(), nothing, ticks=1, clock=object())  # type: ignore[arg-type]
    said = str(raised.value)
    assert "The robot is the class Half, not an object: call it, Half(…). It has no act()," in said
    assert "The predictor is object, not an object with spec, predict()." in said
    assert "The controller is SimpleNamespace, not an object with continuation, ready, " in said
    assert "The clock is object, not an object with now(), wait()." in said
    assert "by TorchPredictor(policy). A controller is made of the spec" in said
    run = SimpleNamespace(observe=lambda: seen(0), act=lambda action: None)
    run_loop(run, clock, RecedingHorizon(clock.spec), ticks=1, clock=FakeTime())


def test_all_that_a_world_lacks_is_said_at_once() -> None:
    clock = Clock(clock_spec(Chunking()))
    task = Changing()
    task.make = lambda: SimpleNamespace(reset=None)  # type: ignore[method-assign]
    with pytest.raises(
        ConfigurationError, match=r"with reset\(\), step\(\), scores\(\), state\(\)"
    ):
        rollout(clock, task, [0])
    with pytest.raises(ConfigurationError, match=r"state\(\), render\(\)"):
        rollout(clock, task, [0], film=[0])
    with pytest.raises(ConfigurationError, match=r"with reset\(\), step\(\), scores\(\)\."):
        record_episodes(task, 1)  # type: ignore[arg-type]


def test_a_world_that_steps_as_gymnasium_does() -> None:
    task = Changing()
    task.step = lambda action: ({"time": np.zeros(1)}, 0.0, False, False, {})  # type: ignore
    with pytest.raises(ConfigurationError, match="answered with 5 values; it gives two"):
        rollout(Clock(clock_spec(Chunking())), task, [0])


def test_a_policy_spec_with_a_history_or_chunk_that_no_memory_holds() -> None:
    for name in ("obs_steps", "horizon"):
        with pytest.raises(ConfigurationError, match=f"{name} is 1000000000; it must be at most"):
            Chunking(**{name: 10**9})
    with pytest.raises(ConfigurationError, match="does not name a feature"):
        PolicySpec.select({"a": (3,), "action": (1,)}, observations=[f"a[0:{'9' * 5000}]"])


@pytest.mark.parametrize("answer", [None, 5, [], {}, np.zeros((0, 16, 1)), np.zeros((2, 16, 1))])
def test_a_predictor_answers_each_request(answer) -> None:
    spec = clock_spec(Chunking())
    predictor = SimpleNamespace(spec=spec, predict=lambda requests: answer)
    robot = SimpleNamespace(observe=lambda: seen(0), act=lambda action: None)
    with pytest.raises(ConfigurationError, match="The predictor answered a request with"):
        run_loop(robot, predictor, RecedingHorizon(spec), ticks=1)


@pytest.mark.parametrize("value", [1e39, -1e300, 10.0**308])
def test_a_reading_that_float32_does_not_hold_is_refused(value) -> None:
    with pytest.raises(NotFiniteError, match="is not a finite number of float32"):
        RecedingHorizon(clock_spec(Chunking())).request({"time": np.array([value])})
