"""Clocks of a loop: the machine's own, waited for exactly, and one that only moves when told."""

import time
from typing import Protocol

SPIN = 0.0002
"""Seconds before the end of a wait that are not slept: sleep ends up to as much too late."""


class Clock(Protocol):
    """Seconds that only grow, and a way to wait."""

    def now(self) -> float: ...
    def wait(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's own clock. A wait ends within microseconds where the processor is free."""

    def now(self) -> float:
        return time.perf_counter()

    def wait(self, seconds: float) -> None:
        due = time.perf_counter() + seconds
        if seconds > SPIN:
            time.sleep(seconds - SPIN)
        while time.perf_counter() < due:
            pass


class SimulatedClock:
    """Seconds that pass where somebody waits: an hour of a loop takes a moment, and repeats."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds

    def now(self) -> float:
        return self.seconds

    def wait(self, seconds: float) -> None:
        self.seconds += max(0.0, seconds)
