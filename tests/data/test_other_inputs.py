"""Inputs as other recorders write them: what they say in their own way is read, or said."""

import h5py
import numpy as np
import pytest
import zarr

from steadyhand.data import open_episodes
from steadyhand.errors import DataError


def numbers(*shape):
    return np.random.default_rng(0).random(shape, np.float32)


def demos(path, lists=None):
    with h5py.File(path, "w") as file:
        for i in range(4):
            file[f"data/demo_{i}/actions"] = np.full((5, 2), i, np.float32)
        for name, listed in (lists or {}).items():
            file[f"mask/{name}"] = listed
    return path


@pytest.mark.parametrize(
    "listed",
    [
        np.array([True, False, True, False]),
        np.array([1, 0, 1, 0], np.uint8),
        np.array([b"data/demo_0", b"data/demo_2"]),
        np.array([0, 2]),
    ],
    ids=["flags", "ones", "paths", "numbers"],
)
def test_a_mask_lists_episodes_in_whatever_way(tmp_path, listed):
    assert open_episodes(demos(tmp_path / "a.hdf5", {"train": listed})).masks == {"train": (0, 2)}


def test_a_mask_that_lists_no_episodes_is_told(tmp_path):
    lists = {"train": np.array([0.5, 0.25]), "more/inner": np.array([b"demo_0"])}
    found = open_episodes(demos(tmp_path / "a.hdf5", lists))
    assert not found.masks
    told = " ".join(remark.message for remark in found.remarks)
    assert "mask/train" in told
    assert "mask/more" in told


@pytest.mark.parametrize("name", ["dones", "is_first", "episode_index"])
def test_a_flat_file_of_several_episodes_is_not_read_as_one(tmp_path, name):
    said = {"dones": [0, 0, 1] * 2, "is_first": [1, 0, 0] * 2, "episode_index": [0] * 3 + [1] * 3}
    with h5py.File(tmp_path / "flat.hdf5", "w") as file:
        file["obs/q"], file["actions"] = numbers(6, 3), numbers(6, 2)
        file[name] = said[name]
    with pytest.raises(DataError, match=f"--map .*episodes={name}"):
        open_episodes(tmp_path / "flat.hdf5")


def test_what_lies_behind_a_chunk_in_memory_is_not_read(tmp_path):
    """A chunk of blosc that was cut short made numbers of whatever lay behind it."""
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    for name in ("state", "action"):
        root.create_array(f"data/{name}", data=numbers(40, 3), chunks=(10, 3))
    root.create_array("meta/episode_ends", data=np.array([20, 40]))
    chunk = tmp_path / "a.zarr/data/state/1.0"
    chunk.write_bytes(chunk.read_bytes()[:-9])
    with pytest.raises(DataError, match="cannot be read"):
        open_episodes(tmp_path / "a.zarr").read("state")
