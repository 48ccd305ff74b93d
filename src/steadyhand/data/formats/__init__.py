"""On-disk formats, one adapter a file, each recognised from the path alone."""

import contextlib
import shutil
from pathlib import Path
from types import ModuleType

from steadyhand.data.episodes import Episodes
from steadyhand.data.formats import npz, replay_zarr
from steadyhand.errors import DataError, UsageError, nothing_at, unknown

ADAPTERS: tuple[ModuleType, ...] = (replay_zarr, npz)
"""Each adapter has `NAME`, `LOOKS_LIKE` (one line for people), `matches(path)` and `read(path)`."""

WRITERS: dict[str, ModuleType] = {"npz": npz, "zarr": replay_zarr}
"""By the ending of the path. Each has `write(path, episodes)` and the names that are `RESERVED`."""


def open_episodes(path: str | Path) -> Episodes:
    """Open demonstrations of any known format; nothing but their index is read.

    Raises `DataError` for a path that is missing, of no known format, or damaged.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(nothing_at("data", path))
    for adapter in ADAPTERS:
        if adapter.matches(path):
            return adapter.read(path)
    known = "; ".join(f"{adapter.NAME} ({adapter.LOOKS_LIKE})" for adapter in ADAPTERS)
    raise DataError(f"{path} is of no format known here. Known: {known}.")


def require_free(path: Path, format: str | None = None) -> ModuleType:
    """The adapter that will write `path`: by `format`, or by its ending.

    Raises `UsageError` for a format that cannot be written, and where something is there already.
    """
    name = format or path.suffix.removeprefix(".")
    if name not in WRITERS:
        what = "format" if format else f"format for {path}, ending"
        raise UsageError(
            f"{unknown(what, name, WRITERS)} Name one with --format, or end --out in .npz or .zarr."
        )
    if path.exists() or path.is_symlink():
        raise UsageError(f"{path} is already there, and is left as it is. Choose another --out.")
    return WRITERS[name]


def write_episodes(path: str | Path, episodes: Episodes, format: str | None = None) -> None:
    """Write demonstrations whole or not at all: beside their place, then renamed.

    `format` is npz or zarr, by default the ending of the path. Raises `UsageError` where something
    is there already, `DataError` where the disk is full or may not be written.
    """
    path = Path(path)
    adapter = require_free(path, format)
    for key in episodes.arrays:
        if key in adapter.RESERVED or "/" in key:
            raise DataError(
                f"A feature cannot be named '{key}' in {adapter.NAME}: that is "
                f"{'a path' if '/' in key else 'a name of the format itself'}. Rename it."
            )
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove(partial)
        adapter.write(partial, episodes)
        partial.rename(path)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error.strerror or error}). Nothing is left of it; free "
            "the disk or choose another --out."
        ) from error
    finally:
        _remove(partial)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
