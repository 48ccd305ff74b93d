"""Demonstrations in groups of one HDF5 file, as recorders leave them: nothing is lost unsaid."""

import json

import h5py
import numpy as np
import pytest
import sets

from steadyhand.data import open_episodes
from steadyhand.errors import DataError

NUMBERS = range(len(sets.LENGTHS))


@pytest.fixture
def path(tmp_path):
    return sets.robomimic(tmp_path / "demos.hdf5")


def changed(path, change) -> None:
    """Something done to every demonstration, given its number."""
    with h5py.File(path, "a") as file:
        for number in NUMBERS:
            change(file[f"data/demo_{number}"], number)


def test_data_of_another_length_costs_itself(path) -> None:
    """Also where it has the right length by chance."""

    def change(demo, number) -> None:
        demo["src_demo_inds"] = np.arange([3, 9, 5][number])
        demo["datagen_info/eef_pose"] = np.zeros((sets.LENGTHS[number], 4, 4), np.float32)
        demo["initial_state/joint_pos"] = np.zeros((1, 9))

    changed(path, change)
    episodes = open_episodes(path)
    assert set(episodes.left_out) == {"src_demo_inds", "initial_state/joint_pos"}
    assert episodes.shapes["datagen_info/eef_pose"] == (4, 4)
    assert len(episodes) == 3


@pytest.mark.parametrize("total", [400, 400.0, np.array([400])])
def test_a_count_that_is_stale_is_remarked(path, total) -> None:
    with h5py.File(path, "a") as file:
        file["data"].attrs["total"] = total
        file["data/demo_1"].attrs["num_samples"] = 77
    episodes = open_episodes(path)
    assert episodes.lengths.tolist() == list(sets.LENGTHS)
    said = [remark.message for remark in episodes.remarks]
    assert "counts 400 steps (total), and 36 are there" in said[0]
    assert "num_samples of demo_1 says 77, and it has 9 actions" in said[1]


def test_demonstrations_of_no_steps_are_passed_over(path) -> None:
    with h5py.File(path, "a") as file:
        for name in ("actions", "obs/state", "dones"):
            del file[f"data/demo_1/{name}"]
            file[f"data/demo_1/{name}"] = np.zeros((0, 2), np.float32)
        file.create_group("data/demo_7")  # the recorder was stopped
    episodes = open_episodes(path)
    assert episodes.numbers == (0, 2)
    assert "Episodes 1, 7 have no steps" in episodes.remarks[0].message


MARKED = {
    "an attribute": lambda demo, good: demo.attrs.__setitem__("success", np.bool_(good)),
    "a number": lambda demo, good: demo.attrs.__setitem__("is_success", float(good)),
    "in words": lambda demo, good: demo.attrs.__setitem__("success", str(good)),
    "as failed": lambda demo, good: demo.attrs.__setitem__("failed", not good),
    "one value": lambda demo, good: demo.__setitem__("success", np.bool_(good)),
    "at each step": lambda demo, good: demo.__setitem__(
        "success", np.arange(n := len(demo["actions"])) == (n - 1 if good else 3)
    ),
}


@pytest.mark.parametrize("how", MARKED)
def test_what_is_marked_as_failed(path, how) -> None:
    """How it was left counts, not that it once stood well."""
    changed(path, lambda demo, number: MARKED[how](demo, number != 1))
    assert open_episodes(path).success == (True, False, True)
    assert open_episodes(path, select="success").numbers == (0, 2)


def test_nothing_is_taken_for_a_mark(path) -> None:
    changed(
        path, lambda demo, number: demo.__setitem__("obs/success", np.zeros(len(demo["dones"])))
    )
    changed(path, lambda demo, number: demo.attrs.__setitem__("success", 7))
    assert open_episodes(path).success == ()


@pytest.mark.parametrize("kind", ["S8", h5py.string_dtype()])
def test_filter_keys(path, kind) -> None:
    with h5py.File(path, "a") as file:
        file.create_dataset("mask/train", data=[b"demo_0", b"demo_2"], dtype=kind)
        file.create_dataset("mask/valid", data=[b"demo_1", b"demo_9"], dtype=kind)
        file["mask/odd"] = np.array([2])
        del file["data/demo_0"]
    episodes = open_episodes(path)
    assert episodes.masks == {"train": (1,), "valid": (0,), "odd": (1,)}
    said = [remark.message for remark in episodes.remarks if remark.kind == "mask"]
    assert said == [
        "The mask 'train' names episodes that are not there: demo_0.",
        "The mask 'valid' names episodes that are not there: demo_9.",
    ]


def told(file, place, values) -> None:
    file[place].attrs["task"] = values


