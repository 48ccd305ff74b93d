"""The loop: prediction beside it, late chunks, faults, and a robot that is brought to rest."""

import errno
import json
import signal
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from test_runtime import Clock, clock_spec

from steadyhand.errors import (
    ConfigurationError,
    NotFiniteError,
    PredictorError,
    StaleObservationError,
)
from steadyhand.runtime import Fresh, Limited, RecedingHorizon, run_loop
from steadyhand.runtime.continuation import Guided
from steadyhand.runtime.controllers import CONTROLLERS, Asynchronous, Controller, Ensemble, RealTime
from steadyhand.runtime.loop.beside import InThread, Simulated
from steadyhand.runtime.loop.clock import SimulatedClock, SystemClock
from steadyhand.runtime.loop.driving import Driving
from steadyhand.runtime.loop.patience import Patience
from steadyhand.runtime.loop.report import LoopReport
from steadyhand.runtime.loop.timing import Timing
from steadyhand.spec import Chunking, PolicySpec

NAN = float("nan")
CHUNKING = Chunking(obs_steps=1, horizon=16, execute=8)
RATE = 50


class Arm:
    """Shows for which tick of the plan it is time; keeps what it was told, and when."""

    def __init__(self, clock) -> None:
        self.clock, self.stops = clock, 0
        self.told: list[float] = []
        self.when: list[float] = []

    def observe(self):
        return {"time": np.array([np.ceil(self.told[-1] - 1e-3) + 1 if self.told else 0.0])}

    def act(self, action) -> None:
        assert self.stops == 0, "it is at rest"
        self.told.append(float(action[0]))
        self.when.append(self.clock.now())

    def stop(self) -> None:
        self.stops += 1


def driven(controller=None, *, ticks=60, latency=0.1, predictor=None, arm=None, **options):
    """(report, arm) of a drive in simulated time, at 50 Hz."""
    predictor = predictor or Clock(clock_spec(CHUNKING))
    clock = arm.clock if arm else SimulatedClock()
    arm = arm or Arm(clock)
    controller = controller or RecedingHorizon(predictor.spec)
    late = latency if callable(latency) else lambda request: latency
    beside = Simulated(predictor, clock, late)
    return run_loop(arm, beside, controller, ticks=ticks, clock=clock, **options), arm


def test_a_robot_waits_for_its_first_chunk_and_holds_where_the_next_is_late() -> None:
    report, arm = driven()
    assert (report.waited, report.ticks, len(arm.told)) == (5, 60, 60)
    assert arm.when[0] == pytest.approx(0.1)
    moved = [*range(8), *[7] * 5]
    assert arm.told[:26] == [*moved, *[each + 8 for each in moved]], "on with the first row"
    assert report.repeated == 20
    assert report.repeated_at[:6] == (8, 9, 10, 11, 12, 21)
    assert report.late_by == {5: 5}
    assert report.latency_ms.max() == pytest.approx(100)
    assert (report.late, report.stopped_by, arm.stops) == (0, "ticks", 1)


@pytest.mark.parametrize("name", CONTROLLERS)
@pytest.mark.parametrize("latency", [0.0, 0.05, 0.13])
def test_every_controller_tells_action_t_at_tick_t(name, latency) -> None:
    spec = clock_spec(CHUNKING)
    kept = {"execute": 4} if name != "receding" else {}
    report, arm = driven(CONTROLLERS[name](spec, **kept), latency=latency, ticks=100)
    moved = [t for t, before in zip(arm.told, [-1, *arm.told], strict=False) if t != before]
    np.testing.assert_allclose(moved, np.arange(len(moved)), atol=1e-5)
    assert report.repeated == 100 - len(moved)
    if name != "receding":
        assert report.repeated <= 7, "of the first answers, which nobody expected to be so late"


def test_answers_out_of_order_and_after_their_time_are_left() -> None:
    spec = clock_spec(CHUNKING)

    def late(request):
        return [0.3, 0.02, 0.2, 0.0][request.number % 4]

    for controller in (Ensemble(spec), Asynchronous(spec, execute=4)):
        report, arm = driven(controller, latency=late, ticks=200)
        assert np.diff(arm.told).max() < 1.01
        assert report.failed == 0


