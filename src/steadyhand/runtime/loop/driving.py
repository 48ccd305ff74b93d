"""One drive of a robot, tick by tick, from the first observation until it is at rest again."""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import NotFiniteError, StaleObservationError
from steadyhand.runtime.loop.asked import Asked
from steadyhand.runtime.loop.beside import Beside
from steadyhand.runtime.loop.clock import Clock, SystemClock
from steadyhand.runtime.loop.interpolation import Waypoints
from steadyhand.runtime.loop.late import Late, LateError, Step, Steps
from steadyhand.runtime.loop.patience import Patience
from steadyhand.runtime.loop.report import Tally
from steadyhand.runtime.loop.schedule import Schedule
from steadyhand.runtime.loop.timing import Aligned, Timing, Together
from steadyhand.runtime.loop.undisturbed import Interruption
from steadyhand.runtime.predictor import ChunkController, ChunkRequest
from steadyhand.runtime.robot import Robot, stopped

WITHIN_TICK = 0.5
"""So much of a tick its action may wait for a chunk that comes soon, instead of the whole of it."""
POLL_SECONDS = 0.0005


class Driving:
    """What `run_loop` does once everything fits. `rates` are of ticks and of what is sent."""

    def __init__(
        self,
        robot: Robot,
        beside: Beside,
        controller: ChunkController,
        clock: Clock,
        tally: Tally,
        *,
        rates: tuple[float, float],
        late: Late,
        timing: Timing,
        patience: Patience,
    ) -> None:
        self._robot, self._beside, self._controller = robot, beside, controller
        self._clock, self._tally, self._patience = clock, tally, patience
        self._rate, self._act = rates
        parts = beside.spec.transform.parts
        self._asked = Asked(beside, controller, clock, patience, tally)
        self._steps = Steps(controller, parts, late, tally)
        self._way = Waypoints(parts) if self._act > self._rate else None
        self._aligned = Aligned(timing) if timing.observations else None
        self._together = Together(timing)
        self._age = round(timing.seconds * self._rate)
        self._since = deque[tuple[int, int]]()
        """Ticks since the latest observation was true, and how many actions were given before."""
        self._unusable = 0
        self._sent: float | None = None

    def drive(
        self,
        ticks: int | None,
        stop: Callable[[], bool],
        interruption: Interruption,
        told: Callable[[], None],
    ) -> None:
        """Until it is over, however that comes. The robot is at rest then, and `told` was called.

        Raises what ended it, if it was an error or an interruption.
        """
        try:
            self._tally.stopped_by = self._until(ticks, stop, interruption)
            interruption.stopping = True  # from here on no Ctrl-C comes in between
        except BaseException as error:
            interrupted = isinstance(error, KeyboardInterrupt)
            said = f"error: {type(error).__name__}: {error}"
            self._tally.stopped_by = "interrupted" if interrupted else said
            for last in (partial(self._rest, interruption), told):
                try:
                    last()
                except Exception as another:  # the first is what has to be mended
                    error.add_note(f"After that, {type(another).__name__}: {another}")
            raise
        try:
            self._rest(interruption)
        except Exception as error:
            self._tally.stopped_by += (
                f"; then {type(error).__name__}: {error}, of the robot's stop()"
            )
            error.add_note("It came from the robot's stop().")
            raise
        finally:
            told()
        interruption.pass_on()

    def _rest(self, interruption: Interruption) -> None:
        interruption.stopping = True
        try:
            stopped(self._robot)
        finally:
            self._beside.close()

    def _until(
        self, ticks: int | None, stop: Callable[[], bool], interruption: Interruption
    ) -> str:
        """Tick by tick; what it ended by."""
        schedule = Schedule(self._clock.now(), self._rate, self._act)
        tally, begun = self._tally, False
        while ticks is None or tally.ticks < ticks:
            if interruption.signal is not None:
                return "interrupted"
            if stop():
                return "stop"
            try:
                begun = self._tick(schedule) or begun
            except LateError:
                return "late"
            passed = schedule.advance(self._clock.now())
            if begun:
                passed = passed if ticks is None else min(passed, ticks - tally.ticks)
                tally.ticks += passed
                tally.late += passed
                tally.missed += passed
            self._wait_until(schedule.due)
        return "ticks"

    def _tick(self, schedule: Schedule) -> bool:
        """One tick; whether the robot was told something."""
        begun = self._clock.now()
        self._asked.begin()
        self._since.append((schedule.tick, self._steps.given))
        while self._since[0][0] < schedule.tick - self._age:
            self._since.popleft()
        request = self._request()
        if request is not None:
            self._asked.ask(request, self._since[0][1])
        self._asked.take()
        if request is not None:
            self._wait_within(schedule)
        step = self._steps.step(overdue=self._asked.overdue(self._steps.given))
        if step is None:
            return False
        self._tally.ticks += 1
        acted = self._tell(step, schedule, begun)
        if acted > schedule.next_due:
            self._tally.late += 1
        return True

    def _wait_within(self, schedule: Schedule) -> None:
        """Where nothing is planned but a chunk was asked for in this tick, give it a part of it.

        Counted time knows whole ticks alone: a clock that is not the machine's own is not waited
        on.
        """
        latest = schedule.due + WITHIN_TICK / self._rate
        while (
            self._steps.given
            and not self._controller.ready
            and isinstance(self._clock, SystemClock)
            and self._clock.now() + POLL_SECONDS < latest
        ):
            self._clock.wait(POLL_SECONDS)
            self._asked.take()

    def _request(self) -> ChunkRequest | None:
        """See what there is to see; what the controller asks for then, if anything.

        Raises `StaleObservationError`, `NotFiniteError` where that has been so for too long.
        """
        try:
            observation = self._robot.observe()
            if self._aligned is not None:
                observation = self._aligned.see(observation, self._clock.now())
            # In a tick that was missed nothing was given, and the controller knows of none.
            age = {"age": len(self._since) - 1} if self._age else {}
            request = self._controller.request(observation, **age)
        except (StaleObservationError, NotFiniteError) as error:
            if isinstance(error, StaleObservationError):
                self._tally.stale += 1
            else:
                self._tally.refused += 1
            self._unusable += 1
            if self._unusable > self._patience.observations:
                raise
            return None
        self._unusable = 0
        return request

    def _tell(self, step: Step, schedule: Schedule, begun: float) -> float:
        """Send the action, at the low-level rate on the way to it; when the first one was sent."""
        action: NDArray[Any] = step.action
        if not step.planned and (hold := getattr(self._robot, "hold", None)) is not None:
            own: NDArray[Any] | None = hold(np.array(action))
            action = action if own is None else own
        if self._way is None:
            acted = self._send(action, schedule.due)
            self._tally.work_ms.add(1000 * (acted - begun))
            return acted
        self._way.go_on(action, step.then if step.planned else action)
        acted = None
        for at, share in schedule.sendings():
            now = self._clock.now()
            if now - at > 0.5 / self._act and at + 1 / self._act < schedule.next_due:
                continue  # its time has passed while something else took long
            self._wait_until(at)
            sent = self._send(self._way.at(share), at)
            if acted is None:
                acted = sent
                self._tally.work_ms.add(1000 * (acted - begun))
        return self._clock.now() if acted is None else acted

    def _send(self, action: NDArray[Any], meant_at: float) -> float:
        """Tell the robot, no sooner than half a period after the last time; when that was done."""
        period = 1 / self._act
        if self._sent is not None:
            self._wait_until(self._sent + 0.5 * period)
        # The robot may do what it likes with its own.
        self._robot.act(np.array(self._together.due(action, meant_at, period)))
        now = self._clock.now()
        if self._sent is not None:
            self._tally.interval_ms.add(1000 * (now - self._sent))
            self._tally.jitter_ms.add(1000 * abs(now - self._sent - period))
        self._sent = now
        return now

    def _wait_until(self, due: float) -> None:
        left = due - self._clock.now()
        if left > 0:
            self._clock.wait(left)
