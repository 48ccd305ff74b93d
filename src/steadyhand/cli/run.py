"""`steadyhand run POLICY`: the control loop, around a robot of the user's or a task's world."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro
from rich.text import Text

from steadyhand.cli.options import Opened, Printed, flags, parse
from steadyhand.cli.screen import EVERY_SECONDS, console, results, show, waiting
from steadyhand.errors import ConfigurationError, SteadyhandError, UsageError
from steadyhand.evaluation.acting import Acting, ContinuationName
from steadyhand.policy.named import described
from steadyhand.runtime.controllers import ControllerName
from steadyhand.runtime.loop.late import Late
from steadyhand.runtime.loop.report import LoopReport
from steadyhand.runtime.loop.run import run_loop
from steadyhand.runtime.own_file import own_name, run_file
from steadyhand.runtime.predictor import check_continuation
from steadyhand.runtime.robot import Robot, require_robot
from steadyhand.sizes import Kind
from steadyhand.tasks import make_task, register_task
from steadyhand.tasks.world_robot import WorldRobot

if TYPE_CHECKING:
    from steadyhand.runtime.predictor import ChunkController
    from steadyhand.spec import PolicySpec


@flags
class Options(Opened, Printed):
    """Drive a robot, or a task's world in real time, with a policy: Ctrl-C brings it to rest."""

    policy: tyro.conf.Positional[str]
    """A run (its last averaged weights), one of its checkpoints, an export, or the address of a
    server, ws://HOST:PORT/POLICY."""
    robot: str | None = None
    """What is driven: FILE.py:function gives an object with observe() and act(action); its stop(),
    where it has one, is called once in the end, whatever happens."""
    task: str | None = None
    """A task whose world is driven instead, by default the one the policy was trained for; your own
    as FILE.py:function."""
    controller: ControllerName = "asynchronous"
    """When chunks are asked for and how they are joined: receding waits for each."""
    delay: int | None = None
    """Ticks that an answer is expected to take, for a controller that asks ahead; counted while it
    runs by default."""
    continuation: ContinuationName | None = None
    """How real_time has chunks go on from the last: as the policy was trained by default."""
    execute: int | None = None
    """Another number of actions executed of each chunk."""
    ticks: int | None = None
    """Ticks after which it ends; until Ctrl-C by default, or until a task's episode is over."""
    rate: float | None = None
    """Ticks a second, other than the policy's own."""
    act_hz: float | None = None
    """How often a robot is told where to go between two actions, as 125."""
    late: Late = "hold"
    """What to do in a tick for which no chunk has come: hold the last action, slow down along the
    plan, or stop."""
    urgent: bool = False
    """Go before all that the machine does besides, where the system allows it."""
    seed: int | None = None
    """Fixes the noise of chunks, and a world's initial state; the task's first by default, or 0."""
    record: Path | None = None
    """Write what was seen and done, as demonstrations; it must be new."""
    report: Path | None = None
    """Write the whole report to this file, every second while it runs."""


def run(arguments: Sequence[str]) -> dict[str, Any]:
    options = parse(Options, "run", arguments)
    if options.robot is not None and options.task is not None:
        raise UsageError("A robot and a task are driven one at a time: give --robot or --task.")
    options.opening.refuse_unused(options.policy)
    task = described(options.policy)[1].task if options.robot is None else None
    with waiting("loading the policy"):
        predictor = options.opening.predictor(options.policy)
    check_continuation(predictor, _controller(predictor.spec, options))
    robot, seed = _robot(task, options)
    controller = _controller(predictor.spec, options, seed)
    rate = predictor.spec.rate_hz if options.rate is None else options.rate
    told: list[LoopReport] = []
    interrupted = False
    try:
        with (
            _recorded(robot, options.record, rate, predictor.spec.kinds) as recorder,
            _watching(told) as watch,
        ):
            run_loop(
                recorder,
                predictor,
                controller,
                ticks=options.ticks,
                rate_hz=rate,
                stop=lambda: isinstance(robot, WorldRobot) and robot.over,
                late=options.late,
                act_hz=options.act_hz,
                report=options.report,
                watch=watch,
                urgent=options.urgent,
            )
    except KeyboardInterrupt:
        if not told:
            raise
        interrupted = True
    except (Exception, SystemExit) as error:
        mine = isinstance(error, SteadyhandError)
        killed = isinstance(error, SystemExit) and told and told[-1].stopped_by == "interrupted"
        if killed or (not told and not mine):  # or nothing had begun
            raise
        _say(told, options, rate)
        notes = getattr(error, "__notes__", [])  # whether it is at rest, above all
        if mine and not notes:
            raise
        said = str(error) if mine else f"It ended with {type(error).__name__}: {error}"
        notes = notes or ["The robot's stop() was called."]
        raise UsageError(" ".join(f"{each.rstrip(' .:')}." for each in (said, *notes))) from error
    _say(told, options, rate)
    scores = dict(robot.scores()) if isinstance(robot, WorldRobot) else {}
    if scores:
        words = (f"{name.replace('_', ' ')} {value}" for name, value in scores.items())
        show(results(as_json=options.json), f"The episode: {', '.join(words)}.")
    found = {**told[-1].as_json(), **({"scores": scores} if scores else {})}
    return {**found, "interrupted": True} if interrupted else found


