"""A thousand damaged data sets: each gives a clear error or the right numbers, and soon.

The sets are of the formats' checked kinds: parquet pages, zip members, zarr chunks and HDF5 blocks
with checksums, as this project writes them and other writers can. Where a format's writer left
checksums out, no reader can tell a changed digit from a true one.
"""

import random
import shutil
import signal
from collections import Counter

import families
import numpy as np
import pytest
import sets

from steadyhand.data import inspect_episodes, open_episodes, write_episodes
from steadyhand.data.pictures.footage import Footage
from steadyhand.errors import DataError

CASES = 1000
SECONDS = 20
"""After so many, one case is taken for a hang."""


def v3(path):
    write_episodes(path, open_episodes(sets.lerobot_v3(path.with_name("source"))), "lerobot")
    return path


def ours(format):
    def make(path):
        path = path.with_name(f"set.{format}")
        source = open_episodes(sets.robomimic(path.with_name("source.hdf5"), images=True))
        write_episodes(path, source)
        return path

    return make


def maniskill(path):
    """Without what lies beside it: text has no checksums."""
    path = families.maniskill(path.with_name("set.h5"))
    path.with_suffix(".json").unlink()
    return path


def of_others(path):
    """An .npz cut by lengths, with words, marks of success and what is no series."""
    path, (state, action) = path.with_name("set.npz"), sets.numbers()
    np.savez(
        path,
        observations=np.concatenate(state),
        actions=np.concatenate(action)[:, 0],
        episode_lengths=np.array(sets.LENGTHS),
        instruction=np.array(["pick", "place", "pick"]),
        success=np.array([True, False, True]),
        intrinsics=np.eye(3),
        fps=20,
    )
    return path


MAKERS = {
    "lerobot v3.0": v3,
    "lerobot v2.1": lambda path: sets.lerobot_v2(path, videos=False),
    "aloha": families.aloha,
    "robotwin": families.robotwin,
    "maniskill": maniskill,
    "minari": families.minari,
    "robomimic": lambda path: sets.robomimic(path.with_name("set.hdf5"), images=True),
    "zarr": ours("zarr"),
    "npz": ours("npz"),
    "npz of others": of_others,
}


def everything(path):
    """All that a set holds, decoded; problems with its clock count as told."""
    episodes = open_episodes(path)
    for array in episodes.arrays.values():
        if isinstance(array, Footage):
            for clip in array.clips:
                clip.check()
    arrays = {
        key: np.asarray(array[:]) if len(array.shape) == 4 else episodes.read(key)
        for key, array in episodes.arrays.items()
    }
    told = {problem.kind for problem in inspect_episodes(episodes, look=False)}
    return episodes, arrays, told


def damage(path, chance) -> str:
    files = sorted(file for file in path.rglob("*") if file.is_file()) or [path]
    file = chance.choices(files, weights=[file.stat().st_size for file in files])[0]
    if chance.random() < 0.3:
        file = chance.choice(files)
    content = bytearray(file.read_bytes())
    kind = chance.choice(["cut", "flip", "flip", "flip", "zeros"])
    if not content:
        return f"{file.name} is empty"
    place = chance.randrange(len(content))
    if kind == "cut":
        content = content[:place]
    elif kind == "zeros":
        content[place : place + 64] = bytes(len(content[place : place + 64]))
    else:
        for _ in range(chance.choice([1, 1, 2, 8])):
            content[chance.randrange(len(content))] = chance.randrange(256)
    file.write_bytes(bytes(content))
    return f"{kind} at {place} of {file.relative_to(path.parent)}"


def hang(number, frame):
    raise TimeoutError(f"no answer after {SECONDS} s")


@pytest.mark.parametrize("name", MAKERS)
def test_damage_is_told_or_does_no_harm(name, tmp_path) -> None:
    path = MAKERS[name](tmp_path / "set")
    episodes, truth, told_before = everything(path)
    copy = tmp_path / "copy" / path.name
    chance = random.Random(name)
    outcomes: Counter[str] = Counter()
    before = signal.signal(signal.SIGALRM, hang)
    try:
        for case in range(CASES // len(MAKERS)):
            shutil.rmtree(copy.parent, ignore_errors=True)
            copy.parent.mkdir()
            shutil.copytree(path, copy) if path.is_dir() else shutil.copy(path, copy)
            what = f"case {case}: {damage(copy, chance)}"
            signal.alarm(SECONDS)
            try:
                found, arrays, told = everything(copy)
            except DataError:
                outcomes["error"] += 1
                continue
            finally:
                signal.alarm(0)
            silent = told <= told_before
            assert found.ends.tolist() == episodes.ends.tolist(), what
            assert found.rate_hz == episodes.rate_hz or not silent, what
            assert set(arrays) == set(truth) or found.left_out, what
            for key in arrays.keys() & truth.keys():
                np.testing.assert_array_equal(arrays[key], truth[key], err_msg=f"{what}: {key}")
            outcomes["same"] += 1
    finally:
        signal.signal(signal.SIGALRM, before)
    assert outcomes["error"] > 20, f"damage that is never found would be no test: {outcomes}"
