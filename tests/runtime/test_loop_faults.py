"""An hour of the loop in simulated time, where everything fails: all of it is in the report."""

from collections import Counter

import numpy as np
import pytest

from steadyhand.errors import StaleObservationError
from steadyhand.runtime import run_loop
from steadyhand.runtime.controllers import Asynchronous, Blend
from steadyhand.runtime.loop.beside import Simulated
from steadyhand.runtime.loop.clock import SimulatedClock
from steadyhand.runtime.loop.patience import Patience
from steadyhand.runtime.safety.limits import Limited
from steadyhand.spec import Chunking, PolicySpec

RATE, SPEED, PUSH, REACH = 10.0, 1.0, 8.0, 1.5
CHUNKING = Chunking(obs_steps=2, horizon=16, execute=6)
SPEC = PolicySpec.select(
    {"joints": (1,), "action": (1,)}, observations=["joints"], chunking=CHUNKING, rate_hz=RATE
)


class Arm:
    """A joint whose sensor fails in every way; holds what it is told against the limits."""

    def __init__(self, clock, chances) -> None:
        self.clock, self.chances, self.happened = clock, chances, Counter()
        self.joints, self.speed = np.zeros(1), np.zeros(1)
        self.unsafe = self.told = self.stops = 0

    def observe(self):
        draw = self.chances.random()
        if draw < 0.005:
            self.happened["stale"] += 1
            raise StaleObservationError("The picture is 400 ms old.")
        if draw < 0.01:
            self.happened["refused"] += 1
            return {"joints": np.array([np.nan])}
        if draw < 0.012:
            self.happened["late"] += 1
            self.clock.wait(0.13)  # an observation that takes longer than a tick
        return {"joints": self.joints}

    def act(self, action) -> None:
        speed = (action - self.joints) * RATE
        change = np.abs(speed - self.speed).max() * RATE
        safe = np.isfinite(action).all() and np.abs(action).max() <= REACH + 1e-9
        safe = safe and np.abs(speed).max() <= SPEED * 1.001 and change <= PUSH * 1.001
        self.unsafe += not safe
        self.joints, self.speed = np.array(action), speed
        self.told += 1

    def stop(self) -> None:
        self.stops += 1


class Wild:
    """Chunks that jump, are not finite or do not come at all; always asks for too much."""

    spec = SPEC

    def __init__(self, chances) -> None:
        self.chances, self.happened = chances, Counter()

    def predict(self, requests):
        draw = self.chances.random()
        if draw < 0.02:
            self.happened["failed"] += 1
            raise ConnectionError("the server hung up")
        way = self.chances.normal(0, 0.3, (1, *SPEC.chunk_shape)).cumsum(1)
        if draw < 0.03:
            self.happened["failed"] += 1
            way[0, self.chances.integers(16)] = [np.nan, np.inf, -np.inf][int(draw * 1e4) % 3]
        return way

    def latency(self, request):
        draw = self.chances.random()
        if draw < 0.01:
            self.happened["lost"] += 1
            return None
        return 0.12 + 0.3 * draw**8


@pytest.mark.parametrize(("late", "minutes"), [("hold", 60), ("slow", 6)])
def test_an_hour_of_faults(late, minutes) -> None:
    chances, clock = np.random.default_rng(0), SimulatedClock()
    arm, wild = Arm(clock, chances), Wild(chances)
    robot = Limited(
        arm, rate_hz=RATE, low=-REACH, high=REACH, velocity=SPEED, acceleration=PUSH, start="joints"
    )
    made = Asynchronous if late == "hold" else Blend
    report = run_loop(
        robot,
        Simulated(wild, clock, wild.latency),
        made(SPEC, delay=3),
        ticks=int(60 * minutes * RATE),
        clock=clock,
        late=late,
        patience=Patience(answer_s=1.0, failures=5),
    )
    assert (report.stopped_by, arm.stops, arm.unsafe) == ("ticks", 1, 0)
    assert clock.now() == pytest.approx(60 * minutes, abs=1)
    assert arm.told == report.ticks - report.missed
    assert report.stale == arm.happened["stale"] > minutes
    assert report.refused == arm.happened["refused"] > minutes
    assert report.late - report.missed == arm.happened["late"] > minutes / 2
    assert report.failed == wild.happened["failed"] > minutes
    assert wild.happened["lost"] - 1 <= report.lost <= wild.happened["lost"]
    assert report.repeated > minutes / 2 or late == "slow"
    assert (report.slowed > 10) == (late == "slow")
    assert report.clipped == report.counts["limited"] > 0.5 * arm.told
    told = report.as_json()
    assert len(str(told)) < 40_000, "as long as that of a minute"


def test_a_lost_predictor_or_a_blind_robot_ends_it() -> None:
    """After an hour without a fault, the server is gone, or the sensor is."""
    for predictor, said in ((True, "predictor has not answered for 1"), (False, "not a finite")):
        chances, clock = np.random.default_rng(0), SimulatedClock()
        arm, wild = Arm(clock, chances), Wild(chances)
        arm.observe = lambda arm=arm, on=predictor: {
            "joints": arm.joints if on or arm.told < 2000 else arm.joints * np.nan
        }
        beside = Simulated(
            wild, clock, lambda r, on=predictor: None if on and r.number > 100 else 0.1
        )
        patience = Patience(answer_s=3.0, failures=99)
        robot = Limited(arm, rate_hz=RATE, velocity=SPEED)
        with pytest.raises(Exception, match=said):
            run_loop(robot, beside, Asynchronous(SPEC), ticks=9999, clock=clock, patience=patience)
        assert arm.stops == 1
