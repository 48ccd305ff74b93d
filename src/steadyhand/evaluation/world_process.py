"""Worlds in a process of their own: `python -m steadyhand.evaluation.world_process PARENT`.

It plays the episodes that it is told to, says what comes of each, and ends with whoever started
it. It loads no torch.
"""

import os
import sys
import time
from contextlib import suppress
from dataclasses import replace
from queue import SimpleQueue
from threading import Thread
from typing import IO, Any

from steadyhand.errors import SteadyhandError
from steadyhand.evaluation.lanes import Lanes
from steadyhand.evaluation.pipes import Carried, receive, send
from steadyhand.evaluation.travel import CannotTravel, unpacked

ALIVE_SECONDS = 1.0
"""Somebody who waits is told as often that a world has ticked."""
ENDED = b"end"
"""What is said by somebody who wants no more."""


class Voice:
    """Says what happens. Where nobody listens any more, the process ends."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe, self._said = pipe, time.monotonic()

    def say(self, message: object) -> None:
        try:
            send(self._pipe, message)
        except OSError:
            os._exit(1)
        self._said = time.monotonic()

    def ticked(self) -> None:
        if time.monotonic() - self._said > ALIVE_SECONDS:
            self.say("alive")


def main() -> None:
    """Play what is asked for, until the end is said."""
    heard, voice = _pipes()
    inbox = SimpleQueue[Any]()
    Thread(target=_listen, args=(heard, inbox), daemon=True).start()
    try:
        lanes = Lanes(unpacked(inbox.get()), voice.ticked)
    except (CannotTravel, SteadyhandError) as error:
        voice.say(Carried.of(error))
        return
    voice.say("ready")
    while (message := inbox.get()) != ENDED:
        what, *given = message
        event = getattr(lanes, what)(*given)
        if event is not None and event.error is not None:
            event = replace(event, error=Carried.of(event.error))
        if event is not None:
            voice.say(event)


def _pipes() -> tuple[IO[bytes], Voice]:
    """What was said to us and what we say: on pipes that no world knows of, whatever it prints or
    asks for on standard output and input."""
    heard, said = os.dup(0), os.dup(1)
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return os.fdopen(heard, "rb"), Voice(os.fdopen(said, "wb"))


def _listen(pipe: IO[bytes], inbox: SimpleQueue[Any]) -> None:
    """Hand on what is said; when the pipe ends without a word, nobody needs this process."""
    with suppress(OSError):
        while (message := receive(pipe)) is not None:
            inbox.put(message)
            if message == ENDED:
                return
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
