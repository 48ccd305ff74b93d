"""Reading demonstrations: what is right is read exactly, what is wrong is said."""

import resource
import shutil
import zipfile
import zlib
from dataclasses import replace

import numpy as np
import pytest
import zarr

from steadyhand.data import (
    Episodes,
    inspect_episodes,
    open_episodes,
    split_episodes,
    statistics,
    write_episodes,
)
from steadyhand.errors import ConfigurationError, DataError, UsageError
from steadyhand.spec import Feature


@pytest.fixture
def replay(tmp_path):
    """A small replay buffer on disk, as the Diffusion Policy code writes it."""
    path = tmp_path / "small.zarr"
    root = zarr.open_group(path, mode="w", zarr_format=2)
    data, meta = root.create_group("data"), root.create_group("meta")
    state = np.arange(60, dtype=np.float32).reshape(20, 3)
    for name, values in {"state": state, "action": state[:, :2] * 2}.items():
        data.create_array(name, data=values, chunks=(7, values.shape[1]))
    meta.create_array("episode_ends", data=np.array([8, 20], dtype=np.int64))
    return path


def test_the_published_data_is_what_its_readme_says(pusht_path) -> None:
    episodes = open_episodes(pusht_path)
    assert (len(episodes), episodes.steps) == (206, 25_650)
    assert episodes.format == "diffusion-policy-zarr"
    assert episodes.shapes == {
        "state": (5,),
        "action": (2,),
        "keypoint": (9, 2),
        "n_contacts": (1,),
        "img": (96, 96, 3),
    }
    np.testing.assert_allclose(episodes.read("action", 0, 1), [[233, 71]])
    assert episodes.read("state[:2]", 100, 103).shape == (3, 2)


def test_folder_and_zip_agree(replay, tmp_path) -> None:
    packed = tmp_path / "small.zarr.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(replay.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(replay))
    folder, zipped = open_episodes(replay), open_episodes(packed)
    np.testing.assert_array_equal(folder.ends, zipped.ends)
    for key in folder.arrays:
        np.testing.assert_array_equal(folder.read(key), zipped.read(key))
    assert folder.read("state", 8, 10).tolist() == [[24, 25, 26], [27, 28, 29]]


@pytest.mark.parametrize("format", ["npz", "zarr"])
def test_what_is_written_is_read_again(format, tmp_path, episodes) -> None:
    path = tmp_path / "new" / f"demonstrations.{format}"
    nothing = Episodes({**episodes.arrays, "zeros": np.zeros((episodes.steps, 1))}, episodes.ends)
    nothing = replace(nothing, rate_hz=20.0)
    write_episodes(path, nothing)
    back = open_episodes(path)
    assert back.format == {"npz": "npz", "zarr": "diffusion-policy-zarr"}[format]
    assert back.rate_hz == 20.0
    np.testing.assert_array_equal(back.ends, episodes.ends)
    assert back.arrays.keys() == nothing.arrays.keys()
    for key in nothing.arrays:
        assert back.arrays[key].dtype == nothing.arrays[key].dtype
        np.testing.assert_array_equal(back.read(key), nothing.read(key))
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    write_episodes(tmp_path / "any name", nothing, format)
    assert open_episodes(tmp_path / "any name").shapes == nothing.shapes
    with pytest.raises(UsageError, match="already there"):
        write_episodes(path, episodes)
    with pytest.raises(UsageError, match=r"no format for .*, ending 'npy'. Did you mean 'npz'"):
        write_episodes(tmp_path / "a.npy", episodes)


def test_features_keep_their_names_or_are_refused(tmp_path) -> None:
    ends = np.array([3])
    for number, name in enumerate(["file", "allow_pickle", "a b", "observation.state", "../x"]):
        odd = Episodes({name: np.ones((3, 1)), "action": np.zeros((3, 1))}, ends)
        for format in ("npz", "zarr"):
            path = tmp_path / f"{number}.{format}"
            if "/" in name:
                with pytest.raises(DataError, match=r"cannot be named '\.\./x'"):
                    write_episodes(path, odd)
            else:
                write_episodes(path, odd)
                assert open_episodes(path).read(name).tolist() == [[1], [1], [1]]
    with pytest.raises(DataError, match="cannot be named 'rate_hz'"):
        write_episodes(tmp_path / "r.npz", Episodes({"rate_hz": np.ones((3, 1))}, ends))
    assert not (tmp_path / "r.npz").exists()


