"""When each tick is due: on a schedule that what comes late does not move. Nothing waits here."""

import math
from collections.abc import Iterator

SLACK = 1e-9
"""Of a tick: sums of periods are not exact."""


class Schedule:
    """Ticks at `start + n·period`, and within them `act_hz` times a second when to send."""

    def __init__(self, start: float, rate_hz: float, act_hz: float) -> None:
        self.start, self.rate_hz, self.act_hz = start, rate_hz, act_hz
        self.tick = 0

    @property
    def due(self) -> float:
        """When this tick is due, in seconds."""
        return self.start + self.tick / self.rate_hz

    @property
    def next_due(self) -> float:
        return self.start + (self.tick + 1) / self.rate_hz

    def advance(self, now: float) -> int:
        """On to the next tick that can begin by half a period after its time; how many passed."""
        self.tick += 1
        passed = 0
        while now - self.due >= (0.5 - SLACK) / self.rate_hz:
            self.tick += 1
            passed += 1
        return passed

    def sendings(self) -> Iterator[tuple[float, float]]:
        """When to send within this tick, and what share of the tick is over then, below 1."""
        ratio = self.act_hz / self.rate_hz
        first = math.ceil(self.tick * ratio - SLACK)
        after = math.ceil((self.tick + 1) * ratio - SLACK)
        for number in range(first, after):
            share = number / ratio - self.tick
            yield self.start + number / self.act_hz, max(0.0, share)
