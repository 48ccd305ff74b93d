"""Every input of the kinds found in public files: the values that are read, and what is said."""

import io
import json
import shlex
from pathlib import Path

import av
import field
import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
import zarr
from PIL import Image

from steadyhand.cli.main import main
from steadyhand.data import inspect_episodes, open_episodes
from steadyhand.errors import ConfigurationError
from steadyhand.training.config import TrainConfig
from steadyhand.training.train import build_policy

POSE = ("eef_pos", "eef_rot_axis_angle", "gripper_width")

pytestmark = pytest.mark.skipif(
    not field.MAKER.exists(), reason="../shared/field is not here: it makes the inputs"
)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return {name: path for name, (path, _) in field.made(tmp_path_factory.mktemp("field")).items()}


def said(episodes, kind):
    return [problem.message for problem in inspect_episodes(episodes) if problem.kind == kind]


def demos(path, place, name="data/demo_{}", numbers=range(4)):
    with h5py.File(path) as file:
        return np.concatenate([file[f"{name.format(i)}/{place}"][:] for i in numbers])


def columns(path, key, numbers=range(4)):
    files = [path / f"data/chunk-000/episode_{i:06d}.parquet" for i in numbers]
    return np.concatenate([np.stack(pq.read_table(f)[key].to_numpy()) for f in files])


def test_the_page_says_what_is_said(tmp_path):
    """Where it does not, `python tests/data/field.py` writes it anew."""
    assert field.PAGE.read_text().endswith(field.section(tmp_path))


def test_depth_in_metres_stays_what_it_is(inputs):
    found = open_episodes(inputs["hwc_depth"])
    recorded = demos(inputs["hwc_depth"], "obs/agentview_depth")
    assert found.kind("agentview_depth") == "depth"
    np.testing.assert_array_equal(found.read("agentview_depth"), recorded)
    assert found.read("agentview_depth").dtype == np.float32


def test_depth_video_has_its_millimetres(inputs):
    found = open_episodes(inputs["depth_video"])
    key = "observation.images.depth"
    assert found.kind(key) == "depth"
    assert found.shapes[key] == (48, 64, 1)
    told = found.read(key)[:40]
    expected = np.float32(np.minimum(100 * np.arange(40), 4095) / 1000)
    film = next((inputs["depth_video"] / "videos").rglob("episode_000000.mp4"))
    with av.open(str(film)) as container:
        raw = [f.to_ndarray(format="gray12le")[0, 0] for f in container.decode(video=0)]
    np.testing.assert_array_equal(told[:, 0, 0, 0], np.float32(np.array(raw) / 1000))
    np.testing.assert_array_equal(told[:, 0, 0, 0], expected)
    assert np.ptp(told, axis=(1, 2, 3)).max() == 0


def test_points_and_maps_of_dp3(inputs):
    found = open_episodes(inputs["dp3"])
    stored = zarr.open_group(inputs["dp3"], mode="r")["data"]
    assert (found.kind("point_cloud"), found.kind("depth")) == ("points", "depth")
    np.testing.assert_array_equal(found.read("point_cloud"), stored["point_cloud"][:])
    np.testing.assert_array_equal(found.read("depth"), stored["depth"][:][..., None])
    np.testing.assert_array_equal(found.read("img"), stored["img"][:])


def test_chunks_that_are_not_stored_are_zeros(inputs):
    found = open_episodes(inputs["zeros_v3"])
    np.testing.assert_array_equal(found.read("reward").ravel(), np.zeros(120))
    gripper = np.r_[np.zeros(64), np.ones(56)]
    np.testing.assert_array_equal(found.read("gripper").ravel(), gripper)
    assert said(found, "unreadable") == []


def test_positions_of_umi_are_read_beside_pictures_that_are_not_what_they_say(inputs):
    found = open_episodes(inputs["umi"])
    stored = zarr.open_group(inputs["umi"], mode="r")["data"]
    for key in ("robot0_eef_pos", "robot0_eef_rot_axis_angle", "robot0_gripper_width"):
        np.testing.assert_array_equal(found.read(key), stored[key][:])