def test_a_full_disk_leaves_nothing_half_written(tmp_path, episodes) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write_episodes(tmp_path / "file" / "a.npz", episodes)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        with pytest.raises(DataError, match="cannot be written"):
            write_episodes(tmp_path / "b.npz", episodes)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_data_is_read_lazily(tmp_path, replay) -> None:
    """A damaged array does not matter until it is asked for."""
    (replay / "data" / "state" / "1.0").write_bytes(b"not a chunk")
    found = open_episodes(replay)
    assert found.read("action").shape == (20, 2)
    with pytest.raises(DataError, match="'state' cannot be read, a part of it is"):
        found.read("state")


def test_a_missing_chunk_of_ours_is_not_read_as_zeros(replay, tmp_path) -> None:
    write_episodes(tmp_path / "ours.zarr", open_episodes(replay))
    (tmp_path / "ours.zarr" / "data" / "state" / "0.0").unlink()
    found = open_episodes(tmp_path / "ours.zarr")
    with pytest.raises(DataError, match="1 of 1 chunks are not there"):
        found.read("state")
    with pytest.raises(DataError, match="1 of 1 chunks are not there"):
        found.arrays["state"][3]
    assert [problem.kind for problem in inspect_episodes(found)] == ["unreadable"]


def test_a_rate_that_nobody_says_is_told_as_a_guess(tmp_path, replay) -> None:
    np.savez(tmp_path / "a.npz", action=np.zeros((3, 1)), episode_ends=np.array([3]))
    guess = open_episodes(tmp_path / "a.npz")
    assert guess.rate_assumed
    assert guess.rate_hz == 10
    assert open_episodes(replay).rate_assumed
    write_episodes(tmp_path / "b.npz", replace(guess, rate_hz=25.0, rate_assumed=False))
    assert not open_episodes(tmp_path / "b.npz").rate_assumed


def test_what_is_far_off_or_says_nothing_is_reported() -> None:
    random = np.random.default_rng(0)
    pose = random.uniform(-2, 2, (300, 3))
    ends = np.array([100, 300])
    assert not inspect_episodes(Episodes({"pose": pose, "action": pose * 2}, ends))
    spoiled = pose.copy()
    spoiled[120, 1] = 1e6
    (found,) = inspect_episodes(Episodes({"pose": spoiled, "action": pose}, ends))
    assert (found.kind, found.episode) == ("outliers", 1)
    assert "1 numbers that lie 3 times its usual range away" in found.message
    assert "at step 20 of episode 1" in found.message
    (echo,) = inspect_episodes(Episodes({"pose": pose, "action": pose.copy()}, ends))
    assert echo.kind == "echo"
    assert "'action[0:3]' is 'pose' of the same step" in echo.message
    still = {"gripper": np.ones((300, 1)), "action": np.hstack([pose, np.ones((300, 1))])}
    assert {problem.kind for problem in inspect_episodes(Episodes(still, ends))} == {"constant"}
    wider = np.hstack([random.normal(size=(300, 1)), pose])
    (echo,) = inspect_episodes(Episodes({"pose": pose, "action": wider}, ends))
    assert "'action[1:4]' is 'pose' of the same step" in echo.message


def test_odd_features_are_reported_and_break_nothing() -> None:
    arrays = {"nothing": np.zeros((5, 0)), "complex": np.ones((5, 1), complex)}
    found = inspect_episodes(Episodes(arrays, np.array([5])))
    assert [(problem.kind, problem.message) for problem in found] == [
        ("empty", "'nothing' is empty: its shape is (5, 0)."),
        (
            "unreadable",
            "the data: 'complex' holds complex128, not numbers. Store real numbers, or leave it "
            "out of --observations.",
        ),
    ]


def test_what_is_no_number_is_refused() -> None:
    episodes = Episodes({"task": np.array(["push", "push"])}, np.array([2]))
    with pytest.raises(DataError, match="not numbers"):
        episodes.read("task")
    with pytest.raises(DataError, match="rate_hz is nan"):
        Episodes({"action": np.zeros((2, 1))}, np.array([2]), rate_hz=float("nan"))


def test_wrong_paths_are_explained(tmp_path, replay) -> None:
    with pytest.raises(
        DataError, match=r"no data at .*smal.zarr.*small.zarr'\? .*holds: small.zarr"
    ):
        open_episodes(tmp_path / "smal.zarr")
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DataError, match=r"no format known here. Known: lerobot .*; diffusion-pol"):
        open_episodes(tmp_path / "notes.txt")
    shutil.rmtree(replay / "meta")
    with pytest.raises(DataError, match="not a whole replay buffer"):
        open_episodes(replay)


@pytest.mark.parametrize("name", ["cut.npz", "cut.zarr.zip"])
def test_truncated_files_are_explained(tmp_path, name) -> None:
    whole = tmp_path / "whole.npz"
    write_episodes(whole, Episodes({"action": np.zeros((5, 2))}, np.array([5])))
    (tmp_path / name).write_bytes(whole.read_bytes()[:-40])
    with pytest.raises(DataError, match="not a whole"):
        open_episodes(tmp_path / name)


