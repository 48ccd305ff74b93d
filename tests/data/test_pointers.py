"""What Git LFS left in place of a file is told in every format, with the way to the file."""

import h5py
import numpy as np
import pytest
import sets

from steadyhand.data import open_episodes, write_episodes
from steadyhand.errors import DataError

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:f2d2\nsize 1890\n"


@pytest.fixture
def episodes(tmp_path):
    path = tmp_path / "source.hdf5"
    with h5py.File(path, "w") as file:
        demo = file.create_group("data/demo_0")
        demo["actions"] = demo["obs/state"] = np.ones((4, 2), np.float32)
    return open_episodes(path)


PLACES = {
    "lerobot": ("meta/info.json", "meta/steadyhand.json", "meta/tasks.parquet", "data/*/*.parquet"),
    "zarr": ("data/action/0.0", "data/action/.zarray", "meta/episode_ends/0", ".zattrs"),
    "npz": ("",),
    "hdf5": ("",),
    "zarr.zip": ("",),
}


@pytest.mark.parametrize(
    ("format", "place"), [(format, place) for format in PLACES for place in PLACES[format]]
)
def test_a_pointer_is_told(format, place, episodes, tmp_path) -> None:
    path = tmp_path / f"set.{format}"
    if place:
        write_episodes(path, episodes)
    file = next(path.glob(place)) if place else path
    file.write_text(POINTER)
    with pytest.raises(DataError, match="a Git LFS pointer, not the file: run `git lfs pull`") as e:
        open_episodes(path).read("action")
    assert "again" not in str(e.value)


def test_films_and_pictures(tmp_path) -> None:
    path = sets.lerobot_v2(tmp_path / "set")
    next(path.rglob("episode_000001.mp4")).write_text(POINTER)
    rest = open_episodes(path, skip_broken_episodes=True)
    assert rest.lengths.tolist() == [12, 15]
    assert "run `git lfs pull`" in rest.left_out["episode 1"]
