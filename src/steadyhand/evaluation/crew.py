"""Who plays the episodes of a rollout: this process, or others, and how many.

Unless that is said, it follows from what is measured (`pace.py`). A process that dies or is silent
too long is ended, and another takes its place. What is played when, and what came of it, is not
known here.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError
from steadyhand.evaluation.episode import Play
from steadyhand.evaluation.hosts import Gone, Here, Inbox, Ready, There, Unfit, cores
from steadyhand.evaluation.lanes import Event, Setting
from steadyhand.evaluation.pace import Pace
from steadyhand.evaluation.travel import CannotTravel, packed
from steadyhand.runtime.own_file import own_name

IDLE_DEATHS = 3
"""So many processes may end by themselves while nothing is asked of them."""
LOADING_SECONDS = 60.0
"""A process may take so long to be there, however little a world may take for a tick."""
NOT_NEEDED = "it is not needed"


@dataclass(frozen=True)
class Died:
    """The process that an episode was played in has ended, with it."""

    number: int
    why: str


@dataclass(frozen=True)
class Returned:
    """An episode is not played any more, through no fault of its own: to be begun anew."""

    number: int


class Crew:
    """Plays at most `most` episodes at once, each by its number, in so many `processes` (0: in this
    one; None: as is measured).

    A context: no process outlasts it. Raises `ConfigurationError` where processes are asked for
    and cannot be.
    """

    def __init__(
        self, setting: Setting, pace: Pace, *, processes: int | None, most: int, timeout: float
    ) -> None:
        self._setting, self._pace, self._most, self._timeout = setting, pace, most, timeout
        self._chosen, self._idle_deaths = processes is not None, 0
        self._inbox: Inbox = SimpleQueue()
        self._luggage: bytes | None = None
        self._at: dict[int, Here | There] = {}
        self._here: Here | None = None
        self._there: list[There] = []
        # The world of a user's file may do anything, and dies alone in a process of its own.
        own = own_name(setting.task.name) is not None
        self._wanted = int(own) if processes is None else processes

    @property
    def processes(self) -> int:
        """How many there are beside this one."""
        return len(self._there)

    @property
    def room(self) -> bool:
        """Whether one more episode can be begun."""
        return self._roomiest() is not None

    @property
    def working(self) -> bool:
        """Whether this process itself has something to step."""
        return self._here is not None and self._here.busy

    @property
    def idle(self) -> bool:
        """Whether a process has nothing to step until one of its episodes is answered."""
        return any(not host.owes and self._numbers(host) for host in self._there)

    def begin(self, number: int, play: Play) -> None:
        """Play an episode, where there is room."""
        host = self._at[number] = self._roomiest() or self._here or self._there[0]
        host.begin(number, play)

    def answer(self, number: int, chunk: NDArray[np.floating]) -> None:
        """Go on with an episode that asked for a chunk."""
        self._at[number].answer(number, chunk)

    def news(self, seconds: float) -> Iterator[Event | Died | Returned]:
        """What has happened, waited for so long at most; this process does a piece of its work."""
        if self._here is not None and (event := self._here.work()) is not None:
            seconds = 0.0
            yield from self._seen(event)
        for host, message in self._received(seconds):
            said = host.understood(message)
            if isinstance(said, Event):
                yield from self._seen(said)
            elif isinstance(said, Gone):
                yield from self._replaced(host, said)
            elif isinstance(said, Unfit):
                if not isinstance(said.error, CannotTravel):
                    raise said.error
                yield from self._stay(said.error)
            elif isinstance(said, Ready):
                yield from self._spread()
        now = time.monotonic()
        for host in [each for each in self._there if each.silent(now) > self._limit(each)]:
            gone = host.end(f"it gave no answer for {self._limit(host):g} seconds")
            yield from self._replaced(host, gone)

    def grow(self, episodes: int) -> None:
        """Start a process for each core where the worlds are slow and so many episodes left."""
        then = min(cores(), self._most, episodes)
        if not self._chosen and self._pace.slow(self.processes, then, self._most):
            self._chosen = True
            self._start(then - self.processes)

    @contextmanager
    def at_work(self, episodes: int) -> Iterator[None]:
        """While this lasts, so many episodes can be played."""
        try:
            self._start(min(self._wanted, self._most, episodes))
            yield
            for host in self._there:
                host.dismiss()
            for host in self._there:
                host.end("")
        finally:
            for host in self._there:
                if not host.gone:
                    host.end(NOT_NEEDED)

    def _start(self, many: int) -> None:
        try:
            if many and self._luggage is None:
                self._luggage = packed(self._setting)
            for _ in range(many):
                self._there.append(There(self._luggage or b"", self._inbox))
        except (CannotTravel, OSError) as error:
            self._refuse(error)
        if not self._there and self._here is None:
            self._here = Here(self._setting)

    def _refuse(self, why: Exception) -> None:
        """Go without processes. Raises `ConfigurationError` where they were asked for."""
        if self._wanted > 0 and self._chosen:
            raise ConfigurationError(
                f"Worlds of {self._setting.task.name} cannot be stepped in other processes: {why} "
                "Put what they need into a file that can be imported, or step them in this "
                "process: --processes 0 (processes=0)."
            ) from why
        self._chosen = True

    def _stay(self, why: Exception) -> Iterator[Returned]:
        """No process can play these episodes: this one does."""
        self._refuse(why)
        there, self._there = self._there, []
        for host in there:
            host.end(NOT_NEEDED)
            yield from self._returned(host)
        self._here = self._here or Here(self._setting)

    def _spread(self) -> Iterator[Returned]:
        """Another process is there: what is played here, or too many in another, goes to it."""
        here, self._here = self._here, None
        if here is not None:
            yield from self._returned(here)
        fair = math.ceil(len(self._at) / len(self._there))
        for host in self._there:
            yield from self._returned(host, keep=fair)

    def _returned(self, host: Here | There, keep: int = 0) -> Iterator[Returned]:
        for number in self._numbers(host)[keep:]:
            del self._at[number]
            host.drop(number)
            yield Returned(number)

    def _replaced(self, host: There, gone: Gone) -> Iterator[Died | Returned]:
        """Another process takes the place of one that ended."""
        self._there.remove(host)
        if gone.number in self._at:
            del self._at[gone.number]
            yield Died(gone.number, gone.why)
        yield from self._returned(host)
        if not host.ready:
            yield from self._stay(RuntimeError(f"{gone.why}, before it began."))
            return
        self._idle_deaths += gone.number is None
        if self._idle_deaths == IDLE_DEATHS:
            raise ConfigurationError(
                f"Of the processes of worlds, {IDLE_DEATHS} ended while nothing was asked of them; "
                f"of the last, {gone.why}. Step the worlds in this one: --processes 0 "
                "(processes=0)."
            )
        self._start(1)

    def _seen(self, event: Event) -> Iterator[Event]:
        self._pace.see(event)
        if event.number in self._at:  # and not begun anew elsewhere
            if event.request is None:
                del self._at[event.number]
            yield event

    def _received(self, seconds: float) -> Iterator[tuple[There, object]]:
        """All messages that there are; none is waited for longer than a world may take."""
        now = time.monotonic()
        left = [self._limit(host) - host.silent(now) for host in self._there]
        wait = max(0.0, min([seconds, *left]))
        try:
            while True:
                yield self._inbox.get(timeout=wait) if wait > 0 else self._inbox.get_nowait()
                wait = 0.0
        except Empty:
            return

    def _limit(self, host: There) -> float:
        """Seconds for an answer; what has to be loaded first takes as long as it takes."""
        return self._timeout if host.ready else max(self._timeout, LOADING_SECONDS)

    def _roomiest(self) -> Here | There | None:
        """The host with the fewest episodes that can take one more."""
        if self._here is not None:
            full = len(self._at) >= self._pace.together(0, self._most)
            return None if full or self._here.busy else self._here
        each = math.ceil(self._pace.together(self.processes, self._most) / max(1, self.processes))
        loads = [
            (len(self._numbers(host)), place)
            for place, host in enumerate(self._there)
            if host.ready
        ]
        load, place = min(loads, default=(each, 0))
        return self._there[place] if load < each and len(self._at) < self._most else None

    def _numbers(self, host: Here | There) -> list[int]:
        return [number for number, other in self._at.items() if other is host]