def test_an_answer_to_what_was_dropped_is_left() -> None:
    """Somebody moved the arm while a chunk was on its way."""
    controller, begun = RecedingHorizon(clock_spec(CHUNKING)), []
    asked = []
    report, arm = driven(
        controller,
        latency=lambda r: asked.append(r) or 0.1,
        stop=lambda: len(asked) == 2 and not begun and (begun.append(controller.replan()) or False),
    )
    assert (report.lost, report.failed) == (1, 0)
    assert arm.told[-1] > 20


def test_in_a_thread_nothing_waits_for_a_prediction() -> None:
    class Slow(Clock):
        def predict(self, requests):
            time.sleep(0.06)
            return super().predict(requests)

    predictor = Slow(clock_spec(CHUNKING))
    arm = Arm(SystemClock())
    report = run_loop(arm, predictor, Asynchronous(predictor.spec, execute=5), ticks=25)
    assert report.latency_ms.percentile(50) > 50
    assert report.work_ms.percentile(50) < 20
    assert report.waited >= 3
    moved = np.unique(arm.told)
    np.testing.assert_array_equal(moved, np.arange(len(moved)))
    assert not [t for t in threading.enumerate() if t.name == "prediction"]


def test_in_a_thread_older_requests_are_passed_over() -> None:
    spec, going = clock_spec(CHUNKING), threading.Event()

    class Held(Clock):
        def predict(self, requests):
            going.wait(5)
            return super().predict(requests)

    beside = InThread(predictor := Held(spec))
    controller = Ensemble(spec)
    asked = [controller.request({"time": np.zeros(1)}) for _ in range(1)]
    beside.ask(asked[0])
    while beside._waiting:
        time.sleep(0.001)
    for _ in range(3):
        controller.hold()
        asked.append(controller.request({"time": np.zeros(1)}))
        beside.ask(asked[-1])
    going.set()
    come = []
    while len(come) < 4:
        come += beside.answers()
    beside.close()
    assert [(a.request.number, a.passed_over) for a in come] == [
        (0, False),
        (1, True),
        (2, True),
        (3, False),
    ]
    assert len(predictor.seen) == 2


def test_it_slows_down_along_the_plan_where_a_chunk_is_late() -> None:
    spec = clock_spec(CHUNKING)
    answers = [0.0, 0.04, 0.9, 0.04]
    late = lambda request: answers[min(request.number, 3)]  # noqa: E731
    report, arm = driven(
        Asynchronous(spec, execute=4, delay=2), latency=late, ticks=60, late="slow"
    )
    steps = np.diff(arm.told)
    assert report.slowed > 5
    assert report.repeated > 5, "it stands in the end"
    begun = int(np.argmax(steps < 0.999))
    slow = steps[begun : begun + report.slowed - 1]
    assert np.all(np.diff(slow) <= 1e-6), "ever more slowly"
    assert np.all(steps <= 1 + 1e-6), "and never faster than planned"
    again = steps[begun + report.slowed + report.repeated + 1 :]
    np.testing.assert_allclose(again, 1, atol=1e-6)
    with pytest.raises(ConfigurationError, match="does not say what is planned"):
        driven(Bare(RecedingHorizon(spec)), late="slow")


def test_nothing_was_given_in_a_missed_tick() -> None:
    """Since an observation that is 3 ticks old 2 actions were given, where a tick was missed."""
    committed = []

    class Slow(Arm):
        def act(self, action) -> None:
            super().act(action)
            if len(self.told) == 7:
                self.clock.wait(1.7 / RATE)

    def late(request):
        committed.append(request.committed)
        return 0.0

    arm, timing = Slow(SimulatedClock()), Timing(observations={"time": 0.06})
    report, _ = driven(arm=arm, latency=late, timing=timing, ticks=30)
    assert report.missed == 1
    assert committed[:3] == [0, 2, 3]


def test_what_is_overdue_does_not_depend_on_how_old_observations_are() -> None:
    """Answers that take 3 ticks more than expected slow it down in each of them."""
    controller = Asynchronous(clock_spec(CHUNKING), execute=4, delay=2)
    timing = Timing(observations={"time": 0.1})
    late = lambda request: 0.1 if request.number else 0.0  # noqa: E731
    report, _ = driven(controller, latency=late, late="slow", timing=timing)
    assert report.late_by[5] >= 5
    assert (report.slowed >= 2 * report.late_by[5], report.repeated) == (True, 0)


