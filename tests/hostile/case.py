"""A file or folder as a stranger could hand it over, and what has to come of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Hostile:
    """What is at `path` is answered with one message or with right data, whatever it is."""

    name: str
    path: Path
    right: bool = False
    """Whether it is valid, and must come back."""
    arrays: Mapping[str, Any] = field(default_factory=dict)
    """The numbers of some features, as they must be wherever they can be read."""
    home: Path | None = None
    """The folder whose files may be opened, where that is more than `path`."""


def outside(folder: Path) -> Path:
    """The folder beside the cases that nobody may look into: what a case points at goes there."""
    place = folder.parent / "outside"
    place.mkdir(exist_ok=True)
    return place
