"""LeRobot and robomimic data: read as it is, in the odd shapes in which it is published."""

import json
import shutil
from dataclasses import replace

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sets

from steadyhand.data import Episodes, open_episodes, write_episodes
from steadyhand.data.pictures.footage import Clip
from steadyhand.data.pictures.frames import with_frames
from steadyhand.errors import DataError
from steadyhand.spec import Feature

MAKERS = {
    "v2.0": lambda path: sets.lerobot_v2(path, "v2.0"),
    "v2.1": sets.lerobot_v2,
    "v3.0": sets.lerobot_v3,
}


def change(file, **changes):
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, **changes}))


@pytest.mark.parametrize("version", MAKERS)
def test_lerobot_in_its_three_versions(version, tmp_path) -> None:
    episodes = open_episodes(MAKERS[version](tmp_path / "set"))
    state, action = sets.numbers()
    assert (episodes.format, episodes.version, episodes.rate_hz) == ("lerobot", version, 10.0)
    assert episodes.lengths.tolist() == list(sets.LENGTHS)
    assert not episodes.rate_assumed
    np.testing.assert_array_equal(episodes.read("observation.state"), np.concatenate(state))
    np.testing.assert_array_equal(episodes.read("action"), np.concatenate(action))
    assert episodes.shapes["next.reward"] == (1,)
    assert episodes.shapes["timestamp"] == ()
    assert episodes.names["action"] == ("x", "y")
    assert episodes.names["observation.state"] == tuple("abcd")
    assert episodes.tasks == ("wander",)
    assert "frame_index" not in episodes.arrays
    video = episodes.arrays[sets.CAMERA]
    assert video.shape == (36, 48, 64, 3)
    expected = np.concatenate([sets.pictures(n, i) for i, n in enumerate(sets.LENGTHS)])
    for steps in (slice(None), slice(10, 14), [0, 35, 12, 12], 20):
        error = np.abs(video[steps].astype(int) - expected[steps])
        assert error[..., 16:, 16:, :].max() < 6  # away from the edge that h264 blurs
        assert error.mean() < 3


def test_a_part_is_the_same_as_in_the_whole(tmp_path) -> None:
    episodes = open_episodes(sets.lerobot_v3(tmp_path / "set"))
    some = episodes.subset([2, 0])
    assert some.lengths.tolist() == [15, 12]
    for key in ("action", sets.CAMERA):
        whole = np.asarray(episodes.arrays[key][:])
        np.testing.assert_array_equal(some.arrays[key][:], np.concatenate([whole[21:], whole[:12]]))
        np.testing.assert_array_equal(some.arrays[key][[14, 15]], whole[[35, 0]])


def test_files_are_found_where_they_lie(tmp_path) -> None:
    """A template whose chunk is the episode's number, all files in chunk 0, columns left out."""
    path = sets.lerobot_v2(tmp_path / "set", "v2.0")
    odd = "data/chunk-{episode_index:03d}/episode_{episode_index:06d}.parquet"
    change(path / "meta" / "info.json", data_path=odd, video_path=odd, total_chunks=0)
    for file in path.rglob("*.parquet"):
        pq.write_table(pq.read_table(file).drop_columns(["index", "task_index"]), file)
    episodes = open_episodes(path)
    assert episodes.steps == 36
    assert "no file has it" in episodes.left_out["task_index"]
    moved = tmp_path / "elsewhere"
    (moved / "data" / "chunk-007").mkdir(parents=True)
    shutil.copytree(path / "meta", moved / "meta")
    shutil.copytree(path / "videos", moved / "videos")
    for file in path.glob("data/*/*.parquet"):
        shutil.copy(file, moved / "data" / "chunk-007")
    np.testing.assert_array_equal(open_episodes(moved).read("action"), episodes.read("action"))


def test_what_is_declared_and_was_never_there(tmp_path) -> None:
    path = sets.lerobot_v2(tmp_path / "set")
    shutil.rmtree(path / "videos")
    episodes = open_episodes(path)
    assert sets.CAMERA not in episodes.arrays
    assert "no video file" in episodes.left_out[sets.CAMERA]