class Bare:
    """A controller that has what the protocol asks for and nothing else."""

    continuation = None

    def __init__(self, inner: Controller) -> None:
        self._inner = inner
        for name in ("request", "accept", "lost", "action", "hold", "replan"):
            setattr(self, name, getattr(inner, name))

    ready = property(lambda self: self._inner.ready)
    source = property(lambda self: self._inner.source)


def test_a_late_chunk_can_end_it() -> None:
    report, arm = driven(late="stop")
    assert (report.stopped_by, report.ticks, arm.stops) == ("late", 8, 1)
    with pytest.raises(ConfigurationError, match="There is no answer to a late chunk 'wait'"):
        driven(late="wait")


def test_a_robot_says_itself_how_it_holds() -> None:
    arm = Arm(SimulatedClock())
    arm.hold = lambda last: last * 0 - 1  # type: ignore[attr-defined]
    report, _ = driven(arm=arm)
    assert arm.told.count(-1) == report.repeated > 0


FAULTS = ["observe", "act", "predict", "request", "stop()", "ctrl-c", "silent", "shape"]


@pytest.mark.parametrize("fault", FAULTS)
def test_it_is_stopped_exactly_once_however_it_ends(fault, tmp_path) -> None:
    class Faulty(Arm):
        def observe(self):
            if len(self.told) == 20 and fault in ("observe", "ctrl-c"):
                raise KeyboardInterrupt if fault == "ctrl-c" else OSError("no picture")
            wrong = fault == "request" and len(self.told) == 20
            return {"other": np.zeros(1)} if wrong else super().observe()

        def act(self, action):
            super().act(action)
            if len(self.told) == 20 and fault == "act":
                raise OSError("bus")

        def stop(self):
            super().stop()
            if fault == "stop()":
                raise OSError("no power")

    class Predictor(Clock):
        def predict(self, requests):
            if requests[0].number >= 2 and fault == "predict":
                raise RuntimeError("CUDA")
            rows = super().predict(requests)
            return rows[:, :3] if fault == "shape" else rows

    arm = Faulty(SimulatedClock())
    latency = lambda r: None if fault == "silent" and r.number > 1 else 0.0  # noqa: E731
    wanted = {"predict": RuntimeError, "ctrl-c": KeyboardInterrupt, "silent": PredictorError}
    wanted |= dict.fromkeys(("request", "shape"), ConfigurationError)
    last, file = [], tmp_path / "report.json"
    with pytest.raises(wanted.get(fault, OSError)):
        driven(
            arm=arm,
            predictor=Predictor(clock_spec(CHUNKING)),
            latency=latency,
            ticks=2000,
            watch=last.append,
            report=file,
        )
    assert arm.stops == 1
    said = {"ctrl-c": "interrupted", "stop()": "ticks"}.get(fault, "error: ")
    assert last[-1].stopped_by.startswith(said)
    assert ("OSError: no power, of the robot's stop()" in last[-1].stopped_by) == (
        fault == "stop()"
    )
    assert json.loads(file.read_text())["stopped_by"] == last[-1].stopped_by
    if fault == "silent":
        assert last[-1].lost == 1, "given up after 5 s, and asked anew"


