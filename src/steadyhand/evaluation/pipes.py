"""Objects through the pipes between this process and those that play its episodes."""

import pickle
import struct
import traceback
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

from steadyhand.errors import SteadyhandError

LENGTH = struct.Struct("!Q")


def send(pipe: IO[bytes], message: object) -> None:
    """Write it whole. Raises `OSError` where nobody reads any more."""
    content = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    pipe.write(LENGTH.pack(len(content)))
    pipe.write(content)
    pipe.flush()


def receive(pipe: IO[bytes]) -> Any:
    """The next message, None at the end of the pipe."""
    if len(head := pipe.read(LENGTH.size)) < LENGTH.size:
        return None
    content = pipe.read(size := LENGTH.unpack(head)[0])
    return pickle.loads(content) if len(content) == size else None


@dataclass(frozen=True)
class Carried:
    """An exception as it goes through a pipe."""

    ours: type[SteadyhandError] | None
    said: str
    whole: bytes | None
    """As it is, where it can be written."""
    trace: str

    @classmethod
    def of(cls, error: Exception) -> "Carried":
        whole, trace = None, "".join(traceback.format_exception(error))
        if isinstance(error, SteadyhandError):
            return cls(type(error), str(error), None, trace)
        with suppress(Exception):  # what cannot be read again is told in words
            whole = pickle.dumps(error)
            pickle.loads(whole)
            return cls(None, str(error), whole, trace)
        return cls(None, f"{type(error).__name__}: {error}", None, trace)

    @property
    def error(self) -> Exception:
        """The exception, with the lines of the other process as a note."""
        if self.ours is not None:
            error: Exception = self.ours.__new__(self.ours)
            Exception.__init__(error, self.said)
        else:
            error = RuntimeError(self.said) if self.whole is None else pickle.loads(self.whole)
        error.add_note(f"In a process of its own:\n{self.trace}")
        return error
