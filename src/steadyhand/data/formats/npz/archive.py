"""The plain format: one `.npz` with an array a feature, `episode_ends` and, if known, `rate_hz`.

`tasks`, if there are any, are texts; the feature `task_index` counts in them. Of others who say it
otherwise, what is plain is understood: `bounds.py`, `plain_arrays.py`.
"""

import json
import os
import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from steadyhand.data.episodes import Episodes
from steadyhand.data.formats import limits
from steadyhand.data.formats.bounds import bounds_of
from steadyhand.data.formats.format import Format, Watch
from steadyhand.data.formats.noted import noted, with_noted
from steadyhand.data.formats.npz.members import DAMAGE, NOTED, Member, members, said_in
from steadyhand.data.formats.npz.plain_arrays import PERIOD, RATES, sorted_out
from steadyhand.data.formats.stream import pieces
from steadyhand.data.tasks import COUNTER
from steadyhand.disk import regular
from steadyhand.errors import DataError

SHOWN = 3
NEEDS = (
    "Save episode_ends, the step after the last of each episode, or else episode_lengths, "
    "episode_starts or flags of the last step as dones."
)


def matches(path: Path) -> bool:
    """Whatever ends in .npz, or holds what numpy writes."""
    if not path.is_file() or path.suffix == ".npz":
        return path.is_file()
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(".npy") for name in archive.NameToInfo)
    except (OSError, *DAMAGE):
        return False


def read(path: Path, skip: frozenset[int] = frozenset()) -> Episodes:
    """Raises `DataError` where the file is damaged or has no episode ends. Never unpickles.

    An array that is not what may be (`limits.py`) is left out.
    """
    try:
        arrays, left_out = members(path)
        for name in limits.NEEDED:
            if name in left_out:
                raise DataError(f"{path}: '{name}' cannot be read: {left_out[name]}.")
        limits.require_stored(sum(member.needed for member in arrays.values()), regular(path))
        rate = _rate(path, arrays)
        said, table = said_in(path), _table(arrays)
        texts = {name: array for name, array in arrays.items() if array.dtype.kind == "U"}
        numbers = {name: array for name, array in arrays.items() if name not in texts}
        try:
            bounds = bounds_of(numbers)
        except ValueError as error:
            raise DataError(f"{path} cannot be cut into episodes: {error}. {NEEDS}") from error
        if bounds is None:
            held = ", ".join(sorted([*arrays, *left_out])) or "nothing"
            raise DataError(
                f"{path} has no 'episode_ends' (cumulative, one an episode); it holds: {held}."
                f"{_refused(left_out)} {NEEDS}"
            )
        words = {name: partial(_words, array) for name, array in texts.items()}
        found = sorted_out(numbers, bounds, words)
    except DataError:
        raise
    except DAMAGE as error:
        raise DataError(
            f"{path} is not a whole .npz file ({error}). If it was cut short, "
            "copy or write it again."
        ) from error
    episodes = Episodes(
        found.arrays,
        found.ends,
        rate or 10.0,
        path,
        version="1",
        rate_assumed=rate is None,
        numbers=found.numbers,
        tasks=table or found.tasks,
        left_out={**left_out, **found.left_out},
        success=found.success,
        remarks=found.remarks,
    )
    try:
        return with_noted(episodes, said)
    except ValueError as error:
        raise DataError(f"{path}: what is noted of it cannot be read: {error}.") from error


def _refused(left_out: Mapping[str, str]) -> str:
    """What is to be said of arrays that are there and cannot be used."""
    return "".join(f" '{name}' is not read: {why}." for name, why in [*left_out.items()][:SHOWN])


def _words(member: Member) -> list[str]:
    return list(map(str, np.atleast_1d(member[...])))


def _table(arrays: dict[str, Member]) -> tuple[str, ...]:
    """The texts that the feature `task_index` counts in, as this project writes them."""
    words = arrays.get("tasks")
    if words is None or words.dtype.kind != "U" or words.shape == ():
        return ()
    if COUNTER not in arrays and words.shape[0] > 1:
        return ()
    return tuple(map(str, arrays.pop("tasks")[:]))


def _rate(path: Path, arrays: dict[str, Member]) -> float | None:
    """Steps a second, as the file says; None where it does not."""
    said = arrays.pop("rate_hz", None)
    if said is not None:
        if said.shape or said.dtype.kind not in "iuf":
            what = f"an array of shape {said.shape}" if said.shape else "no number"
            raise DataError(f"{path}: rate_hz is {what}; save one number.")
        return float(said[()])
    for name in filter(arrays.__contains__, (*RATES, PERIOD)):
        if arrays[name].shape in ((), (1,)) and arrays[name].dtype.kind in "iuf":
            found = float(np.asarray(arrays[name][...]).item())
            if 0 < found < np.inf:
                del arrays[name]
                return 1 / found if name == PERIOD else found
    return None


def write(path: Path, episodes: Episodes, watch: Watch) -> None:
    """Every feature and the episode ends, compressed. `write_episodes` is what users call."""
    extra: dict[str, Any] = {"episode_ends": episodes.ends}
    if not episodes.rate_assumed:
        extra["rate_hz"] = np.float64(episodes.rate_hz)
    if episodes.tasks:
        extra["tasks"] = np.array(episodes.tasks)
    said = noted(episodes)
    with path.open("wb") as file:
        # Not np.savez, which takes features named as its own arguments for those.
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for key, array in episodes.arrays.items():
                header = {
                    "descr": np.lib.format.dtype_to_descr(np.dtype(array.dtype)),
                    "fortran_order": False,
                    "shape": (episodes.steps, *array.shape[1:]),
                }
                with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array_header_1_0(member, header)
                    for _, values in pieces(episodes, key):
                        member.write(np.ascontiguousarray(values).tobytes())
                        watch(len(values))
            for key, value in extra.items():
                with archive.open(f"{key}.npy", "w") as member:
                    np.lib.format.write_array(member, np.asanyarray(value), allow_pickle=False)
            if said:
                archive.writestr(NOTED, json.dumps(said))
        file.flush()
        os.fsync(file.fileno())


FORMAT = Format(
    name="npz",
    looks_like="an .npz file with time-first arrays and episode_ends",
    matches=matches,
    read=read,
    write=write,
    ending="npz",
    reserved=("episode_ends", "rate_hz", "tasks"),
)
