"""Where episodes are played: in this process, or in one of their own. Both are told and tell the
same.

What happens comes into one inbox. A process that dies or gives no answer in time is ended, with all
that it started, and told of by `Gone`.
"""

import os
import signal
import subprocess
import sys
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from queue import SimpleQueue
from threading import Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.evaluation.episode import Play
from steadyhand.evaluation.lanes import Event, Lanes, Setting
from steadyhand.evaluation.pipes import Carried, receive, send
from steadyhand.evaluation.world_process import ENDED

ENDING_SECONDS = 1.0
"""How long a process may take to end."""
PROGRAM = "steadyhand.evaluation.world_process"
"""What a process runs; whose it is stands behind it, for whoever looks at a list of processes."""
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Ready:
    """A process is there for episodes."""


@dataclass(frozen=True)
class Unfit:
    """A process cannot play these episodes at all."""

    error: Exception


@dataclass(frozen=True)
class Gone:
    """A process has ended, or was ended; `number` is the episode that it was at, if any."""

    why: str
    number: int | None


Said = Event | Ready | Unfit | Gone
Inbox = SimpleQueue[tuple["There", Any]]


class Here:
    """Episodes in this process: played when `work` is called, one piece at a time."""

    def __init__(self, setting: Setting) -> None:
        self._lanes = Lanes(setting)
        self._asked = deque[tuple[str, tuple[Any, ...]]]()

    def begin(self, number: int, play: Play) -> None:
        self._asked.append(("begin", (number, play)))

    def answer(self, number: int, chunk: NDArray[np.floating]) -> None:
        self._asked.append(("answer", (number, chunk)))

    def drop(self, number: int) -> None:
        self._asked = deque(each for each in self._asked if each[1][0] != number)
        self._lanes.drop(number)

    @property
    def busy(self) -> bool:
        """Whether there is work."""
        return bool(self._asked)

    def work(self) -> Event | None:
        """The next piece of what was asked; None where nothing is."""
        if not self._asked:
            return None
        what, given = self._asked.popleft()
        return getattr(self._lanes, what)(*given)


class There:
    """Episodes in a process of their own, played as soon as they are asked for."""

    def __init__(self, luggage: bytes, inbox: Inbox) -> None:
        self._inbox = inbox
        self._asked, self._heard = deque[int](), time.monotonic()
        self.ready = self.gone = False
        count = dict.fromkeys(THREADS, "1")
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", PROGRAM, str(os.getpid())],
            env={**os.environ, **count, "OMP_WAIT_POLICY": "PASSIVE"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us to hear, and what it starts ends with it
        )
        Thread(target=self._listen, daemon=True).start()
        self._send(luggage)

    def begin(self, number: int, play: Play) -> None:
        self._ask("begin", number, play)

    def answer(self, number: int, chunk: NDArray[np.floating]) -> None:
        self._ask("answer", number, chunk)

    def drop(self, number: int) -> None:
        self._send(("drop", number))

    @property
    def owes(self) -> bool:
        """Whether something was asked of it that it has not answered."""
        return bool(self._asked)

    def silent(self, now: float) -> float:
        """Seconds since it was asked something, or said anything, that it owes an answer to."""
        return now - self._heard if self._asked or not self.ready else 0.0

    def understood(self, message: Any) -> Said | None:
        """What a message of its own means; None where it only says that it is alive."""
        if self.gone:
            return None
        self._heard = time.monotonic()
        if message is None:
            return self.end("")
        if isinstance(message, Carried):
            return Unfit(message.error)
        if message == "ready":
            self.ready = True
            return Ready()
        if isinstance(message, Event):
            self._asked.popleft()  # they are answered in their order
            if isinstance(message.error, Carried):
                message = replace(message, error=message.error.error)
            return message
        return None

    def end(self, why: str) -> Gone:
        """End it and all that it started; `why` is for one that did not end by itself."""
        self.gone = True
        if not why:
            with suppress(subprocess.TimeoutExpired):
                why = _ended_by(self._process.wait(ENDING_SECONDS))
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        return Gone(why or "its process closed its pipes", self._asked[0] if self._asked else None)

    def dismiss(self) -> None:
        """Tell it that nothing more is asked for."""
        self._send(ENDED)

    def _ask(self, what: str, number: int, given: Any) -> None:
        if not self._asked:
            self._heard = time.monotonic()
        self._asked.append(number)
        self._send((what, number, given))

    def _send(self, message: object) -> None:
        assert self._process.stdin is not None, "it has a pipe"
        with suppress(OSError):  # of one that is gone, the inbox tells
            send(self._process.stdin, message)

    def _listen(self) -> None:
        assert self._process.stdout is not None, "it has a pipe"
        message: Any = ...
        while message is not None:
            try:
                message = receive(self._process.stdout)
            except Exception:  # a world has written into the pipe, or the message is cut off
                message = None
            self._inbox.put((self, message))


def _ended_by(status: int) -> str:
    if status >= 0:
        return f"its process ended by itself, with status {status}"
    with suppress(ValueError):
        name = signal.Signals(-status).name
        hint = " (as where memory runs out)" if name == "SIGKILL" else ""
        return f"its process was ended by {name}{hint}"
    return f"its process was ended by signal {-status}"


def cores() -> int:
    """How many cores are ours."""
    # Not every system says which.
    ours = getattr(os, "sched_getaffinity", None)
    return len(ours(0)) if ours is not None else os.cpu_count() or 1
