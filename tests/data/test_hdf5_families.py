"""ALOHA, RoboTwin, ManiSkill, Minari and LIBERO are read as their recorders mean it."""

import io
import json

import families
import h5py
import numpy as np
import pytest
from PIL import Image

from steadyhand.data import open_episodes, write_episodes
from steadyhand.errors import DataError


def whole(make, *more):
    return np.concatenate([make(number, *more) for number in range(len(families.LENGTHS))])


def cut(make, *more):
    """Without the last row of each episode."""
    return np.concatenate([make(number, 1, *more)[:-1] for number in range(len(families.LENGTHS))])


KEPT = {
    "padded": families.padded,
    "texts": lambda rows: np.array(rows),
    "ragged": families.ragged,
}


@pytest.mark.parametrize("kept", KEPT)
def test_aloha(kept, tmp_path) -> None:
    episodes = open_episodes(families.aloha(tmp_path / "set", kept=KEPT[kept]))
    assert set(episodes.arrays) == {"action", "qpos", "qvel", "cam_high"}
    assert (episodes.format, episodes.rate_hz, episodes.rate_assumed) == ("aloha-hdf5", 50.0, True)
    assert [remark.kind for remark in episodes.remarks] == ["colour", "rate"]
    np.testing.assert_array_equal(episodes.read("action"), whole(families.action, 14))
    np.testing.assert_array_equal(episodes.read("qpos"), whole(families.state, 0, 14))
    pictures = whole(families.shown)
    np.testing.assert_array_equal(episodes.arrays["cam_high"][:], pictures)
    np.testing.assert_array_equal(episodes.arrays["cam_high"][[12, 3]], pictures[[12, 3]])
    assert episodes.lengths.tolist() == list(families.LENGTHS)
    assert not episodes.left_out


def test_aloha_in_jpeg_is_red_where_the_picture_is(tmp_path) -> None:
    found = open_episodes(families.aloha(tmp_path / "set", kind="JPEG")).arrays["cam_high"][:]
    np.testing.assert_allclose(found[:, 8, 12], whole(families.shown)[:, 8, 12], atol=12)


def test_files_come_by_the_numbers_in_their_names(tmp_path) -> None:
    """episode_10 after episode_9; one file alone is a set of one episode."""
    families.aloha(tmp_path / "set")
    (tmp_path / "set/episode_0.hdf5").rename(tmp_path / "set/episode_10.hdf5")
    episodes = open_episodes(tmp_path / "set")
    assert episodes.numbers == (1, 2, 10)
    assert not episodes.left_out
    (tmp_path / "set/dataset_stats.pkl").write_bytes(b"")
    assert open_episodes(tmp_path / "set").left_out == {"dataset_stats.pkl": "it is no episode"}
    assert episodes.lengths.tolist() == [4, 5, 6]
    alone = open_episodes(tmp_path / "set/episode_10.hdf5")
    assert (alone.numbers, alone.steps, alone.format) == ((10,), 6, "aloha-hdf5")


def test_rates_that_differ_are_told(tmp_path) -> None:
    """Also where a file says one of its own."""
    path = families.aloha(tmp_path / "set")
    for number, rate in enumerate((30, 30, 50)):
        with h5py.File(path / f"episode_{number}.hdf5", "a") as file:
            file.attrs["fps"] = rate
    episodes = open_episodes(path)
    assert (episodes.rate_hz, episodes.rate_assumed) == (30.0, False)
    assert any("different rates, 30, 50 Hz" in remark.message for remark in episodes.remarks)


def test_a_broken_file_costs_its_episode(tmp_path) -> None:
    path = families.aloha(tmp_path / "set")
    (path / "episode_1.hdf5").write_bytes((path / "episode_1.hdf5").read_bytes()[:3000])
    with pytest.raises(DataError, match=r"episode_1.hdf5 is not a whole HDF5 file") as error:
        open_episodes(path)
    assert error.value.episode == 1
    assert open_episodes(path, skip_broken_episodes=True).numbers == (0, 2)


def test_pictures_of_another_size_or_none_are_told(tmp_path) -> None:
    """The size is looked at before anything is unpacked."""

    def bomb(file, number) -> None:
        rows = families.packed(families.shown(number))
        head = Image.new("1", (7_000, 7_000))
        content = io.BytesIO()
        head.save(content, "PNG")
        first = [content.getvalue(), *rows[1:]]
        families.ragged(file, "observations/images/bomb", first)
        later = rows[:1] + [content.getvalue()] * (len(rows) - 1)
        families.ragged(file, "observations/images/later", later)

    episodes = open_episodes(families.aloha(tmp_path / "set", extra=bomb))
    assert "larger than 8K" in episodes.left_out["bomb"]
    episodes.arrays["later"][0]
    with pytest.raises(
        DataError, match=r"images/later' of episode 0 cannot be read.*larger than 8K"
    ):
        episodes.arrays["later"][1]


