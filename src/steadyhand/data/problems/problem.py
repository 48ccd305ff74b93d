"""One thing that is wrong with a data set."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """What kind, in which episode and file as far as known, and what to do about it."""

    kind: str
    episode: int | None
    file: str | None
    message: str