def test_a_picture_column_is_decoded(tmp_path) -> None:
    path = sets.lerobot_v2(tmp_path / "set", videos=False)
    import io

    from PIL import Image

    described = sets.features("v2.1", videos=False)
    described["observation.image"] = {
        "dtype": "image",
        "shape": [3, 48, 64],
        "names": ["channels", "height", "width"],
    }
    change(path / "meta" / "info.json", features=described)
    for number, file in enumerate(sorted(path.rglob("*.parquet"))):
        cells = []
        for step, picture in enumerate(sets.pictures(sets.LENGTHS[number], number)):
            encoded = io.BytesIO()
            Image.fromarray(picture).save(encoded, format="PNG")
            beside = f"images/{number}-{step}.png"
            if step % 2:
                (path / "images").mkdir(exist_ok=True)
                (path / beside).write_bytes(encoded.getvalue())
            cells.append({"bytes": None if step % 2 else encoded.getvalue(), "path": beside})
        pq.write_table(pq.read_table(file).append_column("observation.image", [cells]), file)
    episodes = open_episodes(path)
    expected = np.concatenate([sets.pictures(n, i) for i, n in enumerate(sets.LENGTHS)])
    np.testing.assert_array_equal(episodes.arrays["observation.image"][:], expected)
    write_episodes(tmp_path / "back.lerobot", episodes)
    back = open_episodes(tmp_path / "back.lerobot")
    np.testing.assert_array_equal(back.arrays["observation.image"][:], expected)


def test_a_video_of_twice_the_rate(tmp_path) -> None:
    path = sets.lerobot_v2(tmp_path / "set")
    for number, file in enumerate(sorted(path.rglob("*.mp4"))):
        sets.film(file, sets.pictures(sets.LENGTHS[number], number), every=2)
    video = open_episodes(path).arrays[sets.CAMERA]
    brightness = video[:12][:, 30, 40, 0].astype(int)
    np.testing.assert_allclose(brightness, sets.pictures(12)[:, 30, 40, 0], atol=3)


def test_robomimic(tmp_path) -> None:
    episodes = open_episodes(sets.robomimic(tmp_path / "low_dim.hdf5", images=True))
    state, action = sets.numbers()
    assert (episodes.format, episodes.rate_hz, episodes.rate_assumed) == (
        "robomimic-hdf5",
        20.0,
        False,
    )
    assert set(episodes.arrays) == {"state", "front_image", "action", "dones"}
    np.testing.assert_array_equal(episodes.read("state"), np.concatenate(state))
    np.testing.assert_array_equal(episodes.read("action"), np.concatenate(action))
    np.testing.assert_array_equal(episodes.arrays["front_image"][[20]], sets.pictures(9, 1)[[8]])


def test_demonstrations_come_in_the_order_of_their_numbers(tmp_path) -> None:
    with h5py.File(tmp_path / "eleven.hdf5", "w") as file:
        for number in range(11):
            demo = file.create_group(f"data/demo_{number}")
            demo["actions"] = demo["obs/state"] = np.full((2, 1), number, np.float32)
    assert open_episodes(tmp_path / "eleven.hdf5").read("action")[::2, 0].tolist() == list(
        range(11)
    )


def test_data_of_two_shapes_names_file_and_episode(tmp_path) -> None:
    path = sets.robomimic(tmp_path / "two.hdf5")
    with h5py.File(path, "a") as file:
        del file["data/demo_1/obs/state"]
        file["data/demo_1/obs/state"] = np.zeros((9, 5), np.float32)
    with pytest.raises(
        DataError, match=r"'state' of demo_1 cannot be used: .* \(5,\) in demo_1, and \(4,"
    ):
        open_episodes(path)
    assert open_episodes(path, skip_broken_episodes=True).lengths.tolist() == [12, 15]


BROKEN = {
    "a corrupt video": r"episode_000001.mp4 of episode 1 cannot be used",
    "a missing video": r"episode_000001.mp4 of episode 1 is not there|of episode 1 is not there",
    "a missing parquet": r"episode_000001.parquet.* cannot be used: it is not there",
    "a truncated parquet": r"episode_000001.parquet.* cannot be used",
    "a wrong frame count": r"000001.mp4 of episode 1 cannot be used: it has 7 frames for 9 steps",
    "NaN in the actions": r"'action' is not a finite number at step 3 of episode 1",
    "two shapes": r"episode_000001.parquet.* of episode 1 .*'action' has shape \(3,\)",
    "a column missing": r"episode_000001.parquet of episode 1 has no column 'action'",
    "rows missing": r"episode_000001.parquet of episode 1 .*it has 8 rows for 9 steps",
}


