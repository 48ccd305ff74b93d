"""Arrays of others with time first: where their episodes end, and what else they say."""

import zipfile
from dataclasses import replace

import numpy as np
import pytest
import zarr

from steadyhand.data import open_episodes, write_episodes
from steadyhand.data.formats import limits
from steadyhand.errors import DataError

STATE = np.arange(36, dtype=np.float32).reshape(12, 3)
PLAIN = {"state": STATE, "action": STATE[:, :2] + 1}
MARKS = np.isin(np.arange(12), (4, 6))


def saved(path, **arrays):
    np.savez(path, **{**PLAIN, **arrays})
    return open_episodes(path)


@pytest.fixture
def place(tmp_path):
    return tmp_path / "a.npz"


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ({"episode_lengths": [5, 2, 5]}, "episode_lengths"),
        ({"ep_lens": [5.0, 2, 5], "starts": [0, 5, 7]}, "ep_lens' and 'starts"),
        ({"episode_starts": [0, 5, 7]}, "episode_starts"),
        ({"episode_starts": np.roll(MARKS, 1) | (np.arange(12) == 0)}, "episode_starts"),
        ({"dones": MARKS}, "dones"),
        ({"terminals": np.arange(12) == 4, "timeouts": np.arange(12) == 6}, None),
        ({"terminals": MARKS[:, None].astype(float)}, "terminals"),
        ({"episode_index": np.repeat([3, 1, 8], [5, 2, 5])}, "episode_index"),
    ],
)
def test_episodes_end_where_arrays_say_so(said, names, place) -> None:
    episodes = saved(place, **said)
    assert episodes.ends.tolist() == [5, 7, 12]
    assert (names or "terminals' and 'timeouts") in episodes.remarks[0].message
    kept = {name for name, values in said.items() if len(values) == 12}
    assert set(episodes.arrays) == {"state", "action"} | kept
    np.testing.assert_array_equal(episodes.read("state"), STATE)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"episode_lengths": [5, 9]}, "'episode_lengths' make 14 steps, and it has 12"),
        ({"lengths": [5, 7], "starts": [0, 6]}, "'lengths' and 'starts' contradict each other"),
        ({"episode_starts": [1, 5]}, "do not begin at 0"),
        ({"dones": np.arange(12) > 8}, "do not say where episodes end"),
        ({"episode_id": [0] * 4 + [1] * 4 + [0] * 4}, "comes back to the same number"),
        ({}, "has no 'episode_ends' .*it holds: action, state. Save episode_ends"),
        ({"dones": [True]}, "has no 'episode_ends'"),
    ],
)
def test_what_leaves_it_open_is_refused(said, why, place) -> None:
    with pytest.raises(DataError, match=why):
        saved(place, **said)


def test_what_is_no_series_is_left_out_and_said(place) -> None:
    kinds = {
        "robot": "panda",
        "version": 3,
        "intrinsics": np.eye(3),
        "notes": np.array([{"a": 1}], object),
        "pair": np.zeros(12, [("a", "f4"), ("b", "i4")]),
        "names": np.array(["x", "y"]),
    }
    episodes = saved(place, episode_ends=[5, 5, 12], **kinds)
    assert set(episodes.arrays) == {"state", "action"}
    assert episodes.left_out.keys() == kinds.keys()
    whys = {
        "version": "a single value",
        "intrinsics": r"its shape is (3, 3), and there are 12 steps",
        "notes": "never unpickled",
    }
    assert all(why in episodes.left_out[name] for name, why in whys.items())
    assert episodes.numbers == (0, 2)
    assert "Episode 1 has no steps" in episodes.remarks[0].message
    with pytest.raises(DataError, match="so 11 steps, but the last episode ends at step 12"):
        saved(place, episode_ends=[12], more=STATE[:11])


def test_words_and_marks_of_success_are_known_by_their_names(place) -> None:
    words = {"language_instruction": np.array([b"pick", b"place", b"pick"])}
    episodes = saved(place, episode_ends=[5, 5, 12], success=[True, False, False], **words)
    assert episodes.tasks == ("pick", "place")
    assert episodes.read("task_index").tolist() == [0] * 12
    assert episodes.success == (True, False)
    assert saved(place, episode_ends=[12], task="fold").tasks == ("fold",)
    each = saved(place, episode_ends=[12], text=np.repeat(["a", "b"], 6))
    assert each.read("task_index").tolist() == [0] * 6 + [1] * 6
    odd = saved(place, episode_ends=[12], prompt=np.array(["a", "b"]))
    assert "2 texts, neither one an episode nor one a step" in odd.left_out["prompt"]


@pytest.mark.parametrize(("said", "rate"), [({"fps": 30}, 30), ({"dt": 0.05}, 20), ({"hz": 0}, 10)])
def test_the_rate_by_other_names(said, rate, place) -> None:
    episodes = saved(place, episode_ends=[12], **said)
    assert episodes.rate_hz == pytest.approx(rate)
    assert episodes.rate_assumed == (rate == 10)