SPOKEN = {
    "of all": (lambda demo, n: told(demo.file, "data", "stack"), ("stack",), None),
    "of all, in a list of one": (
        lambda demo, n: told(demo.file, "data", np.array([b"stack"])),
        ("stack",),
        None,
    ),
    "in env_args": (
        lambda demo, n: demo.parent.attrs.__setitem__("env_args", json.dumps({"env_lang": "go"})),
        ("go",),
        None,
    ),
    "in ep_meta": (
        lambda demo, n: demo.attrs.__setitem__("ep_meta", json.dumps({"lang": f"open {n}"})),
        ("open 0", "open 1", "open 2"),
        [0] * 12 + [1] * 9 + [2] * 15,
    ),
    "one text": (
        lambda demo, n: demo.__setitem__("language_instruction", f"do {n % 2}"),
        ("do 0", "do 1"),
        [0] * 12 + [1] * 9 + [0] * 15,
    ),
    "at each step": (
        lambda demo, n: demo.__setitem__("obs/language", ["a"] * 4 + ["b"] * (sets.LENGTHS[n] - 4)),
        ("a", "b"),
        ([0] * 4 + [1] * 8) + ([0] * 4 + [1] * 5) + ([0] * 4 + [1] * 11),
    ),
    "several ways": (
        lambda demo, n: demo.__setitem__("instructions", ["first", "second"]),
        ("first",),
        None,
    ),
}


@pytest.mark.parametrize("how", SPOKEN)
def test_words_of_the_task(path, how) -> None:
    change, tasks, numbers = SPOKEN[how]
    changed(path, change)
    episodes = open_episodes(path)
    assert episodes.tasks == tasks
    assert ("task_index" in episodes.arrays) == (numbers is not None)
    if numbers is not None:
        assert episodes.read("task_index").tolist() == numbers
    assert not episodes.left_out


def test_what_is_dropped_is_listed(path) -> None:
    def change(demo, number) -> None:
        demo["next_obs/state"] = np.zeros((sets.LENGTHS[number], 4), np.float32)
        demo["note"] = "hello"
        demo["model"] = 3.0

    changed(path, change)
    with h5py.File(path, "a") as file:
        file["extras/x"] = np.arange(3)
        file["data/calibration"] = np.arange(4)
    whys = {"next_obs": "repeats obs", "note": "holds words", "model": "a single value"}
    whys |= {"extras": "in no episode", "data/calibration": "no episode as demo_0 is"}
    found = open_episodes(path).left_out
    assert found.keys() == whys.keys()
    assert all(why in found[name] for name, why in whys.items())


def test_one_row_more_than_actions_is_what_was_seen_last(path) -> None:
    state, _ = sets.numbers([n + 1 for n in sets.LENGTHS])
    changed(path, lambda demo, number: demo.__setitem__("obs/more", state[number]))
    episodes = open_episodes(path)
    cut = np.concatenate([values[:-1] for values in state])
    np.testing.assert_array_equal(episodes.read("more"), cut)
    assert "one row more than actions of 'more'" in episodes.remarks[0].message


def test_another_name_of_the_action_is_told_as_a_command(path) -> None:
    changed(path, lambda demo, number: demo.move("actions", "act"))
    with pytest.raises(
        DataError, match=r"neither 'actions' nor 'action'; it holds act, .*action=act"
    ):
        open_episodes(path)


@pytest.mark.parametrize("place", ["data/demo{}", "episodes/ep_{:03d}", "{}", "runs/trajectory_{}"])
def test_groups_that_are_numbered_otherwise(place, tmp_path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for number in (2, 10, 1):
            demo = file.create_group(place.format(number))
            demo["actions"] = np.full((2, 1), number, np.float32)
            demo["observations/x"] = np.zeros((2, 3))
        file.attrs["fps"] = 25
    episodes = open_episodes(tmp_path / "a.h5")
    assert episodes.read("action")[::2, 0].tolist() == [1, 2, 10]
    assert (episodes.numbers, episodes.rate_hz) == ((1, 2, 10), 25.0)
    assert set(episodes.arrays) == {"action", "x"}


def test_the_rate_of_isaac_lab(path) -> None:
    """A step is some steps of the simulation."""
    with h5py.File(path, "a") as file:
        said = {"env_name": "Stack", "type": 2, "sim_args": {"dt": 0.01, "decimation": 5}}
        file["data"].attrs["env_args"] = json.dumps(said)
    assert open_episodes(path).rate_hz == 20.0


def test_very_many_arrays_are_looked_at_in_part(path, monkeypatch) -> None:
    """What was not looked at is looked at when it is read; marks are of all."""
    monkeypatch.setattr("steadyhand.data.formats.hdf5.look.MOST", 5)
    monkeypatch.setattr("steadyhand.data.formats.hdf5.look.SAMPLE", 3)
    changed(path, lambda demo, number: demo.attrs.__setitem__("success", number == 1))
    episodes = open_episodes(path)
    state, _ = sets.numbers()
    np.testing.assert_array_equal(episodes.read("state"), np.concatenate(state))
    assert episodes.success == (False, True, False)
    assert "1 of 3 episodes were looked at whole" in episodes.remarks[0].message
    with h5py.File(path, "a") as file:
        del file["data/demo_1/obs/state"]
        file["data/demo_1/obs/state"] = h5py.ExternalLink("other.h5", "x")
        del file["data/demo_2/obs/state"]
        file["data/demo_2/obs/state"] = np.zeros((15, 5))
    for start, number, why in ((12, 1, "another file"), (21, 2, r"its shape is \(15, 5\)")):
        with pytest.raises(DataError, match=why) as error:
            open_episodes(path).read("state", start, start + 3)
        assert error.value.episode == number
    kept = open_episodes(path, skip_broken_episodes=True)
    assert kept.numbers == (0,)
    np.testing.assert_array_equal(kept.read("state"), state[0])
