"""Opens what a map is of: files of arrays or tables, or a robot's bags of messages."""

from pathlib import Path

from steadyhand.data.bags.found import is_bag
from steadyhand.data.bags.opened import open_bag
from steadyhand.data.bags.topics import topics_listed
from steadyhand.data.episodes import Episodes
from steadyhand.data.mapping.assemble import open_files
from steadyhand.data.mapping.trees import arrays_listed


def open_mapped(path: str | Path, text: str, *, ticks_hz: float | None = None) -> Episodes:
    """Demonstrations of no known format, as a map says (`grammar.py`).

    `ticks_hz` is the rate of the steps that are made of a bag, before what the map says.

    Raises `UsageError` for a map that does not fit what is there, `DataError` for damage.
    """
    path = Path(path)
    return open_bag(path, text, rate_hz=ticks_hz) if is_bag(path) else open_files(path, text)


def listed(path: Path) -> dict[str, str]:
    """What there is at a path, in the first of its files or bags, by place."""
    return (topics_listed if is_bag(path) else arrays_listed)(path)
