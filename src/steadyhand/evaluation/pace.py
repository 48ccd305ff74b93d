"""How long worlds and predictions take, and what follows: how many worlds, in which processes.

All of it is measured on the episodes themselves. No result depends on it, only when there is one.
"""

import math
from dataclasses import dataclass, field

from steadyhand.evaluation.lanes import Event

START_SECONDS = 0.5
"""What a process takes to start, without the simulator that it loads."""
LOOK_SECONDS = 0.3
"""Worlds are stepped here so long before anybody decides that they are slow."""
WORTH_SECONDS = 0.5
"""Processes are started where they save at least so much more than they cost."""
LANES = 4
"""Worlds in a process, at least: one is stepped while another waits for its chunk."""


@dataclass
class Pace:
    """What was measured, and what is known of the work: `episodes` of at most `max_steps` ticks."""

    episodes: int
    max_steps: int
    first_make: float | None = None
    make: float = math.inf
    begin: float = math.inf
    tick: float = math.inf
    predict: float = math.inf
    """The least that each took, in seconds: other work on the machine only adds."""
    spent: float = 0.0
    """Seconds in worlds so far."""
    ticks: int = 0
    chunks: int = 0
    _lengths: list[int] = field(default_factory=list[int])

    def see(self, event: Event) -> None:
        """Take in what an episode's piece took."""
        if event.made is not None:
            self.first_make = event.made if self.first_make is None else self.first_make
            self.make = min(self.make, event.made)
        if event.began is not None:
            self.begin = min(self.begin, event.began)
        if event.ticks:
            self.tick = min(self.tick, event.seconds / event.ticks)
        if event.episode is not None:
            self._lengths.append(len(event.episode.actions))
        self.spent += (event.made or 0.0) + (event.began or 0.0) + event.seconds
        self.ticks, self.chunks = self.ticks + event.ticks, self.chunks + (event.ticks > 0)

    @property
    def length(self) -> float:
        """Ticks of an episode, as far as is known: one of full length is added to those seen."""
        return (sum(self._lengths) + self.max_steps) / (len(self._lengths) + 1)

    @property
    def left(self) -> float:
        """Seconds that the worlds of the episodes left need, one after another."""
        many = self.episodes - len(self._lengths)
        return many * (self.begin + self.length * self.tick) if math.isfinite(self.tick) else 0.0

    def slow(self, now: int, then: int, together: int) -> bool:
        """Whether `then` processes are worth their start, where there are `now` (0 for here)."""
        if self.spent < LOOK_SECONDS or then <= max(now, 1) or self.first_make is None:
            return False
        lanes, there = min(self.together(now, together), together), min(LANES * then, together)
        more = START_SECONDS + self.first_make
        here = self.left / max(now, 1) + (lanes * self.make if not now else 0)
        return more + (there * self.make + self.left) / then + WORTH_SECONDS < here

    def together(self, processes: int, most: int) -> int:
        """How many worlds: so many that to make one more costs what it saves in predictions.

        One call predicts for all that ask, so n worlds need an n-th of the calls.
        """
        if not self.ticks or not math.isfinite(self.predict):
            few = LANES * processes or (1 if self.spent > LOOK_SECONDS else most)
            return min(most, few)
        calls = (self.episodes - len(self._lengths)) * self.length * self.chunks / self.ticks
        best = math.sqrt(calls * self.predict * max(processes, 1) / max(self.make, 1e-9))
        return min(most, max(1, math.ceil(best), LANES * processes))
