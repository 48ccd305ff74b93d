"""Predictions that nobody should make, through every controller: nothing unsafe leaves.

What a policy, a network and a scheduler can do wrong is drawn from a seed: numbers that are none,
jumps, other shapes, answers that are late, lost, given twice or in another order. The environment's
STEADYHAND_PREDICTIONS is how many there are: 100,000 take forty seconds.
"""

import os
from contextlib import suppress

import numpy as np
import pytest
from test_limits import Arm, beyond

from steadyhand.actions import ActionPart
from steadyhand.errors import (
    ConfigurationError,
    NotFiniteError,
    PredictorError,
    StaleObservationError,
)
from steadyhand.runtime import Checked, Fresh, Limited, Turning, Workspace, counted, run_loop
from steadyhand.runtime.controllers import CONTROLLERS
from steadyhand.runtime.loop.beside import Simulated
from steadyhand.runtime.loop.clock import SimulatedClock
from steadyhand.runtime.loop.patience import Patience
from steadyhand.spec import Chunking, PolicySpec

RATE, PREDICTIONS = 50.0, int(os.environ.get("STEADYHAND_PREDICTIONS", "21000"))
LIMITS = {"low": -1.0, "high": 1.0, "velocity": 2.0, "acceleration": 20.0, "jerk": 400.0}
HORIZON = 6
SPEC = PolicySpec.select(
    {"state": (1,), "action": (1,)},
    observations=["state"],
    chunking=Chunking(obs_steps=1, horizon=HORIZON, execute=2),
    rate_hz=RATE,
)


def strange_chunks(random, count: int, size: int = 1) -> list:
    """Chunks of every kind; a third of them could be followed, or nearly."""
    made = []
    for number in range(count):
        chunk = random.normal(size=(1, HORIZON, size)) * 10.0 ** random.integers(-3, 3)
        if number % 3 == 0:
            chunk = np.cumsum(random.normal(size=(1, HORIZON, size)), axis=1) * 0.02
        elif number % 3 == 1:
            chunk[0, random.integers(HORIZON), random.integers(size)] = random.choice(
                [np.nan, np.inf, -np.inf, 1e300, -1e38, 1e-320]
            )
        elif number % 12 == 2:
            other = [chunk[0], chunk[:, :-1], np.repeat(chunk, 2, 0), chunk[..., :0], None, "left"]
            chunk = [*other, chunk[:0], chunk * 1j, [[[0.0], [0.0, 1.0]]]][number % 9]
        elif number % 12 == 5:
            chunk = np.broadcast_to(random.choice([-1.0, 1.0, 50.0]), chunk.shape)
        made.append(chunk.astype(np.float32) if number % 2 and hasattr(chunk, "astype") else chunk)
    return made


class Strange:
    """A predictor that gives one of its chunks, or raises."""

    spec = SPEC

    def __init__(self, random, count: int = 400) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            self.chunks = strange_chunks(random, count)
        self.order = random.integers(0, count, 1 << 14)
        self.asked = 0

    def predict(self, requests):
        self.asked += 1
        return self.chunks[self.order[self.asked % len(self.order)]]


def driven(name: str, seed: int, predictions: int):
    """A robot of one joint, driven until so many predictions were made; what it was told."""
    random = np.random.default_rng(seed)
    predictor, arm = Strange(random), Arm([0.0])
    checked = Checked(predictor)
    limited = Limited(arm, rate_hz=RATE, start="joints", **LIMITS)
    controller = CONTROLLERS[name](SPEC, seed=seed)
    fate = random.random(1 << 14)
    delays = random.integers(0, HORIZON + 3, 1 << 14)
    seen = {"state": np.zeros(1)}
    limited.observe()
    on_their_way: list = []
    tick, last = 0, None
    while predictor.asked < predictions:
        tick += 1
        luck = fate[tick % len(fate)]
        seen["state"][0] = np.nan if luck > 0.98 else luck
        with suppress(NotFiniteError):
            request = controller.request(seen)
            if request is not None:
                with suppress(PredictorError, NotFiniteError):
                    due = tick + (delays[tick % len(delays)] if luck > 0.4 else 0)
                    answer = (due, checked.predict([request])[0], request)
                    on_their_way += [answer] * (1 + (luck < 0.05))  # some are given twice
                    request = request if luck > 0.9 else None
                if request is not None:
                    controller.lost(request)
        if luck < 0.1:
            on_their_way.reverse()
        come = [answer for answer in on_their_way if answer[0] <= tick]
        on_their_way = [answer for answer in on_their_way if answer[0] > tick]
        for _, chunk, asked in come:
            with suppress(ConfigurationError):  # one that is waited for no more
                controller.accept(chunk, asked)
        last = controller.action() if controller.ready else controller.hold()
        if last is None:
            continue
        if luck > 0.99:
            last = [np.full(1, np.nan), np.zeros(3), None][tick % 3]
        limited.act(last)
    return np.array(arm.told), counted(limited), counted(checked)


