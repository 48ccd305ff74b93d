"""One thing that is wrong with a data set, or that was read otherwise than it says of itself."""

from dataclasses import dataclass

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
