"""One thing that is wrong with a data set."""

from dataclasses import dataclass

from steadyhand.data.episodes import Episodes
from steadyhand.errors import plain


@dataclass(frozen=True)
class Problem:
    """What kind, in which episode and file as far as known, and what to do about it."""

    kind: str
    message: str
    episode: int | None = None
    file: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", plain(self.message))


def column_told(episodes: Episodes, key: str, column: int, *more: str) -> str:
    """A column of a feature by number, in brackets what the file calls it and what else is said."""
    words = (*episodes.names.get(key, ())[column : column + 1], *more)
    return f"{column} ({', '.join(words)})" if words else str(column)