@pytest.mark.parametrize("name", CONTROLLERS)
def test_no_action_outside_the_limits_leaves(name) -> None:
    """So many predictions between the controllers."""
    each = PREDICTIONS // len(CONTROLLERS) + 1
    with np.errstate(over="ignore", invalid="ignore"):  # of what a blend makes of 1e300
        told, counts, refused = driven(name, len(name), each)
    over = beyond(told, 0.0, LIMITS)
    assert max(over.pop("low"), over.pop("high")) <= 0
    assert max(over.values()) <= 1e-9
    assert max(over.values()) > -0.01  # it was driven to its limits
    assert np.isfinite(told).all()
    assert refused["answers"] > each / 5
    assert counts["limited"] > len(told) / 3
    assert counts["refused"] > len(told) / 200


def test_wrappers_around_wrappers_in_the_loop() -> None:
    """A tool with a place and a turn; devices that freeze; what left, and what the report says."""
    random, clock = np.random.default_rng(0), SimulatedClock()
    spec = PolicySpec.select(
        {"pose": (7,), "action": (7,)},
        observations=["pose"],
        chunking=Chunking(obs_steps=1, horizon=HORIZON, execute=3),
        rate_hz=RATE,
        action_parts=(ActionPart(start=3, stop=7, kind="quaternion_xyzw"),),
    )

    class Tool(Arm):
        def observe(self):
            frozen = random.random() < 0.2
            pose = np.array([0, 0, 0, 0, 0, 0, 1.0])
            return {"pose": pose, "timestamp": np.array(0.0 if frozen else clock.now() + 1)}

    class Many(Strange):
        def __init__(self) -> None:
            super().__init__(random)
            with np.errstate(over="ignore", invalid="ignore"):
                self.chunks = strange_chunks(random, 400, 7)

    Many.spec = spec
    arm, predictor = Tool(), Many()
    inner = Limited(arm, rate_hz=RATE, columns=range(3), start="pose", **LIMITS)
    turning = Turning(inner, parts=spec.action_parts, speed=2.0, rate_hz=RATE, start="pose[3:7]")
    robot = Fresh(Workspace(turning, [-0.5] * 3, [0.5] * 3))
    checked = Checked(predictor)
    beside = Simulated(checked, clock, lambda request: random.uniform(0, 0.15))
    controller = CONTROLLERS["asynchronous"](spec)
    patience = Patience(observations=100, failures=1000)
    report = run_loop(robot, beside, controller, ticks=600, clock=clock, patience=patience)
    told = np.array(arm.told)
    over = beyond(told[:, :3], 0.0, LIMITS)
    assert max(over.values()) <= 1e-9
    # Limits hold for certain; the box of the tool up to the way it takes to stop.
    assert np.abs(told[:, :3]).max() <= 0.5 + 1e-9
    turns = np.concatenate([[[0, 0, 0, 1]], told[:, 3:]])
    cosine = np.clip(np.abs((turns[1:] * turns[:-1]).sum(1)), 0, 1)
    assert 2 * np.arccos(cosine).max() * RATE <= 2.0 + 1e-4
    assert report.counts["stale"] == report.stale > 50
    assert min(report.counts[name] for name in ("limited", "turned", "outside")) > 50
    assert counted(checked)["answers"] > 20


def test_a_device_that_stays_silent_ends_it() -> None:
    clock = SimulatedClock()

    class Frozen(Arm):
        def observe(self):
            return {"state": np.zeros(1), "timestamp": np.array(1.0)}

    class Still(Strange):
        def predict(self, requests):
            return np.zeros((1, HORIZON, 1), np.float32)

    with pytest.raises(StaleObservationError, match="'timestamp' is"):
        run_loop(
            Fresh(Frozen()),
            Still(np.random.default_rng(0)),
            CONTROLLERS["receding"](SPEC),
            ticks=100,
            clock=clock,
        )
