"""One thing that is wrong with a data set, or that was read otherwise than it says of itself."""

from collections.abc import Iterable
from dataclasses import dataclass

from steadyhand.errors import plain

HARMLESS = {"left-out", "sampled", "constant"}
"""Kinds that harm no training."""


@dataclass(frozen=True)
class Problem:
    """What kind, in which episode and file as far as known, and what to do about it."""

    kind: str
    message: str
    episode: int | None = None
    file: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", plain(self.message))


def is_note(problem: Problem, remarks: Iterable[Problem]) -> bool:
    """Whether it only says how a set is read: one of its `remarks`, or of a kind without harm."""
    said = {remark.message for remark in remarks}  # which file it is in is added on the way
    return problem.kind in HARMLESS or problem.message in said
