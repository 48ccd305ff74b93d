"""On-disk formats, one adapter a file, each recognised from the path alone."""

from pathlib import Path
from types import ModuleType

from steadyhand.data.episodes import Episodes
from steadyhand.data.formats import npz, replay_zarr
from steadyhand.errors import DataError

ADAPTERS: tuple[ModuleType, ...] = (replay_zarr, npz)
"""Each adapter has `NAME`, `LOOKS_LIKE` (one line for people), `matches(path)` and `read(path)`."""


def open_episodes(path: str | Path) -> Episodes:
    """Open demonstrations of any known format; nothing but their index is read.

    Raises `DataError` for a path that is missing, of no known format, or damaged.
    """
    path = Path(path)
    if not path.exists():
        nearby = sorted(p.name for p in path.parent.glob("*"))[:8] if path.parent.is_dir() else []
        hint = f" {path.parent} holds: {', '.join(nearby)}." if nearby else ""
        raise DataError(f"There is nothing at {path}.{hint}")
    for adapter in ADAPTERS:
        if adapter.matches(path):
            return adapter.read(path)
    known = "; ".join(f"{adapter.NAME} ({adapter.LOOKS_LIKE})" for adapter in ADAPTERS)
    raise DataError(f"{path} is of no format known here. Known: {known}.")