def _controller(spec: PolicySpec, options: Options, seed: int = 0) -> ChunkController:
    acting = Acting(controller=options.controller, delay=options.delay, by=options.continuation)
    return acting.make(spec, execute=options.execute, seed=seed)


def _robot(trained: str | None, options: Options) -> tuple[Robot, int]:
    """What is driven, and the seed of its chunks: that of an episode is the episode's own.

    Raises `UsageError`, `ConfigurationError` where it cannot be.
    """
    if options.robot is not None:
        name = own_name(options.robot)
        if name is None:
            raise UsageError(
                f"--robot {options.robot} is no function in a file: write FILE.py:function, which "
                "gives an object with observe() and act(action)."
            )
        robot = run_file(name)()
        if robot is None:
            raise UsageError(f"{options.robot} gives nothing: let it return the robot.")
        require_robot(robot)
        return robot, options.seed or 0
    task = options.task or trained
    if task is None:
        raise UsageError(
            f"Nothing says what {options.policy} is to drive: give --robot FILE.py:function or "
            "--task NAME."
        )
    if options.act_hz is not None:
        raise ConfigurationError("A task's world has one rate: --act-hz is for a robot.")
    name = task if options.task is None else register_task(task)
    made = make_task(name)
    seed = made.first_seed if options.seed is None else options.seed
    return WorldRobot(made, seed), seed


def _recorded(
    robot: Robot, out: Path | None, rate: float, kinds: Mapping[str, Kind]
) -> AbstractContextManager[Robot]:
    if out is None:
        return nullcontext(robot)
    from steadyhand.data.recording import Recorder

    return Recorder(robot, out, rate_hz=rate, kinds=kinds)


@contextmanager
def _watching(told: list[LoopReport]) -> Iterator[Any]:
    """Gives what is called with each report: kept as the last of `told`, and shown in a line."""
    screen = console()
    status = screen.status(Text("waiting for the first chunk …")) if screen.is_terminal else None
    shown = time.monotonic()

    def watch(report: LoopReport) -> None:
        nonlocal shown
        now, before = time.monotonic(), told[-1].ticks if told else 0
        told[:] = [report]
        if status is not None and not report.stopped_by:
            status.update(Text(_line(report, (report.ticks - before) / max(now - shown, 1e-3))))
            shown = now
        elif status is None and now - shown >= EVERY_SECONDS:
            show(screen, _line(report, None))
            shown = now

    with status or nullcontext():
        yield watch


def _line(report: LoopReport, rate: float | None) -> str:
    """A moment of the loop in words."""
    kept = "" if rate is None else f", {rate:.1f} Hz"
    took = f"{report.latency_ms.percentile(50):.0f} ms a chunk"
    return f"{report.ticks} ticks{kept}, {report.late} late, {report.repeated} repeated, {took}"


def _say(told: list[LoopReport], options: Options, rate: float) -> None:
    """The report in words, and what to do about it; nothing of a loop that never began."""
    if not told or not (told[-1].ticks or told[-1].waited):
        return
    screen, report, period = results(as_json=options.json), told[-1], 1000 / rate
    show(screen, *report.in_words().splitlines())
    if report.late > report.ticks / 1000:
        if report.work_ms.percentile(95) > period:
            show(
                screen,
                f"Ticks are late: observe() and act() take longer than the {period:.3g} ms of one. "
                "Let observe() return the latest reading and wait for nothing, or lower --rate.",
            )
        elif not options.urgent:
            show(screen, "Ticks are late: --urgent lets the loop go before other work.")
    if report.repeated and options.controller == "receding":
        show(
            screen,
            "By receding the robot stands still until its next chunk is there; --controller "
            "real_time, asynchronous or blend act meanwhile.",
        )
    if options.record is not None and options.record.exists():
        show(screen, f"Recorded: {options.record}")
