"""On-disk formats, one a file, each recognised from the path alone."""

import contextlib
import re
import shlex
import shutil
from collections.abc import Iterable
from dataclasses import replace
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from uuid import uuid4

from steadyhand.data.episodes import SKIP, Episodes
from steadyhand.data.formats import recording
from steadyhand.data.formats.format import Format, Watch
from steadyhand.data.formats.hdf5 import aloha, maniskill, minari, robomimic, robotwin
from steadyhand.data.formats.known_by_name import told_by_name
from steadyhand.data.formats.lerobot.dataset import FORMAT as LEROBOT
from steadyhand.data.formats.limits import is_name
from steadyhand.data.formats.npz.archive import FORMAT as NPZ
from steadyhand.data.formats.zarr import replay as replay_zarr
from steadyhand.data.hub import located
from steadyhand.data.joined import joined
from steadyhand.data.kinds.flat_actions import with_flat_actions
from steadyhand.data.kinds.meaning import understood
from steadyhand.data.lazy import beneath
from steadyhand.data.mapping import UnknownFormat, a_map_suggested
from steadyhand.data.pictures.footage import Footage
from steadyhand.data.selection import parse_selection, selected
from steadyhand.disk import inside, regular, require_room
from steadyhand.errors import DataError, MissingExtraError, UsageError, nothing_at, unknown
from steadyhand.values import checked

FORMATS = (
    LEROBOT,
    aloha.FORMAT,
    robotwin.FORMAT,
    maniskill.FORMAT,
    minari.FORMAT,
    robomimic.FORMAT,  # whatever else is HDF5
    replay_zarr.FORMAT,
    NPZ,
    recording.FORMAT,
)
WRITTEN = {format.ending: format for format in FORMATS if format.write is not None}
"""By the ending of the path."""


@checked
def open_episodes(
    path: str | Path, *, select: str = "", skip_broken_episodes: bool = False
) -> Episodes:
    """Open demonstrations of any known format; little more than their index is read.

    `select` chooses episodes: `0:50`, `1,4,7` (their numbers in the set), `success`, `failed`,
    `mask=train`, `task="…"`, `length>=20`; several are joined with +, and each narrows.

    `hf://user/name` is a set on the hub, with @revision and /folder where needed; it is fetched.
    A folder of several sets is opened as one, each a task by its name unless it says its own.
    Colour is uint8, depth metres, points are rows (`kinds`), and what was assumed is in `remarks`;
    what is none of these and no state is left out: `left_out` says why.
    With `skip_broken_episodes` all numbers are read and the headers of all videos; episodes that
    are damaged are left out, and `left_out` says why. Raises `DataError` for a path that is
    missing, of no known format, or damaged, and `ConfigurationError` for what cannot be chosen.
    """
    parse_selection(select)  # refused before anything is read
    path = located(Path(path))
    with a_map_suggested(path):
        return selected(_opened(path, skip_broken_episodes), select)


def _opened(path: Path, skip_broken_episodes: bool) -> Episodes:
    """All episodes at a path, or in a folder of sets."""
    if not path.exists():
        raise DataError(nothing_at("data", path))
    if not path.is_dir():
        try:
            regular(path)
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    for format in FORMATS:
        if format.matches(path):
            return _without_broken(path, format) if skip_broken_episodes else _read(path, format)
    known = "; ".join(f"{format.name} ({format.looks_like})" for format in FORMATS)
    held = sorted(path.glob("[!.]*")) if path.is_dir() else []
    within = [child for child in held if _is_inside(path, child)]
    sets = [child for child in within if any(format.matches(child) for format in FORMATS)]
    if not sets:
        if said := told_by_name(path):
            raise DataError(f"{path} {said}.")
        known += "; or a folder of such sets"
        raise UnknownFormat(path, known)
    opened = {child.stem: _opened(child, skip_broken_episodes) for child in sets}
    if len(opened) < len(sets):
        raise DataError(f"{path}: two of its sets differ in their ending alone. Rename one.")
    known = {*sets, *(child.with_suffix(".json") for child in sets)}  # what is said beside a set
    others = dict.fromkeys((c.name for c in held if c not in known), "it is of no known format")
    others |= dict.fromkeys((c.name for c in held if c not in within), "it leads out of the folder")
    whole = joined(opened, path)
    return replace(whole, left_out={**whole.left_out, **others})


def _is_inside(folder: Path, child: Path) -> bool:
    try:
        inside(folder, child.name)
    except ValueError:
        return False
    return True


def _read(path: Path, format: Format, skip: frozenset[int] = frozenset()) -> Episodes:
    found = with_flat_actions(replace(format.read(path, skip), format=format.name))
    return understood(found)


