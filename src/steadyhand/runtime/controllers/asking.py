"""When controllers ask for the next chunk, and how long they expect to wait for it."""

from collections import deque

from steadyhand.errors import ConfigurationError
from steadyhand.runtime.plan import Plan
from steadyhand.runtime.predictor import Observation
from steadyhand.spec import Chunking
from steadyhand.values import whole

REMEMBERED = 8
"""The longest of so many waits is expected; one that was longer than usual is forgotten again."""


def when_over(plan: Plan, observation: Observation) -> int | None:
    """When all has been executed that is to be."""
    return None if plan.left or plan.waiting else 0


def every_tick(plan: Plan, observation: Observation) -> int | None:
    """In every tick."""
    return 0


class Ahead:
    """So many ticks before the next chunk is to take over as the answer takes.

    `delay` is that number; None counts the ticks that the last answers took, and expects the
    longest. As many actions are committed. `most` bounds them.

    Raises `ConfigurationError` where a chunk has not so many rows.
    """

    def __init__(self, chunking: Chunking, delay: int | None, most: int) -> None:
        room = chunking.max_execute - chunking.execute
        if delay is not None and whole("delay", delay, 0) > room:
            raise ConfigurationError(
                f"An answer that is {delay} ticks late and {chunking.execute} actions that are "
                f"then executed take {delay + chunking.execute} rows, and a chunk has "
                f"{chunking.max_execute} from now on. Execute at most "
                f"{max(chunking.max_execute - delay, 1)} (execute=), or expect a delay of at most "
                f"{room}."
            )
        self._most = min(room, most)
        self._waits = deque([0 if delay is None else delay], maxlen=REMEMBERED)
        self._counting = delay is None

    @property
    def delay(self) -> int:
        """How many ticks an answer is expected to take."""
        return min(max(self._waits), self._most)

    def __call__(self, plan: Plan, observation: Observation) -> int | None:
        if plan.waiting or plan.left > self.delay:
            return None
        return self.delay

    def waited(self, ticks: int) -> None:
        """An answer took so many ticks."""
        if self._counting:
            self._waits.append(ticks)