def test_an_error_is_told_with_what_went_wrong_after_it() -> None:
    class Bad(Arm):
        def observe(self):
            raise OSError("no picture")

        def stop(self):
            raise OSError("no power")

    with pytest.raises(OSError, match="no picture") as raised:
        driven(arm=Bad(SimulatedClock()))
    assert raised.value.__notes__ == ["After that, OSError: no power"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_after_the_tick(number) -> None:
    arm, before = Arm(SystemClock()), signal.getsignal(number)
    predictor = Clock(clock_spec(CHUNKING))

    def stop():
        if len(arm.told) == 3:
            signal.raise_signal(number)
        return False

    last = []
    with pytest.raises(KeyboardInterrupt if number == signal.SIGINT else SystemExit):
        run_loop(
            arm,
            predictor,
            RecedingHorizon(predictor.spec),
            ticks=99,
            stop=stop,
            watch=last.append,
        )
    assert (len(arm.told), arm.stops, last[-1].stopped_by) == (4, 1, "interrupted")
    assert signal.getsignal(number) is before


def test_the_second_ctrl_c_does_not_wait_for_a_robot_that_hangs() -> None:
    class Hangs(Arm):
        def observe(self):
            if len(self.told) == 3:
                signal.raise_signal(signal.SIGINT)
                signal.raise_signal(signal.SIGINT)
                raise AssertionError
            return super().observe()

        def stop(self):
            super().stop()
            signal.raise_signal(signal.SIGINT)

    arm = Hangs(SimulatedClock())
    with pytest.raises(KeyboardInterrupt):
        driven(arm=arm)
    assert arm.stops == 1


def test_a_second_ctrl_c_comes_between_the_last_tick_and_rest(monkeypatch) -> None:
    rest = Driving._rest

    def interrupted(self, interruption):
        signal.raise_signal(signal.SIGINT)
        rest(self, interruption)

    def stop():
        if len(arm.told) == 3 and not twice:
            twice.append(signal.raise_signal(signal.SIGINT))
        return False

    monkeypatch.setattr(Driving, "_rest", interrupted)
    arm, twice = Arm(SimulatedClock()), []
    with pytest.raises(KeyboardInterrupt):
        driven(arm=arm, stop=stop)
    assert arm.stops == 1


def test_a_predictor_that_ends_itself_ends_no_thread() -> None:
    class Exits(Clock):
        def predict(self, requests):
            raise SystemExit("licence expired")

    predictor, arm = Exits(clock_spec(CHUNKING)), Arm(SystemClock())
    patience = Patience(failures=1, first_s=2.0)
    with pytest.raises(PredictorError, match="SystemExit: licence expired"):
        run_loop(arm, predictor, RecedingHorizon(predictor.spec), ticks=9, patience=patience)
    assert arm.stops == 1


def test_a_thread_that_was_closed_is_begun_anew() -> None:
    beside = InThread(Clock(clock_spec(CHUNKING)))
    for _ in range(2):
        controller, patience = RecedingHorizon(beside.spec), Patience(first_s=2.0)
        report = run_loop(Arm(SystemClock()), beside, controller, ticks=3, patience=patience)
        assert report.ticks == 3


def test_what_fails_is_asked_for_anew() -> None:
    class Poor(Clock):
        def predict(self, requests):
            if requests[0].number % 4 == 1:
                raise RuntimeError("CUDA")
            rows = super().predict(requests)
            return rows * NAN if requests[0].number % 4 == 2 else rows

    report, arm = driven(predictor=Poor(clock_spec(CHUNKING)), latency=0.0, ticks=100)
    assert report.failed >= 10
    assert np.isfinite(arm.told).all()
    with pytest.raises(NotFiniteError, match="answered with numbers that are not finite"):
        driven(
            predictor=Poor(clock_spec(CHUNKING)),
            latency=0.0,
            ticks=100,
            patience=Patience(failures=1),
        )


def test_a_stale_observation_asks_for_nothing() -> None:
    class Frozen(Arm):
        def observe(self):
            if 5 <= len(self.told) < 12:
                raise StaleObservationError("The picture is 300 ms old.")
            return super().observe()

    report, arm = driven(arm=Frozen(SimulatedClock()), latency=0.0)
    assert (report.stale, report.repeated) == (7, 4), "it goes on with the plan, then holds"
    assert arm.told[:13] == [*range(8), *[7] * 4, 8]
    with pytest.raises(StaleObservationError):
        driven(arm=Frozen(SimulatedClock()), patience=Patience(observations=3), latency=0.0)


def test_readings_are_of_one_moment_and_the_chunk_is_told_how_old_they_are() -> None:
    """Joints are 20 ms old, pictures 100 ms; what is told takes 40 ms: the age is 7 ticks."""
    recorded = {"joints": (1,), "camera": (8, 8, 3), "action": (1,)}
    spec = PolicySpec.select(
        recorded, observations=["joints", "camera"], chunking=CHUNKING, rate_hz=50
    )
    clock, asked = SimulatedClock(1.0), []

    def observe():
        now = clock.now()
        frame = round((now - 0.1) * 50) % 250
        return {
            "joints": np.array([now - 0.02]),
            "camera": np.full((8, 8, 3), frame, np.uint8),
        }

    def predict(requests):
        asked.append((clock.now(), requests[0]))
        offsets = spec.chunking.action_offsets[None, :, None]
        return requests[0].observation["joints"][-1][None, None] + offsets / 50

    timing = Timing(observations={"joints": 0.02, "camera": 0.1}, action=0.04)
    told = []
    robot = SimpleNamespace(
        observe=observe, act=lambda action: told.append((clock.now(), action[0]))
    )
    predictor = SimpleNamespace(spec=spec, predict=predict)
    controller = Asynchronous(spec, execute=4, delay=0)
    run_loop(robot, predictor, controller, ticks=60, clock=clock, timing=timing)
    for now, request in asked[3:]:
        moment = now - 0.1
        assert request.observation["joints"][-1] == pytest.approx(moment, abs=1e-6)
        assert request.observation["camera"][-1, 0, 0, 0] == round(moment * 50) % 250
        assert request.committed == 7
    at, what = np.array(told[20:]).T
    np.testing.assert_allclose(what, at + 0.04, atol=1e-6, err_msg="felt when it was meant for")


def test_a_faster_gripper_is_told_later() -> None:
    spec = PolicySpec.select(
        {"time": (1,), "action": (2,)}, observations=["time"], chunking=CHUNKING, rate_hz=50
    )
    rows = np.arange(16.0)[None, :, None].repeat(2, 2)
    predictor = SimpleNamespace(spec=spec, predict=lambda requests: rows)
    told: list = []
    robot = SimpleNamespace(observe=lambda: {"time": np.zeros(1)}, act=told.append)
    for hand, wanted in (({"hand": (slice(1, 2), 0.04)}, 2), ({}, 4)):
        timing = Timing(action={"arm": (slice(0, 1), 0.08), **hand})
        told.clear()
        run_loop(
            robot,
            predictor,
            RecedingHorizon(spec),
            ticks=8,
            clock=SimulatedClock(),
            timing=timing,
        )
        arm, gripper = np.array(told).T
        np.testing.assert_array_equal(arm, np.arange(8))
        np.testing.assert_array_equal(gripper, np.maximum(np.arange(8) - wanted, 0))


@pytest.mark.parametrize(
    ("timing", "said"),
    [
        ({"observations": {"tim": 0.1}}, "Did you mean 'time'"),
        ({"observations": {"time": 120}}, "in seconds"),
        ({"observations": {"time": NAN}}, "finite"),
        ({"action": {"arm": (slice(0, 3), 0.1)}}, "the action has 1"),
        ({"action": -1.0}, "in seconds"),
        ({"observations": {"time": 0.3}, "action": 0.02}, "16 ticks, and a chunk has 16 rows"),
    ],
)
def test_latencies_that_cannot_be(timing, said) -> None:
    with pytest.raises(ConfigurationError, match=said):
        driven(timing=Timing(**timing))


def test_act_hz_is_how_often_a_robot_is_told() -> None:
    spec = clock_spec(CHUNKING)
    _, arm = driven(Asynchronous(spec, execute=4, delay=0), ticks=20, latency=0.0, act_hz=125)
    when = np.array(arm.when)
    np.testing.assert_allclose(np.diff(when), 0.008, atol=1e-9)
    assert len(arm.told) == 50
    # From action to action, each reached as its tick ends; it begins with the first one.
    np.testing.assert_allclose(arm.told, np.maximum(when / 0.02 - 1, 0), atol=0.15)
    np.testing.assert_allclose(arm.told[5::5], when[5::5] / 0.02 - 1, atol=1e-6)
    assert np.diff(arm.told[5:]).max() < 0.41, "at an even pace, also from chunk to chunk"
    with pytest.raises(ConfigurationError, match="act_hz is 10, less than the 50 Hz"):
        driven(act_hz=10)


def test_a_report_is_written_while_it_runs(tmp_path) -> None:
    predictor, file, seen = Clock(clock_spec(CHUNKING)), tmp_path / "report.json", []

    def stop():
        if file.exists():
            seen.append(json.loads(file.read_text()))
        return len(seen) > 3

    report = run_loop(
        Arm(SystemClock()),
        predictor,
        RecedingHorizon(predictor.spec),
        ticks=None,
        stop=stop,
        report=file,
    )
    assert (seen[0]["stopped_by"], report.stopped_by) == ("", "stop")
    asked_for = ["ticks", "late", "repeated", "latency_ms", "jitter_ms", "clipped", "stopped_by"]
    assert set(asked_for) <= set(seen[0])
    assert json.loads(file.read_text())["ticks"] == report.ticks
    assert f"{report.ticks} ticks" in report.in_words()
    with pytest.raises(OSError, match="no folder"):
        driven(report=file / "below.json")


def test_a_report_that_cannot_be_written_is_told_all_the_same(tmp_path, monkeypatch) -> None:
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    told = []
    monkeypatch.setattr("steadyhand.disk.Path.write_text", full)
    with pytest.raises(OSError, match=r"No space left on device: .*report\.json"):
        driven(report=tmp_path / "report.json", watch=told.append)
    assert told[-1].stopped_by == "ticks"


def test_urgent_threads_are_asked_for_and_given_back(monkeypatch) -> None:
    predictor, ranks = Clock(clock_spec(CHUNKING)), []

    def schedule(thread, policy, param):
        ranks.append((policy, param.sched_priority))

    monkeypatch.setattr("os.sched_setscheduler", schedule)

    def run(**options):
        controller = RecedingHorizon(predictor.spec)
        return run_loop(Arm(SystemClock()), predictor, controller, ticks=3, **options)

    run()
    assert not ranks, "only where it is asked for"
    run(urgent=True)
    assert [rank for _, rank in ranks] == [20, 10, 0, 0]

    def refuse(*given):
        raise PermissionError

    monkeypatch.setattr("os.sched_setscheduler", refuse)
    with pytest.raises(ConfigurationError, match="may not make a thread urgent"):
        run(urgent=True)


def test_going_on_is_tried_once_before_the_robot_moves() -> None:
    """What is slow the first time, as a gradient through a network is, is done at rest."""
    spec = clock_spec(Chunking(obs_steps=1, horizon=8, execute=4))
    asked = []

    class Slow:
        """Takes long where it goes on for the first time."""

        def __init__(self) -> None:
            self.spec = spec

        def predict(self, requests):
            asked.append((requests[0].number, requests[0].continuation, requests[0].committed))
            if requests[0].continuation is not None and len(asked) == 2:
                time.sleep(0.2)
            return np.zeros((1, 8, 1), np.float32)

        def continues(self, how) -> None: ...

    class Still:
        def observe(self):
            return {"time": np.zeros(1)}

        def act(self, action) -> None: ...

    report = run_loop(Still(), Slow(), RealTime(spec, delay=1), ticks=12, rate_hz=50)
    assert asked[:2] == [(0, None, 0), (0, Guided(), 1)]
    assert report.repeated == 0
    assert report.waited > 5


def test_a_report_in_words_counts_as_people_do() -> None:
    report = LoopReport(ticks=40, late=40, missed=1, waited=2, counts={"limited": 1, "answers": 3})
    said = report.in_words()
    assert "40 late (100 %)" in said
    assert "1 tick passed without an action; 2 ticks passed before the first chunk" in said
    assert "1 action limited; 3 answers refused." in said


def test_limits_are_counted_at_the_rate_at_which_the_robot_is_told() -> None:
    """At 250 Hz an arm whose limits are a fiftieth of a second's would go five times as fast."""
    for rates, rate in (({}, 50.0), ({"act_hz": 250}, 250.0), ({"rate_hz": 10}, 10.0)):
        driven(arm=Fresh(limited(rate), stamp=lambda seen: time.monotonic()), ticks=3, **rates)
        with pytest.raises(ConfigurationError, match=f"told something {rate:g} times a second"):
            driven(arm=Fresh(limited(20.0)), ticks=3, **rates)


def limited(rate: float) -> Limited:
    return Limited(Arm(SimulatedClock()), rate_hz=rate, velocity=1e6)


@pytest.mark.parametrize(("seconds", "held"), [(0.005, False), (0.045, True)])
def test_a_chunk_that_comes_within_half_a_tick_is_used_in_its_tick(seconds, held) -> None:
    """As of old, when it was predicted in the tick; one that takes longer is waited for at rest."""
    spec = clock_spec(Chunking(obs_steps=1, horizon=8, execute=4))

    class Takes:
        def __init__(self) -> None:
            self.spec = spec

        def predict(self, requests):
            time.sleep(seconds)
            return np.zeros((1, 8, 1), np.float32)

    class Still:
        def observe(self):
            return {"time": np.zeros(1)}

        def act(self, action) -> None: ...

    report = run_loop(Still(), Takes(), RecedingHorizon(spec), ticks=16, rate_hz=20)
    assert (report.repeated > 2) == held
    assert report.late == 0
