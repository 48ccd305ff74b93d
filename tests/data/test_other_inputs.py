"""Inputs as other recorders write them: what they say in their own way is read, or said."""

import shutil
from pathlib import Path

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


def test_a_mark_of_success_that_is_none_is_told(tmp_path):
    with h5py.File(demos(tmp_path / "a.hdf5"), "r+") as file:
        file["data/demo_1"].attrs["success"] = "perhaps"
        file["data/demo_2"].attrs["success"] = True
    found = open_episodes(tmp_path / "a.hdf5")
    assert found.success == (None, None, True, None)
    [told] = [remark for remark in found.remarks if remark.kind == "attribute"]
    assert "demo_1" in told.message
    assert "perhaps" in told.message


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


def test_an_archive_of_the_whole_folder_is_that_of_its_content(tmp_path):
    """As a desktop packs it: `name.zarr/data/…` rather than `data/…`."""
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    state = numbers(40, 3)
    root.create_array("data/state", data=state)
    root.create_array("data/action", data=state)
    root.create_array("meta/episode_ends", data=np.array([20, 40]))
    packed = shutil.make_archive(str(tmp_path / "a.zarr"), "zip", tmp_path, "a.zarr")
    found = open_episodes(packed)
    assert {*found.arrays} == {"state", "action"}
    np.testing.assert_array_equal(found.read("state"), state)


def test_what_was_seen_after_the_last_action_of_each_episode_is_not_read(tmp_path):
    seen, action = np.arange(33.0)[:, None], numbers(30, 2)
    np.savez(tmp_path / "a.npz", seen=seen, action=action, episode_ends=[10, 20, 30])
    found = open_episodes(tmp_path / "a.npz")
    expected = np.delete(seen, [10, 21, 32], axis=0)
    np.testing.assert_array_equal(found.read("seen"), expected)
    assert [remark.kind for remark in found.remarks] == ["longer"]


def test_success_at_each_step_is_that_of_the_last(tmp_path):
    success = np.zeros(20, bool)
    success[[3, 19]] = True
    np.savez(tmp_path / "a.npz", action=numbers(20, 2), success=success, episode_ends=[10, 20])
    found = open_episodes(tmp_path / "a.npz")
    assert found.success == (False, True)
    np.testing.assert_array_equal(found.read("success"), success)


def test_of_objects_it_is_told_why_they_are_not_read(tmp_path):
    episodes = np.empty(2, object)
    episodes[:] = [numbers(5, 2), numbers(6, 2)]
    np.savez(tmp_path / "a.npz", actions=episodes)
    with pytest.raises(DataError, match="'actions' is not read: it holds objects"):
        open_episodes(tmp_path / "a.npz")


def test_pictures_of_several_cameras_in_one_array_are_told_as_that(tmp_path):
    pictures = np.zeros((10, 2, 24, 24, 3), np.uint8)
    np.savez(tmp_path / "a.npz", action=numbers(10, 2), seen=pictures, episode_ends=[10])
    assert "2 pictures at each step" in open_episodes(tmp_path / "a.npz").left_out["seen"]


def test_bytes_that_are_by_their_name_labels_are_gray_and_told(tmp_path):
    labels = np.zeros((10, 48, 64), np.uint8)
    np.savez(tmp_path / "a.npz", action=numbers(10, 2), front_seg=labels, episode_ends=[10])
    found = open_episodes(tmp_path / "a.npz")
    assert found.kind("front_seg") == "image"
    assert any("numbers of things" in remark.message for remark in found.remarks)


def test_what_holds_no_plain_numbers_is_told_by_what_it_is(tmp_path):
    with h5py.File(demos(tmp_path / "a.hdf5"), "r+") as file:
        for episode in file["data"].values():
            episode["fields"] = np.zeros(5, [("x", "f4"), ("y", "f4")])
            cloud = episode.create_dataset("cloud", (5,), dtype=h5py.vlen_dtype("f4"))
            cloud[0] = numbers(30)
    left_out = open_episodes(tmp_path / "a.hdf5").left_out
    assert "fields, 'x, y'" in left_out["fields"]
    assert "another length" in left_out["cloud"]


def test_an_archive_of_other_things_is_to_be_unpacked(tmp_path):
    demos(tmp_path / "a.hdf5")
    (tmp_path / "in").mkdir()
    shutil.move(tmp_path / "a.hdf5", tmp_path / "in/a.hdf5")
    packed = shutil.make_archive(str(tmp_path / "a"), "zip", tmp_path / "in")
    with pytest.raises(DataError, match="is an archive"):
        open_episodes(packed)


def test_what_is_said_beside_a_set_of_a_folder_is_not_told_as_left_out(tmp_path):
    with h5py.File(tmp_path / "lift.h5", "w") as file:
        for i in range(2):
            file[f"traj_{i}/actions"] = numbers(5, 2)
    (tmp_path / "lift.json").write_text('{"env_info": {}, "episodes": []}')
    (tmp_path / "notes.txt").write_text("of Monday")
    assert {*open_episodes(tmp_path).left_out} == {"notes.txt"}


MAPS = Path("/proc/self/maps")


@pytest.mark.skipif(not MAPS.exists(), reason="only Linux tells what is mapped")
def test_of_a_large_array_nothing_that_was_read_stays_mapped(tmp_path, monkeypatch):
    monkeypatch.setattr("steadyhand.data.formats.limits.FREE", 100)
    action = numbers(200, 2)
    np.savez(tmp_path / "a.npz", action=action, episode_ends=[100, 200])
    found = open_episodes(tmp_path / "a.npz").arrays["action"]
    for step in range(0, 200, 50):
        np.testing.assert_array_equal(found[step : step + 3], action[step : step + 3])
    assert "a.npz" not in MAPS.read_text()
