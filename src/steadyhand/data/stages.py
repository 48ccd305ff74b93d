"""How long work is watched and what is said on the way, by whoever wants to: by default, nobody."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Advance(Protocol):
    """Called as work gets done: how much more, and a word on how it goes."""

    def __call__(self, done: int, note: str = "") -> None: ...


Stage = Callable[[str, int], AbstractContextManager[Advance]]
"""`(title, total)` → a context for a piece of work; a total of 0 cannot be counted."""
Tell = Callable[[str], object]
"""Takes a line that a user should read."""


@contextmanager
def unseen(title: str, total: int) -> Iterator[Advance]:
    """Nobody watches."""
    yield lambda done, note="": None


def untold(line: str) -> None:
    """Nobody listens."""