def test_without_an_action_the_next_pose_can_be_it(inputs, tmp_path, capsys):
    with pytest.raises(ConfigurationError, match="--map guess prints") as told:
        build_policy(TrainConfig(observations=("robot0_eef_pos",)), open_episodes(inputs["umi"]))
    main(shlex.split(str(told.value).partition("steadyhand ")[2].partition(" prints")[0]))
    _, source, _, *rest = shlex.split(capsys.readouterr().out.partition("steadyhand ")[2])
    place = [word.replace(",camera0_rgb=data/camera0_rgb", "") for word in rest]
    main(["convert", source, str(tmp_path / "umi.npz"), *place])
    made, poses = open_episodes(tmp_path / "umi.npz"), zarr.open_group(source, mode="r")["data"]
    told_then = np.concatenate([poses[f"robot0_{part}"][:] for part in POSE], axis=1)
    np.testing.assert_array_equal(made.read("state")[:40], told_then[:40])
    np.testing.assert_array_equal(made.read("action")[:39], told_then[1:40])


@pytest.mark.parametrize("key", ["states/articulation/robot/joint_position", "policy/joint_pos"])
def test_groups_in_groups_are_read_under_their_path(inputs, key):
    found = open_episodes(inputs["isaaclab_nested"])
    place = key if key.startswith("states") else f"obs/{key}"
    np.testing.assert_array_equal(found.read(key), demos(inputs["isaaclab_nested"], place))
    assert any(name.startswith("initial_state") for name in found.left_out)


def test_a_stale_count_is_said_and_costs_nothing(inputs):
    found = open_episodes(inputs["isaaclab_total"])
    assert (len(found), found.steps, found.numbers) == (3, 120, (0, 1, 3))
    recorded = demos(inputs["isaaclab_total"], "actions", numbers=(0, 1, 3))
    np.testing.assert_array_equal(found.read("action"), recorded)
    assert any("400" in remark.message for remark in found.remarks)


def test_data_of_another_length_costs_only_itself(inputs):
    found = open_episodes(inputs["mimicgen"])
    assert "src_demo_inds" in found.left_out
    assert found.shapes["datagen_info/eef_pose"] == (4, 4)
    np.testing.assert_array_equal(found.read("action"), demos(inputs["mimicgen"], "actions"))


def test_failed_demonstrations_are_known_and_can_be_left_out(inputs):
    found = open_episodes(inputs["failed"])
    assert found.success == (True, False, True, False)
    assert len(said(found, "failed")) == 1
    chosen = open_episodes(inputs["failed"], select="success")
    recorded = demos(inputs["failed"], "actions", numbers=(0, 2))
    np.testing.assert_array_equal(chosen.read("action"), recorded)


def test_filter_keys_choose(inputs):
    found = open_episodes(inputs["mask"])
    assert found.masks["train"] == tuple(range(7))
    assert found.masks["valid"] == (7, 8)
    chosen = open_episodes(inputs["mask"], select="mask=valid")
    recorded = demos(inputs["mask"], "actions", numbers=(7, 8))
    np.testing.assert_array_equal(chosen.read("action"), recorded)


def test_channels_first_are_turned_round_and_said(inputs):
    found = open_episodes(inputs["chw"])
    recorded = demos(inputs["chw"], "obs/agentview_image")
    assert found.kind("agentview_image") == "image"
    np.testing.assert_array_equal(found.read("agentview_image"), np.moveaxis(recorded, 1, -1))
    assert any("agentview_image" in remark.message for remark in found.remarks)


def test_equal_state_and_actions_are_said(inputs):
    found = open_episodes(inputs["openpi"])
    np.testing.assert_array_equal(found.read("state"), columns(inputs["openpi"], "state"))
    assert len(said(found, "echo")) == 1


def test_tasks_in_words_are_read_and_choose(inputs):
    found = open_episodes(inputs["twotasks"])
    assert found.tasks == ("pick the red", "pick the green")
    chosen = open_episodes(inputs["twotasks"], select='task="pick the green"')
    assert chosen.numbers == (1, 3)


def test_standing_still_is_found_and_cut_off(inputs, tmp_path):
    found = open_episodes(inputs["idle"])
    (message,) = said(found, "idle")
    assert "in 4 of 4 episodes" in message
    main(["convert", str(inputs["idle"]), str(tmp_path / "moves.npz"), "--trim-idle"])
    assert set(open_episodes(tmp_path / "moves.npz").lengths) <= {60, 61}


def test_words_cost_only_themselves(inputs):
    found = open_episodes(inputs["language"])
    assert "language_persistent" in found.left_out
    np.testing.assert_array_equal(found.read("action"), columns(inputs["language"], "action"))