def _without_broken(path: Path, format: Format) -> Episodes:
    """What can be read of a damaged set, episode by episode."""
    broken: dict[int, str] = {}
    while True:
        try:
            episodes = _read(path, format, frozenset(broken))
            break
        except DataError as error:
            if error.episode is None and broken:
                number, why = next(iter(broken.items()))
                raise DataError(f"{error} The first that could not, {number}: {why}") from error
            if error.episode is None or error.episode in broken:
                raise
            broken[error.episode] = str(error)
    # What can be read whole has no fault in any episode.
    doubtful = [
        key
        for key, array in episodes.arrays.items()
        if isinstance(beneath(array), Footage) or (len(array.shape) < 4 and _fault(episodes, key))
    ]
    faults: dict[int, str] = {}
    for i, key in product(range(len(episodes)), doubtful):
        if i not in faults and (why := _fault(episodes, key, i)):
            faults[i] = why
    if len(faults) == len(episodes):
        raise DataError(f"{path} has no episode that could be read: {faults[0]}")
    broken |= {episodes.number(i): why for i, why in faults.items()}
    done = re.compile(rf"[.,;]? *(or )?leave [a-z ]*out: {SKIP}\.?$", re.IGNORECASE)
    named = {f"episode {i}": done.sub("", broken[i]).removesuffix(".") for i in sorted(broken)}
    if faults:
        episodes = episodes.subset([i for i in range(len(episodes)) if i not in faults])
    return replace(episodes, left_out={**episodes.left_out, **named})


def _fault(episodes: Episodes, key: str, number: int | None = None) -> str | None:
    """Why a feature cannot be used: in one episode, or else as a whole."""
    films = beneath(episodes.arrays[key])
    try:
        if number is None:
            episodes.read(key)
        elif isinstance(films, Footage):
            films.clips[number].check()
        else:
            episodes.read(key, int(episodes.starts[number]), int(episodes.ends[number]))
    except DataError as error:
        return str(error)
    return None


def require_free(path: Path, format: str | None = None) -> Format:
    """The format that will write `path`: by `format`, or by its ending.

    Raises `UsageError` for a format that cannot be written and where something is there already,
    `DataError` where nothing can be, and `MissingExtraError` where the format's package is missing.
    """
    name = format or path.suffix.removeprefix(".")
    if name not in WRITTEN:
        what = "format" if format else f"format for {path}, ending"
        raise UsageError(
            f"{unknown(what, name, WRITTEN)} Name one with --format, or end the path in .npz, "
            ".zarr or .lerobot."
        )
    if path.exists() or path.is_symlink():
        raise UsageError(f"{path} is already there, and is left as it is. Name another place.")
    try:
        require_room(path)
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error}). Name another place.") from error
    for package in WRITTEN[name].needs:
        if find_spec(package) is None:
            raise MissingExtraError(package)
    return WRITTEN[name]


def _renamed(keys: Iterable[str]) -> str:
    """How all names that are paths become others at once."""
    others = {key: key.replace("/", ".") for key in keys if "/" in key and is_name(key)}
    if len({*others.values()} - {*keys}) < len(others):
        return "rename it"
    pairs = ",".join(f"{key}={other}" for key, other in others.items())
    return f"rename what is one: --rename {shlex.quote(pairs)}"


@checked
def write_episodes(
    path: str | Path,
    episodes: Episodes,
    format: str | None = None,
    *,
    watch: Watch = lambda steps: None,
) -> None:
    """Write demonstrations whole or not at all: beside their place, then renamed.

    `format` is lerobot (v3.0), npz or zarr, by default the ending of the path. `watch` is told of
    the steps of each feature as they are written. Raises `UsageError` where something
    is there already, `DataError` where the disk is full or may not be written.
    """
    path = Path(path)
    chosen = require_free(path, format)
    for key in episodes.arrays:
        own, path_like, sound = key in chosen.reserved, "/" in key, is_name(key)
        if own or not sound or (path_like and not chosen.paths):
            what = "a name of the format itself" if own else "a path" if path_like else "no name"
            way = "Rename it"
            if sound and path_like:
                way = f"Write .npz or .zarr, or {_renamed(episodes.arrays)}"
            raise DataError(
                f"A feature cannot be named '{key}' in {chosen.name}: that is {what}. {way}."
            )
    partial = path.with_name(f".{path.name}.{uuid4().hex[:8]}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        assert chosen.write is not None
        chosen.write(partial, episodes, watch)
        require_free(path, format)  # somebody else may have been faster
        partial.rename(path)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error.strerror or error}). Nothing is left of it; free "
            "the disk or name another place."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(partial) if partial.is_dir() else partial.unlink()
