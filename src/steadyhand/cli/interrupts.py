"""Ctrl-C, also where it falls on something that swallows it: what was asked once stays asked.

Python raises KeyboardInterrupt wherever it happens to be, and within a destructor or a library's
own callback it is printed and forgotten. So it is also noted, and whatever takes long asks.
"""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from typing import Any

_asked: list[int] = []
_patient: list[bool] = []


def check() -> None:
    """Raise `KeyboardInterrupt` where one was asked for and went by unheard."""
    if _asked and not _patient:
        raise KeyboardInterrupt


@contextmanager
def heard() -> Iterator[None]:
    """While this lasts, Ctrl-C stops at once and is remembered."""
    _asked.clear()

    def ask(number: int, frame: Any) -> None:
        _asked.append(number)
        raise KeyboardInterrupt

    with _handled(ask, signal.SIGINT):
        yield


@contextmanager
def after_this_step() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C and a polite kill end the current step first; a second one ends at once.

    Gives what tells whether to stop.
    """

    def ask(number: int, frame: Any) -> None:
        if _asked:
            raise KeyboardInterrupt
        _asked.append(number)
        print("\nStopping after this step; the run is being saved …", file=sys.stderr)

    with _handled(ask, signal.SIGINT, signal.SIGTERM):
        _patient.append(True)
        try:
            yield lambda: bool(_asked)
        finally:
            _patient.pop()


@contextmanager
def _handled(ask: Callable[[int, Any], None], *numbers: int) -> Iterator[None]:
    if current_thread() is not main_thread():  # signals are the main thread's
        yield
        return
    before = {
        number: signal.signal(number, ask)
        for number in numbers
        if signal.getsignal(number) is not signal.SIG_IGN  # as of a job in the background
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