def test_robotwin(tmp_path) -> None:
    path = families.robotwin(tmp_path / "task")
    episodes = open_episodes(path)
    assert episodes.format == "robotwin-hdf5"
    np.testing.assert_array_equal(episodes.read("action"), whole(families.action, 14))
    np.testing.assert_array_equal(
        episodes.read("endpose/left_endpose"), whole(families.state, 0, 7)
    )
    np.testing.assert_array_equal(episodes.arrays["head_camera/rgb"][:], whole(families.shown))
    assert episodes.tasks == ("lift block 0", "lift block 1", "lift block 2")
    assert episodes.read("task_index").tolist() == [0] * 6 + [1] * 4 + [2] * 5
    assert "empty" in episodes.left_out["pointcloud"]
    assert open_episodes(path / "data").tasks == ()


def test_maniskill(tmp_path) -> None:
    path = families.maniskill(tmp_path / "trajectory.rgb.h5")
    episodes = open_episodes(path)
    assert (episodes.format, episodes.rate_hz) == ("maniskill-hdf5", 20.0)
    np.testing.assert_array_equal(episodes.read("action"), whole(families.action))
    np.testing.assert_array_equal(episodes.read("agent/qpos"), cut(families.state))
    key = "sensor_data/base_camera/rgb"
    np.testing.assert_array_equal(episodes.arrays[key][:], cut(families.shown))
    np.testing.assert_array_equal(episodes.read("env_states/actors/cube"), 3 * cut(families.state))
    assert episodes.success == (True, False, True)
    assert not episodes.remarks
    with h5py.File(path, "a") as file:
        for number in range(3):
            del file[f"traj_{number}/success"]
    assert open_episodes(path).success == (True, True, True)  # of the .json


def test_minari(tmp_path) -> None:
    path = families.minari(tmp_path / "door")
    for place in (path, path / "data", path / "data/main_data.hdf5"):
        episodes = open_episodes(place)
        assert episodes.format == "minari-hdf5"
        np.testing.assert_array_equal(episodes.read("action"), whole(families.action))
        np.testing.assert_array_equal(episodes.read("achieved_goal"), cut(families.state))
        assert episodes.tasks == ("go to the red ball",)
        assert episodes.success == (True, True, True)
        assert not episodes.remarks
        assert set(episodes.arrays) == {
            *("action", "achieved_goal", "rewards", "terminations", "infos/success")
        }
    said = json.loads((path / "data/metadata.json").read_text())
    (path / "data/metadata.json").write_text(json.dumps({**said, "total_episodes": 5}))
    assert "counts 5 episodes" in open_episodes(path).remarks[0].message


def test_observations_that_are_one_array(tmp_path) -> None:
    path = tmp_path / "main_data.hdf5"
    with h5py.File(path, "w") as file:
        for number in range(2):
            file[f"episode_{number}/observations"] = families.state(number, 1)
            file[f"episode_{number}/actions"] = np.arange(families.LENGTHS[number])
    episodes = open_episodes(path)
    np.testing.assert_array_equal(episodes.read("observations")[6:], families.state(1, 1)[:-1])


def test_libero(tmp_path) -> None:
    episodes = open_episodes(families.libero(tmp_path / "KITCHEN_open_the_drawer_demo.hdf5"))
    assert (episodes.tasks, episodes.rate_hz) == (("open the drawer",), 20.0)
    assert not episodes.remarks


def test_what_is_read_is_what_is_converted(tmp_path) -> None:
    """The pictures of a folder, and the marks and words of it."""
    source = open_episodes(families.aloha(tmp_path / "set"))
    write_episodes(tmp_path / "a.lerobot", source)
    back = open_episodes(tmp_path / "a.lerobot")
    for key, array in source.arrays.items():
        np.testing.assert_array_equal(np.asarray(back.arrays[key][:]), np.asarray(array[:]))


def test_nothing_outside_of_a_folder_is_opened(tmp_path) -> None:
    path = families.aloha(tmp_path / "set")
    (path / "episode_1.hdf5").rename(tmp_path / "elsewhere.hdf5")
    (path / "episode_1.hdf5").symlink_to(tmp_path / "elsewhere.hdf5")
    with pytest.raises(DataError, match=r"'episode_1.hdf5' leads out of"):
        open_episodes(path)
    task = families.robotwin(tmp_path / "task")
    (task / "instructions/episode1.json").unlink()
    (task / "instructions/episode1.json").symlink_to(tmp_path / "elsewhere.json")
    found = open_episodes(task)
    assert found.tasks == ("lift block 0", "", "lift block 2")
    assert "leads out of" in found.remarks[0].message