def test_npz_never_unpickles(tmp_path) -> None:
    path = tmp_path / "bad.npz"
    np.savez(path, action=np.array([{"a": 1}], dtype=object), episode_ends=np.array([1]))
    with pytest.raises(DataError, match="cannot be read"):
        open_episodes(path).read("action")


def test_ends_and_arrays_must_agree() -> None:
    with pytest.raises(DataError, match=r"so 4 steps, but the last episode ends at step 5"):
        Episodes({"action": np.zeros((4, 2))}, np.array([5]))
    with pytest.raises(DataError, match="episode 1 ends at step 3, not after"):
        Episodes({"action": np.zeros((9, 2))}, np.array([3, 3]))
    with pytest.raises(DataError, match="whole numbers"):
        Episodes({"action": np.zeros((9, 2))}, np.array([2.5]))


def test_not_a_number_is_found_and_placed() -> None:
    action = np.zeros((20, 2))
    action[13, 1] = np.nan
    episodes = Episodes({"action": action}, np.array([8, 20]))
    with pytest.raises(DataError, match="not a finite number at step 5 of episode 1"):
        episodes.read("action")
    assert [problem.kind for problem in inspect_episodes(episodes)] == ["not-finite"]


def test_inspection_finds_constant_short_and_surplus() -> None:
    action = np.random.default_rng(0).normal(size=(24, 2))
    action[:, 1] = 3
    episodes = Episodes({"action": action}, np.array([2, 20]))
    kinds = {problem.kind for problem in inspect_episodes(episodes)}
    assert kinds == {"constant", "short", "surplus"}


def test_split_is_by_episode_and_by_seed() -> None:
    training, held_out = split_episodes(100, validation_share=0.1, seed=3)
    assert len(held_out) == 10
    assert sorted([*training, *held_out]) == list(range(100))
    again = split_episodes(100, validation_share=0.1, seed=3)
    np.testing.assert_array_equal(held_out, again[1])
    assert not np.array_equal(held_out, split_episodes(100, validation_share=0.1, seed=4)[1])
    assert len(split_episodes(5, validation_share=0.01, seed=0)[1]) == 1
    assert len(split_episodes(5, validation_share=0, seed=0)[1]) == 0
    assert len(split_episodes(1, validation_share=0.5, seed=0)[0]) == 1
    with pytest.raises(ConfigurationError, match=r"validation_share is 1.2"):
        split_episodes(5, validation_share=1.2, seed=0)


def test_statistics() -> None:
    values = np.concatenate([np.zeros((5, 1)), np.full((5, 1), 10.0)])
    episodes = Episodes({"action": values}, np.array([5, 10]))
    feature = Feature.select("action", episodes.shapes)
    found = statistics(episodes, [feature])["action"]
    assert (found.minimum, found.maximum, found.mean, found.deviation) == (0, 10, 5, 5)
    only = statistics(episodes.subset([1]), [feature])["action"]
    assert (only.minimum, only.maximum, only.mean, only.deviation) == (10, 10, 10, 0)


def test_subset_takes_whole_episodes(episodes) -> None:
    some = episodes.subset([4, 0])
    assert some.lengths.tolist() == [40, 30]
    start = int(episodes.starts[4])
    np.testing.assert_array_equal(
        some.read("state", 0, 40), episodes.read("state", start, start + 40)
    )


@pytest.mark.parametrize("far", [5e6, 2.0**30, 1.7e9])
def test_episodes_far_from_zero_have_fingerprints_of_their_own(far) -> None:
    """Metres of a map, counts of an encoder, times: float32 would make all of them one."""
    moves = np.random.default_rng(0).integers(0, 16, (40, 2))
    for values in (far + moves / 100, moves + np.int64(far)):
        episodes = Episodes({"action": values}, np.array([10, 20, 30, 40]))
        assert len(set(episodes.fingerprints("action"))) == 4
        wide = Episodes({"action": values.astype(np.float64)}, episodes.ends)
        assert wide.fingerprints("action") == episodes.fingerprints("action")
    times = np.int64(1_700_000_000_000_000_000) + np.arange(4)[:, None]
    assert len(set(Episodes({"action": times}, np.arange(1, 5)).fingerprints("action"))) == 4


def test_numbers_that_float32_holds_keep_the_fingerprints_of_older_runs() -> None:
    values = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    for stored in (values, values.astype(np.float64), values.astype(np.float64).copy("F")):
        episodes = Episodes({"action": stored}, np.array([10, 20]))
        expected = [zlib.crc32(part.tobytes()) for part in (values[:10], values[10:])]
        assert episodes.fingerprints("action") == expected