def damage(path, kind) -> None:
    file = next(path.rglob("episode_000001.parquet"))
    video = next(path.rglob("episode_000001.mp4"))
    rows = pq.read_table(file)
    column = rows.column_names.index("action")
    if kind == "a corrupt video":
        content = bytearray(video.read_bytes())
        middle = content.index(b"mdat") + (len(content) - content.index(b"mdat")) // 2
        content[middle : middle + 100] = bytes(100)
        video.write_bytes(bytes(content))
    elif kind == "a missing video":
        video.unlink()
    elif kind == "a missing parquet":
        file.unlink()
    elif kind == "a truncated parquet":
        file.write_bytes(file.read_bytes()[:-20])
    elif kind == "a wrong frame count":
        sets.film(video, sets.pictures(7))
    elif kind == "NaN in the actions":
        values = np.array(rows["action"].to_pylist(), np.float32)
        values[3, 1] = np.nan
        pq.write_table(rows.set_column(column, "action", pa.array(list(values))), file)
    elif kind == "two shapes":
        wide = pa.array(list(np.zeros((9, 3), np.float32)))
        pq.write_table(rows.set_column(column, "action", wide), file)
    elif kind == "a column missing":
        pq.write_table(rows.drop_columns(["action"]), file)
    elif kind == "rows missing":
        pq.write_table(rows.slice(0, 8), file)


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_data_is_named_with_the_way_on(kind, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("STEADYHAND_CACHE", str(tmp_path / "cache"))
    path = sets.lerobot_v2(tmp_path / "set")
    whole = open_episodes(path)
    damage(path, kind)

    def use() -> None:
        episodes = open_episodes(path)
        for key in ("observation.state", "action"):
            episodes.read(key)
        with_frames(episodes, [Feature.select(sets.CAMERA, episodes.shapes)])

    with pytest.raises(DataError, match=BROKEN[kind]) as caught:
        use()
    assert "--skip-broken-episodes" in str(caught.value)
    assert caught.value.episode == 1
    if kind == "a corrupt video":
        return  # only decoding finds it: tests of training skip it
    rest = open_episodes(path, skip_broken_episodes=True)
    assert rest.lengths.tolist() == [12, 15]
    assert list(rest.left_out) == ["episode 1"]
    np.testing.assert_array_equal(
        rest.read("observation.state"), whole.subset([0, 2]).read("observation.state")
    )


def test_an_index_that_contradicts_itself(tmp_path) -> None:
    path = sets.lerobot_v2(tmp_path / "set")
    index = path / "meta" / "episodes.jsonl"
    index.write_text(index.read_text().rsplit("{", 1)[0])  # the last line is lost
    with pytest.raises(DataError, match="counts 3 as total_episodes, its episodes make 2"):
        open_episodes(path)
    change(path / "meta" / "info.json", codebase_version="v1.6")
    with pytest.raises(DataError, match=r"'v1.6', which is not read here"):
        open_episodes(path)


@pytest.mark.parametrize("format", ["lerobot", "zarr", "npz"])
@pytest.mark.parametrize("maker", ["v2.1", "v3.0", "robomimic"])
def test_what_is_converted_is_the_same(format, maker, tmp_path) -> None:
    makers = {**MAKERS, "robomimic": lambda path: sets.robomimic(path, images=True)}
    episodes = open_episodes(
        makers[maker](tmp_path / ("set.hdf5" if maker == "robomimic" else "s"))
    )
    write_episodes(tmp_path / f"first.{format}", episodes)
    write_episodes(tmp_path / "second.lerobot", open_episodes(tmp_path / f"first.{format}"))
    back = open_episodes(tmp_path / "second.lerobot")
    assert set(back.arrays) == set(episodes.arrays)
    assert back.rate_hz == episodes.rate_hz
    assert back.ends.tolist() == episodes.ends.tolist()
    for key, array in episodes.arrays.items():
        there = back.arrays[key]
        assert (there.shape, np.dtype(there.dtype)) == (array.shape, np.dtype(array.dtype)), key
        np.testing.assert_array_equal(there[:], array[:], err_msg=key)


@pytest.mark.parametrize("format", ["lerobot", "zarr", "npz"])
@pytest.mark.parametrize("kind", ["?", "i1", "u2", "u4", "u8", "i8", "f2", "f4", "f8"])
def test_numbers_of_every_kind_are_converted(format, kind, tmp_path) -> None:
    """In whichever order their bytes are, and however large."""
    high = 2.0 if kind == "?" else 6e4 if kind == "f2" else 1.8e19 if kind == "u8" else 99.0
    values = np.random.default_rng(0).uniform(0, high, (7, 2)).astype(kind)
    swapped = values.astype(values.dtype.newbyteorder(">"))
    episodes = Episodes({"state": values, "action": swapped}, np.array([4, 7]))
    write_episodes(tmp_path / f"a.{format}", episodes)
    found = open_episodes(tmp_path / f"a.{format}")
    for key in ("state", "action"):
        assert found.read(key).dtype.newbyteorder("=") == values.dtype
        np.testing.assert_array_equal(found.read(key), values)


def test_a_part_of_a_film_is_copied_whole(tmp_path) -> None:
    """Without its second episode, the v3.0 set still shares one file, copied byte for byte."""
    path = sets.lerobot_v3(tmp_path / "set")
    episodes = open_episodes(path).subset([0, 2])
    write_episodes(tmp_path / "part.lerobot", episodes)
    [film] = (tmp_path / "part.lerobot").rglob("*.mp4")
    assert film.read_bytes() == next(path.rglob("*.mp4")).read_bytes()
    back = open_episodes(tmp_path / "part.lerobot")
    np.testing.assert_array_equal(back.arrays[sets.CAMERA][:], episodes.arrays[sets.CAMERA][:])


def test_the_shared_sets_are_what_their_readme_says() -> None:
    from conftest import DEMONSTRATIONS

    if not DEMONSTRATIONS.exists():
        pytest.skip(f"the demonstrations are not at {DEMONSTRATIONS}")
    expected = {
        "lerobot_pusht_v3": ("v3.0", 206, 25_650, 10, {"observation.state": (2,), "action": (2,)}),
        "g1_bottle_v21": (
            "v2.1",
            8,
            2868,
            30,
            {
                "observation.state": (26,),
                "action": (26,),
                "observation.images.cam_high": (480, 640, 3),
            },
        ),
        "gr1_picknplace_sim_v20": (
            "v2.0",
            5,
            2096,
            20,
            {
                "observation.state": (44,),
                "action": (44,),
                "observation.images.ego_view": (256, 256, 3),
            },
        ),
        "adroit_door.hdf5": ("1", 25, 6729, 10, {"state": (39,), "action": (28,)}),
    }
    for name, (version, count, steps, rate, shapes) in expected.items():
        episodes = open_episodes(DEMONSTRATIONS / name)
        found = (episodes.version, len(episodes), episodes.steps, episodes.rate_hz)
        assert found == (version, count, steps, rate), name
        assert shapes.items() <= episodes.shapes.items(), name
    left_out = open_episodes(DEMONSTRATIONS / "lerobot_pusht_v3").left_out
    assert list(left_out) == ["observation.image"]


def test_two_publications_of_one_data_set_agree(pusht_path) -> None:
    """Push-T as its authors' zarr and as LeRobot's: the same numbers, step by step."""
    zarr = open_episodes(pusht_path)
    lerobot = open_episodes(pusht_path.parents[1] / "lerobot_pusht_v3")
    assert zarr.ends.tolist() == lerobot.ends.tolist()
    np.testing.assert_array_equal(zarr.read("action"), lerobot.read("action"))
    np.testing.assert_array_equal(zarr.read("state[:2]"), lerobot.read("observation.state"))


@pytest.mark.parametrize(
    "name", ["lerobot_pusht_v3", "gr1_picknplace_sim_v20", "adroit_door.hdf5", "pusht"]
)
def test_the_shared_sets_come_back_from_lerobot_v3(name, tmp_path) -> None:
    """Numbers to the last bit; video copied byte for byte."""
    from conftest import DEMONSTRATIONS

    path = DEMONSTRATIONS / (name if name != "pusht" else "pusht/pusht_cchi_v7_replay.zarr")
    if not path.exists():
        pytest.skip(f"the demonstrations are not at {path}")
    episodes = open_episodes(path)
    arrays = {key: array for key, array in episodes.arrays.items() if key != "img"}
    episodes = replace(episodes, arrays=arrays)
    write_episodes(tmp_path / "there.lerobot", episodes)
    write_episodes(tmp_path / "back.zarr", open_episodes(tmp_path / "there.lerobot"))
    back = open_episodes(tmp_path / "back.zarr")
    assert (back.ends.tolist(), back.rate_hz) == (episodes.ends.tolist(), episodes.rate_hz)
    assert set(back.arrays) == set(arrays)
    for key, array in arrays.items():
        if len(array.shape) < 4:
            there = back.read(key)
            assert there.dtype == np.dtype(array.dtype)
            np.testing.assert_array_equal(there, episodes.read(key), err_msg=key)
        else:
            np.testing.assert_array_equal(back.arrays[key][40:44], array[40:44])
    for film in path.rglob("*.mp4") if path.is_dir() else ():
        copies = [f for f in tmp_path.rglob("*.mp4") if f.stat().st_size == film.stat().st_size]
        assert any(copy.read_bytes() == film.read_bytes() for copy in copies)


def test_pictures_that_refer_across_key_frames(tmp_path) -> None:
    """Open groups of pictures: what is read at random is what is read from the beginning."""
    frames = np.random.default_rng(0).integers(0, 256, (48, 48, 64, 3), dtype=np.uint8)
    options = {"x264-params": "open-gop=1:keyint=8"}
    sets.film(tmp_path / "open.mp4", frames, options=options)
    clip = Clip(tmp_path / "open.mp4", 0.0, 48, 48, 64, 10.0, 0)
    whole = clip[:]
    for step in range(48):
        np.testing.assert_array_equal(clip[step], whole[step])


def test_a_film_shared_with_what_is_left_out_is_still_sound(tmp_path) -> None:
    path = sets.lerobot_v3(tmp_path / "set")
    write_episodes(tmp_path / "one.lerobot", open_episodes(path).subset([1]))
    [clip] = open_episodes(tmp_path / "one.lerobot").arrays[sets.CAMERA].clips
    clip.check()
    from steadyhand.data.formats.lerobot import dataset as lerobot

    [clip] = lerobot.read(path, frozenset({0, 1})).arrays[sets.CAMERA].clips
    clip.check()


def test_one_odd_demonstration_does_not_cost_the_others(tmp_path) -> None:
    path = sets.robomimic(tmp_path / "odd.hdf5")
    with h5py.File(path, "a") as file:
        file["data/demo_2/obs/extra"] = np.zeros((15, 1), np.float32)
    assert "1 of 3 episodes have it" in open_episodes(path).left_out["extra"]
    with h5py.File(path, "a") as file:
        del file["data/demo_2/obs/state"]
    with pytest.raises(DataError, match=r"demo_2 has no 'state', as most others have"):
        open_episodes(path)
    kept = open_episodes(path, skip_broken_episodes=True)
    assert kept.numbers == (0, 1)
    assert not kept.left_out["episode 2"].endswith((".", "--skip-broken-episodes")), "it was"


def test_the_action_is_what_the_file_calls_actions(tmp_path) -> None:
    with h5py.File(tmp_path / "both.hdf5", "w") as file:
        file["data/demo_0/actions"] = np.ones((5, 2), np.float32)
        file["data/demo_0/obs/action"] = np.zeros((5, 2), np.float32)
    episodes = open_episodes(tmp_path / "both.hdf5")
    assert episodes.read("action").max() == 1
    assert episodes.read("obs_action").max() == 0


def test_a_guess_at_the_rate_stays_a_guess(tmp_path) -> None:
    guessed = Episodes({"action": np.zeros((6, 2))}, np.array([6]), rate_assumed=True)
    for format in ("npz", "zarr", "lerobot"):
        write_episodes(tmp_path / f"a.{format}", guessed)
        assert open_episodes(tmp_path / f"a.{format}").rate_assumed


def test_tables_of_numbers_are_no_pictures(tmp_path) -> None:
    """Poses (2, 4, 4) come back to the last bit; pictures of four channels come back at all."""
    random = np.random.default_rng(0)
    arrays = {
        "poses": random.normal(size=(6, 2, 4, 4)),
        "shown": random.integers(0, 256, (6, 16, 16, 4), dtype=np.uint8),
        "action": np.zeros((6, 2)),
    }
    write_episodes(tmp_path / "a.lerobot", Episodes(arrays, np.array([6])))
    back = open_episodes(tmp_path / "a.lerobot")
    for key, values in arrays.items():
        np.testing.assert_array_equal(back.arrays[key][:], values, err_msg=key)


def test_a_column_that_only_one_episode_has_does_not_cost_the_others(tmp_path) -> None:
    path = sets.lerobot_v2(tmp_path / "set", videos=False)
    for file in sorted(path.rglob("*.parquet"))[:2]:
        pq.write_table(pq.read_table(file).drop_columns(["next.reward"]), file)
    with pytest.raises(DataError, match=r"of episode 2 has a column 'next.reward', which most"):
        open_episodes(path)
    kept = open_episodes(path, skip_broken_episodes=True)
    assert kept.numbers == (0, 1)
    assert "next.reward" in kept.left_out
