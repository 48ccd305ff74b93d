"""What a format is: how it is recognised and read and, where it can be, how it is written."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from steadyhand.data.episodes import Episodes

Watch = Callable[[int], object]
"""Told of the steps of each feature as they are written."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """One way in which demonstrations lie on a disk."""

    name: str
    looks_like: str
    """In one line, for people."""
    matches: Callable[[Path], bool]
    """Whether a path is of this format, without a look at more than is needed."""
    read: Callable[[Path, frozenset[int]], Episodes]
    """The set in a path, without the episodes of these numbers."""
    write: Callable[[Path, Episodes, Watch], None] | None = None
    ending: str = ""
    """Of the paths that are written in it, and its name there."""
    needs: tuple[str, ...] = ()
    """Packages that writing takes."""
    reserved: tuple[str, ...] = ()
    """Names that no feature can have: the format's own."""
    paths: bool = True
    """Whether a feature's name can be a path, as `policy/joint_pos`."""
