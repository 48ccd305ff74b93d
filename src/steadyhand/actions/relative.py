"""Chunks relative to where the robot is now: every row less the same reference, (…, 1, A).

The reference is the state at the time of prediction, not the row before (that would be a delta,
whose errors add up over the chunk). Where there is none, actions are absolute and stay as they are.
"""

from typing import Any, Protocol, TypeVar


class _Numbers(Protocol):
    def __add__(self, other: Any, /) -> Any: ...
    def __sub__(self, other: Any, /) -> Any: ...


Chunk = TypeVar("Chunk", bound=_Numbers)
"""An array or a tensor (…, H, A); only + and - are used."""


def to_relative(actions: Chunk, reference: Chunk | None) -> Chunk:
    """Absolute actions (…, H, A) less the reference (…, 1, A)."""
    return actions if reference is None else actions - reference


def to_absolute(actions: Chunk, reference: Chunk | None) -> Chunk:
    """The inverse: relative actions (…, H, A) plus the reference (…, 1, A)."""
    return actions if reference is None else actions + reference
