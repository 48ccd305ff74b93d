"""The fixed-rate loop that moves a robot: observe, predict when a chunk is due, act, wait."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from steadyhand.runtime.predictor import ChunkController, Predictor, answers, require
from steadyhand.runtime.robot import Robot
from steadyhand.sizes import Count
from steadyhand.values import checked, positive


class Clock(Protocol):
    """Seconds that only grow, and a way to wait."""

    def now(self) -> float: ...
    def wait(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        return time.perf_counter()

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)


@dataclass(frozen=True)
class LoopReport:
    """How well the rate was kept."""

    ticks: int
    late: int
    """Ticks whose action left after the next tick was due."""
    work_ms: NDArray[np.float64]
    """Milliseconds from the start of each tick to its action, shape (ticks,)."""


@checked
def run_loop(
    robot: Robot,
    predictor: Predictor,
    controller: ChunkController,
    *,
    ticks: Count,
    rate_hz: float | None = None,
    clock: Clock | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> LoopReport:
    """Drive `robot` for `ticks` ticks at `rate_hz` (the policy's own by default).

    Prediction happens inside the tick that needs it. A tick that is late does not make the ones
    after it early: the schedule is moved, and the next action is at least a period away. A
    controller that was used before, and has a `replan`, begins with a new chunk.

    Raises `ConfigurationError` for parts that lack a method, before anything moves.
    """
    clock = SystemClock() if clock is None else clock
    parts = {
        "robot": (robot, Robot),
        "predictor": (predictor, Predictor),
        "controller": (controller, ChunkController),
        "clock": (clock, Clock),
    }
    require(parts, "A policy becomes a predictor by TorchPredictor(policy).")
    period = 1 / positive("rate_hz", predictor.spec.rate_hz if rate_hz is None else rate_hz)
    getattr(controller, "replan", lambda: None)()
    work = np.zeros(ticks)
    late = done = 0
    due = clock.now()
    for tick in range(ticks):
        if stop():
            break
        begun = clock.now()
        request = controller.request(robot.observe())
        if request is not None:
            controller.accept(answers(predictor, [request])[0], request)
        robot.act(np.array(controller.action()))  # the robot may do what it likes with its own
        acted = clock.now()
        work[tick] = 1000 * (acted - begun)
        done += 1
        due += period
        if acted > due:
            late += 1
            due = acted + period
        clock.wait(due - acted)
    return LoopReport(done, late, work[:done])
