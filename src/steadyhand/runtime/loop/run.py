"""The fixed-rate loop that moves a robot: observe, ask for chunks, tell the robot what is due.

Chunks are predicted beside it. However it ends, the robot is brought to rest once. When to ask is
the controller's, what to do where a chunk is late `late.py`'s.
"""

from collections.abc import Callable
from pathlib import Path
from typing import cast

from steadyhand.errors import ConfigurationError
from steadyhand.runtime.continuation import Continuation
from steadyhand.runtime.loop.beside import Beside, InThread, Simulated
from steadyhand.runtime.loop.clock import Clock, SystemClock
from steadyhand.runtime.loop.driving import Driving
from steadyhand.runtime.loop.late import Late
from steadyhand.runtime.loop.patience import Patience
from steadyhand.runtime.loop.report import LoopReport, Tally
from steadyhand.runtime.loop.reporter import Reporter
from steadyhand.runtime.loop.timing import Timing
from steadyhand.runtime.loop.undisturbed import interruptible, quick
from steadyhand.runtime.predictor import ChunkController, Predictor, check_continuation, require
from steadyhand.runtime.robot import Robot, require_rate
from steadyhand.sizes import Count
from steadyhand.values import checked, positive

__all__ = ["LoopReport", "Robot", "run_loop"]


@checked
def run_loop(
    robot: Robot,
    predictor: Predictor | Beside,
    controller: ChunkController,
    *,
    ticks: Count | None,
    rate_hz: float | None = None,
    clock: Clock | None = None,
    stop: Callable[[], bool] = lambda: False,
    late: Late = "hold",
    act_hz: float | None = None,
    timing: Timing | None = None,
    patience: Patience | None = None,
    report: Path | None = None,
    watch: Callable[[LoopReport], object] | None = None,
    urgent: bool = False,
) -> LoopReport:
    """Drive `robot` for `ticks` ticks at `rate_hz` (the policy's own by default), None for ever.

    Prediction runs beside the loop: in a thread on the machine's own clock; with another `clock`,
    at once and in this thread, or as a `Simulated` says. Until the first chunk is there the robot
    is told nothing, and no tick is counted. Ticks are on a schedule that what is late does not
    move; two actions are never closer together than half a period.

    `late` says what to do in a tick for which no chunk has come. With `act_hz`, what is told goes
    from action to action at that rate. `timing` has the latencies of devices. Every second the
    report is given to `watch`, in a thread of its own, and written to the file `report`. `urgent`
    threads go before all else that the machine does, where the system allows it.

    `robot.stop()`, where it has one, is called once however this ends; Ctrl-C and errors are raised
    after that. A controller that was used before begins anew.

    Raises `ConfigurationError` for parts that lack a method or do not fit, before anything moves,
    `PredictorError` where answers fail to come, and what robot or predictor raise.
    """
    simulated = clock is not None and not isinstance(clock, SystemClock)
    clock = SystemClock() if clock is None else clock
    _require(robot, predictor, controller, clock)
    beside = _beside(predictor, clock, simulated, urgent, controller.continuation)
    rates = _rates(beside.spec.rate_hz if rate_hz is None else rate_hz, act_hz)
    require_rate(robot, rates[1])
    timing, patience, tally = timing or Timing(), patience or Patience(), Tally()
    timing.check(beside.spec, rates[0])
    parts = robot, beside, controller, clock, tally
    driving = Driving(*parts, rates=rates, late=late, timing=timing, patience=patience)
    reporter = Reporter(lambda: tally.report(robot, predictor), watch, report)
    controller.replan()
    with quick(urgent), interruptible() as interruption:
        if not simulated:
            reporter.begin()
        driving.drive(ticks, stop, interruption, reporter.end)
    return tally.report(robot, predictor)


def _require(robot: object, predictor: object, controller: object, clock: object) -> None:
    """Raise `ConfigurationError` that says all that any part lacks."""
    parts: dict[str, tuple[object, type]] = {
        "robot": (robot, Robot),
        "predictor": (predictor, Beside if hasattr(predictor, "ask") else Predictor),
        "controller": (controller, ChunkController),
        "clock": (clock, Clock),
    }
    advice = {
        "predictor": "A policy becomes a predictor by TorchPredictor(policy).",
        "controller": "A controller is made of the spec: RecedingHorizon(predictor.spec).",
    }
    require(parts, advice)
    beside = hasattr(predictor, "ask")
    inner = getattr(predictor, "predictor", None) if beside else predictor
    if inner is not None:
        check_continuation(cast(Predictor, inner), cast(ChunkController, controller))


def _rates(rate_hz: float, act_hz: float | None) -> tuple[float, float]:
    """How often the robot sees, and how often it is told something."""
    rate = positive("rate_hz", rate_hz)
    low_level = rate if act_hz is None else positive("act_hz", act_hz)
    if low_level < rate:
        raise ConfigurationError(
            f"act_hz is {low_level:g}, less than the {rate:g} Hz of the policy: it is how often "
            "the robot is told where to go between two of its actions."
        )
    return rate, low_level


def _beside(
    predictor: Predictor | Beside,
    clock: Clock,
    simulated: bool,
    urgent: bool,
    continuation: Continuation | None,
) -> Beside:
    if hasattr(predictor, "ask"):
        return cast(Beside, predictor)
    predictor = cast(Predictor, predictor)
    if simulated:
        return Simulated(predictor, clock)
    return InThread(predictor, clock, urgent=urgent, continuation=continuation)