@pytest.mark.parametrize("name", ["video_rate", "video_long"])
def test_frames_are_those_of_their_rows(inputs, name):
    found = open_episodes(inputs[name])
    frames = found.read("observation.images.top")
    brightness = 10 + 2 * np.tile(np.arange(40), 4)
    assert np.abs(frames.mean((1, 2, 3)) - brightness).max() < 2
    assert [remark.kind for remark in found.remarks] == [name.replace("_", "-")]


def test_an_empty_episode_is_skipped_and_said(inputs):
    found = open_episodes(inputs["zero_len"])
    assert found.lengths.tolist() == [40, 40, 1]
    assert found.numbers == (0, 2, 3)
    assert any("Episode 1 " in remark.message for remark in found.remarks)


def test_a_fault_is_found_under_the_number_of_its_episode(inputs):
    found = open_episodes(inputs["gaps"])
    assert found.numbers == (0, 2, 5, 6)
    problems = [p for p in inspect_episodes(found) if p.kind == "outliers"]
    assert [problem.episode for problem in problems] == [5]
    assert open_episodes(inputs["gaps"], select="5").read("observation.state")[7, 1] == 900.0


def test_pointers_are_told_apart_from_damage(inputs):
    read, messages = field.told(inputs["lfs"])
    assert read == "nothing"
    assert "git lfs pull" in messages[0]


def test_aloha_is_a_folder_of_episodes(inputs):
    found = open_episodes(inputs["aloha"])
    assert found.lengths.tolist() == [40, 40, 40]
    files = [inputs["aloha"] / f"episode_{i}.hdf5" for i in range(3)]
    pictures, actions, states = [], [], []
    for path in files:
        with h5py.File(path) as file:
            actions.append(file["action"][:])
            states.append(file["observations/qpos"][:])
            lengths = file["compress_len"][0]
            for row, length in zip(file["observations/images/cam_high"][:], lengths, strict=True):
                picture = Image.open(io.BytesIO(row[:length].tobytes()))
                pictures.append(np.asarray(picture.convert("RGB")))
    np.testing.assert_array_equal(found.read("action"), np.concatenate(actions))
    states_read = [k for k in found.arrays if k.endswith("qpos") or k == "state"]
    np.testing.assert_array_equal(found.read(states_read[0]), np.concatenate(states))
    (camera,) = (key for key in found.arrays if found.kind(key) == "image")
    np.testing.assert_array_equal(found.read(camera), np.stack(pictures))


def test_trajectories_at_the_root(inputs):
    found = open_episodes(inputs["traj"])
    assert len(found) == 4
    recorded = demos(inputs["traj"], "actions", name="traj_{}")
    np.testing.assert_array_equal(found.read("action"), recorded)


@pytest.mark.parametrize("name", ["traj", "lengths", "aloha"])
def test_the_command_that_is_printed_makes_a_set_that_trains(inputs, name, tmp_path, capsys):
    main(["convert", str(inputs[name]), str(tmp_path / "made.npz"), "--map", "guess", "--json"])
    words = shlex.split(json.loads(capsys.readouterr().out)["command"])
    main(words[1:])
    read = open_episodes(inputs[name])
    told = "actions" if "actions" in read.arrays else "action"
    np.testing.assert_array_equal(open_episodes(words[3]).read("action"), read.read(told))
    tiny = "--steps 2 --checkpoint-every 2 --denoiser.width 16 --denoiser.blocks 1 --device cpu"
    train = ["train", "state", "--data", words[3], "--out", str(tmp_path / "run"), *tiny.split()]
    assert main([*train, "--observations", "state"]) == 0


def test_starts_and_lengths_are_episodes(inputs):
    found = open_episodes(inputs["lengths"])
    with np.load(inputs["lengths"]) as stored:
        assert found.lengths.tolist() == [40, 40, 40]
        np.testing.assert_array_equal(found.read("actions"), stored["actions"])
        np.testing.assert_array_equal(found.read("observations"), stored["observations"])


def test_what_is_rare_and_meant_sets_the_scale(inputs):
    found = open_episodes(inputs["quantile"])
    assert [p.kind for p in inspect_episodes(found) if p.kind in ("seldom", "outliers")] == [
        "seldom"
    ]


def test_every_input_is_one_of_these(inputs):
    checked = Path(__file__).read_text()
    assert [name for name in inputs if f'"{name}"' not in checked] == []
