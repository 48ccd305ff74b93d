"""What is measured in simulation is what the robot's loop does: the same actions, bit for bit."""

from functools import partial

import numpy as np
import pytest

from steadyhand.evaluation.latency import Latency
from steadyhand.evaluation.rollout import rollout
from steadyhand.runtime import (
    Asynchronous,
    Blend,
    Patience,
    RealTime,
    RecedingHorizon,
    Speculative,
    chunk_noise,
    run_loop,
)
from steadyhand.runtime.loop.beside import Simulated
from steadyhand.runtime.loop.clock import SimulatedClock
from steadyhand.spec import Chunking, PolicySpec
from steadyhand.tasks import make_task
from steadyhand.tasks.world_robot import WorldRobot

TASK = make_task("fork")
SPEC = PolicySpec.select(
    {"state": (2,), "action": (2,)},
    observations=["state"],
    chunking=Chunking(obs_steps=2, horizon=16, execute=4),
    rate_hz=TASK.rate_hz,
)
SEED = 5
WATCHFUL = partial(Speculative, bound=0.3)


class Wandering:
    """Chunks that depend on all that was seen, on the noise, and on what was to be done anyway."""

    spec = SPEC

    def __init__(self, fails=lambda request: False) -> None:
        self.fails = fails

    def continues(self, how) -> None: ...

    def predict(self, requests):
        return np.concatenate([self.chunk(request) for request in requests])

    def chunk(self, request):
        if self.fails(request):
            raise ConnectionError("it was dropped on the way")
        before, now = request.observation["state"]
        noise = chunk_noise(request.seed, request.number, SPEC.chunk_shape)
        way = np.cumsum(0.02 * noise + [0.01, 0.0], axis=0) + 0.5 * (now - before)
        rest = 0 if request.previous is None else request.previous[request.committed :].sum() % 0.01
        return (now + way + rest).astype(np.float32)[None]


@pytest.mark.parametrize("controller", [RecedingHorizon, Asynchronous, Blend, RealTime, WATCHFUL])
@pytest.mark.parametrize(
    "latency",
    [Latency(), Latency(seconds=0.2), Latency(seconds=0.25, jitter=0.2, drop=0.2)],
    ids=["none", "fixed", "jitter and drops"],
)
def test_the_loop_does_what_was_evaluated(controller, latency) -> None:
    def outcome(request):
        return latency.of(request.seed, request.number, TASK.rate_hz)

    evaluated = rollout(
        Wandering(), TASK, [SEED], controller=controller, latency=latency, processes=0
    ).episodes[0]
    clock, told = SimulatedClock(), []
    robot = WorldRobot(TASK, SEED)
    act = robot.act
    robot.act = lambda action: (told.append(np.array(action)), act(action))  # type: ignore
    report = run_loop(
        robot,
        Simulated(
            Wandering(lambda request: not outcome(request)[1] and request.number > 0),
            clock,
            lambda request: outcome(request)[0] / TASK.rate_hz,
        ),
        controller(SPEC, seed=SEED),
        ticks=None,
        clock=clock,
        stop=lambda: robot.over,
        patience=Patience(failures=99),
    )
    np.testing.assert_array_equal(np.array(told), evaluated.actions)
    assert dict(robot.scores()) == dict(evaluated.scores)
    assert report.repeated == evaluated.held
    assert report.failed == evaluated.lost