@pytest.mark.parametrize("shape", [(12,), (12, 1), (12, 3, 1), (12, 1, 3)])
@pytest.mark.parametrize("format", ["npz", "zarr"])
def test_actions_are_flat(shape, format, tmp_path) -> None:
    values = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    if format == "npz":
        np.savez(tmp_path / "a.npz", action=values, episode_ends=[7, 12])
    else:
        root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
        root.create_array("data/action", data=values, chunks=(5, *shape[1:]))
        root.create_array("meta/episode_ends", data=np.array([7, 12]))
    episodes = open_episodes(tmp_path / f"a.{format}")
    action = episodes.arrays["action"]
    np.testing.assert_array_equal(episodes.read("action"), values.reshape(12, -1))
    np.testing.assert_array_equal(action[3], values.reshape(12, -1)[3])
    np.testing.assert_array_equal(action[[5, 2]], values.reshape(12, -1)[[5, 2]])
    write_episodes(tmp_path / "b.npz", episodes)
    np.testing.assert_array_equal(open_episodes(tmp_path / "b.npz").arrays["action"][:], action[:])


def test_what_arrays_have_no_place_for_is_noted_beside_them(tmp_path, place) -> None:
    """Only where there is something to say; a note of other episodes is refused."""
    episodes = saved(place, episode_ends=[5, 12])
    write_episodes(tmp_path / "plain.npz", episodes)
    with zipfile.ZipFile(tmp_path / "plain.npz") as archive:
        assert "noted.json" not in archive.namelist()
    told = {"success": (None, False), "masks": {"valid": (1,)}}
    write_episodes(tmp_path / "noted.npz", replace(episodes, **told))
    found = open_episodes(tmp_path / "noted.npz")
    assert {name: getattr(found, name) for name in told} == told
    with zipfile.ZipFile(tmp_path / "plain.npz", "a") as archive:
        archive.writestr("noted.json", '{"success": [true]}')
    with pytest.raises(DataError, match="its kinds or marks of success are not those of"):
        open_episodes(tmp_path / "plain.npz")


def buffer(path, version=2, attributes=None, **arrays):
    """A zarr group of the two arrays and others by their keys; lists of words as texts."""
    root = zarr.open_group(path, mode="w", zarr_format=version, attributes=attributes or {})
    plain = {} if "action" in arrays else {f"data/{key}": v for key, v in PLAIN.items()}
    for key, values in {**plain, **arrays}.items():
        key = key.replace("__", "/")
        if isinstance(values, list):
            array = root.create_array(key, shape=(len(values),), chunks=(2,), dtype=str)
            array[:] = np.array(values, dtype=object)
        else:
            values = np.asarray(values)
            root.create_array(key, data=values, chunks=(2, *values.shape[1:]))
    return path


@pytest.mark.parametrize(("version", "fixed"), [(2, True), (2, False), (3, False)])
@pytest.mark.parametrize("place", ["data/instruction", "meta/task"])
def test_words_in_a_zarr_group(version, place, fixed, tmp_path) -> None:
    words = ["pick", "", "plätz"]
    given = {place.replace("/", "__"): np.array(words) if fixed else words}
    path = buffer(tmp_path / "a.zarr", version, meta__episode_lengths=np.array([5, 2, 5]), **given)
    episodes = open_episodes(path)
    assert episodes.tasks == ("pick", "", "plätz")
    assert episodes.read("task_index").tolist() == [0] * 5 + [1] * 2 + [2] * 5
    assert not episodes.left_out
    (stored,) = [file for file in (path / place).rglob("*") if file.name in ("1", "1.0")]
    stored.write_bytes(b"damaged")
    damaged = open_episodes(path)
    assert set(damaged.arrays) == {"state", "action"}
    assert damaged.left_out.keys() == {place.removeprefix("data/")}


def test_a_group_without_data_and_with_more_beside_it(tmp_path) -> None:
    path = buffer(
        tmp_path / "a.zarr",
        attributes={"fps": 30},
        action=STATE,
        camera__left=STATE,
        episode_ends=np.array([5.0, 5, 12]),
        meta__success=np.array([True, True, False]),
        meta__intrinsics=np.eye(3),
    )
    episodes = open_episodes(path)
    assert set(episodes.arrays) == {"action", "camera/left"}
    assert (episodes.ends.tolist(), episodes.numbers) == ([5, 12], (0, 2))
    assert (episodes.success, episodes.rate_hz) == ((True, False), 30)
    assert episodes.left_out == {"meta/intrinsics": "it is not below data/"}
    told = replace(episodes, masks={"valid": (1,)})
    write_episodes(tmp_path / "b.zarr", told)
    found = open_episodes(tmp_path / "b.zarr")
    assert (found.success, dict(found.masks)) == ((True, False), {"valid": (1,)})
    np.testing.assert_array_equal(found.read("camera/left"), STATE)


@pytest.mark.parametrize("order", ["C", "F"])
def test_of_a_large_array_that_is_not_packed_rows_are_read(order, place, monkeypatch) -> None:
    monkeypatch.setattr(limits, "FREE", 100)
    values = np.asarray(np.arange(60, dtype=np.float32).reshape(12, 5), order=order)
    episodes = saved(place, episode_ends=[12], more=values)
    more = episodes.arrays["more"]
    for rows in (slice(3, 7), [9, 1], 4, slice(None)):
        np.testing.assert_array_equal(more[rows], values[rows])
    assert "_values" not in vars(more)
    assert not isinstance(more[3:7], np.memmap)
    np.savez_compressed(place, **PLAIN, episode_ends=[12], more=values)
    np.testing.assert_array_equal(open_episodes(place).arrays["more"][3:7], values[3:7])
    saved(place, episode_ends=[12], more=values)
    content = place.read_bytes()
    place.write_bytes(content.replace(b"PK\3\4", b"PK\3\5"))
    with pytest.raises(DataError):
        open_episodes(place).read("more")
