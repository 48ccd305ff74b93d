"""While a robot is driven: what else would hold the control thread up, and how it is interrupted.

Ctrl-C and a polite kill are noted, for whoever drives to bring the robot to rest first.
"""

import gc
import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from threading import current_thread, main_thread
from typing import Any

from steadyhand.errors import ConfigurationError

SWITCH_SECONDS = 0.0005
"""How long a thread that computes in Python may keep others waiting; usually 5 ms, and then ticks
are late by as much."""
CONTROL, PREDICTION = 20, 10
"""Ranks of urgent threads."""


@contextmanager
def before_others(rank: int) -> Generator[None]:
    """Let the system run this thread before all that are not urgent, at once when it has to.

    Of urgent threads that with the higher rank goes first. Raises `ConfigurationError` where the
    system has no such thing, or does not allow it.
    """
    if sys.platform != "linux":
        raise ConfigurationError("Threads can be urgent on Linux only: leave urgent out.")
    usual = os.sched_getscheduler(0)
    try:
        # Threads that are made meanwhile are not urgent for that.
        urgent = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(0, urgent, os.sched_param(rank))
    except PermissionError:
        raise ConfigurationError(
            "This user may not make a thread urgent. Allow it with a line `USER - rtprio 20` in "
            "/etc/security/limits.conf, in a container with --cap-add SYS_NICE, or leave urgent "
            "out."
        ) from None
    try:
        yield
    finally:
        os.sched_setscheduler(0, usual | os.SCHED_RESET_ON_FORK, os.sched_param(0))


@contextmanager
def quick(urgent: bool = False) -> Generator[None]:
    """Let this thread take its turn soon, and garbage be looked for among new objects only.

    A full collection holds all threads up, by 100 ms and more where large libraries are loaded:
    what is there already is not looked at until this ends. Raises as `before_others`.
    """
    before, frozen = sys.getswitchinterval(), gc.get_freeze_count()
    sys.setswitchinterval(min(before, SWITCH_SECONDS))
    if not frozen:
        gc.freeze()
    try:
        with before_others(CONTROL) if urgent else nullcontext():
            yield
    finally:
        sys.setswitchinterval(before)
        if not frozen:
            gc.unfreeze()


class Interruption:
    """Whether Ctrl-C or a polite kill came.

    The second Ctrl-C raises at once, for a robot that does not answer; while the robot is being
    stopped none does.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self.stopping = False

    def note(self, number: int, frame: Any) -> None:
        again, self.signal = self.signal is not None, number
        if again and not self.stopping:
            raise KeyboardInterrupt

    def pass_on(self) -> None:
        """Raise what the signal would have raised, if there was one."""
        if self.signal == signal.SIGINT:
            raise KeyboardInterrupt
        if self.signal is not None:
            raise SystemExit(128 + self.signal)


@contextmanager
def interruptible() -> Generator[Interruption]:
    """Note signals while this lasts. Elsewhere than in the main thread there are none."""
    noted = Interruption()
    if current_thread() is not main_thread():
        yield noted
        return
    before: dict[int, Any] = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        found = signal.getsignal(number)
        theirs = callable(found) and number == signal.SIGINT
        if theirs or found is signal.SIG_DFL:
            before[number] = signal.signal(number, noted.note)
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
