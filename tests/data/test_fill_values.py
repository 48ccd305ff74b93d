"""Chunks that zarr does not store hold what it says they hold; what should be there is missed."""

import json

import h5py
import numpy as np
import pytest
import sets
import zarr

from steadyhand.data import open_episodes
from steadyhand.data.formats.zarr.fill import filled
from steadyhand.errors import DataError

VALUES = np.zeros((12, 3), np.float32)
VALUES[5:7] = 4


def group(path, version, **arrays):
    """As zarr-python writes by default: what holds nothing but the fill value is not stored."""
    root = zarr.open_group(path, mode="w", zarr_format=version)
    for name, (values, fill) in {"action": (np.ones((12, 2)), 0), **arrays}.items():
        root.create_array(
            f"data/{name}",
            shape=values.shape,
            dtype=values.dtype,
            chunks=(5, *values.shape[1:]),
            fill_value=fill,
            config={"write_empty_chunks": False},
        )[...] = values
    root.create_array("meta/episode_ends", data=np.array([6, 12]))
    return path


@pytest.mark.parametrize("version", [2, 3])
def test_chunks_that_are_not_stored_hold_the_fill_value(version, tmp_path) -> None:
    kinds = {
        "zeros": (VALUES * 0, 0),
        "some": (VALUES, 0),
        "whole": (np.full(12, 7, np.int16), 7),
        "switch": (np.full(12, True), True),
        "nothing": (np.full((12, 2), np.nan), np.nan),
        "endless": (np.full((12, 2), -np.inf, np.float16), -np.inf),
    }
    path = group(tmp_path / "a.zarr", version, **kinds)
    episodes = open_episodes(path)
    for name, (values, _) in kinds.items():
        array = episodes.arrays[name]
        np.testing.assert_array_equal(array[:], values)
        np.testing.assert_array_equal(array[[11, 5, 0]], values[[11, 5, 0]])
        assert array.dtype == values.dtype
    (remark,) = episodes.remarks
    assert remark.kind == "fill-value"
    assert "'some' 2 of 3 chunks (0.0), 'switch' 3 of 3 chunks (True)" in remark.message
    assert "'action'" not in remark.message


def test_parts_of_shards_that_were_not_written_hold_it_too(tmp_path) -> None:
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    array = root.create_array(
        "data/action", shape=(12, 3), dtype="f4", chunks=(2, 3), shards=(6, 3), fill_value=1.5
    )
    array[4:5] = 4
    root.create_array("meta/episode_ends", data=np.array([12]))
    np.testing.assert_array_equal(open_episodes(tmp_path / "a.zarr").read("action"), array[...])


def test_what_should_be_there_is_missed(tmp_path) -> None:
    """Where no fill value is said, where links lead nowhere, and of the ends of episodes."""
    path = group(tmp_path / "a.zarr", 2, some=(VALUES, 0), other=(VALUES, 0), ours=(VALUES, 0))
    said = path / "data" / "some" / ".zarray"
    said.write_text(json.dumps({**json.loads(said.read_text()), "fill_value": None}))
    (path / "data" / "other" / "0.0").symlink_to("annex")
    (path / "data" / "ours" / ".zattrs").write_text(json.dumps({"crc32": 1}))
    episodes = open_episodes(path)
    whys = {"some": "no fill value says", "other": "a link to what is not there"}
    for name, why in {**whys, "ours": "2 of 3 chunks are not there, all of which"}.items():
        with pytest.raises(DataError, match=why):
            episodes.read(name)
    np.testing.assert_array_equal(episodes.arrays["some"][5:7], VALUES[5:7])
    (path / "meta" / "episode_ends" / "0").unlink()
    with pytest.raises(DataError, match="meta/episode_ends is not whole: 1 of 1 chunks"):
        open_episodes(path)


@pytest.mark.parametrize(
    ("value", "kind", "right"),
    [
        ("NaN", "f4", np.nan),
        ("0x7fc00000", "f4", np.nan),
        ("0x3ff8000000000000", "f8", 1.5),
        ("0x3ff8000000000000", "f4", None),
        ("-Infinity", "f2", -np.inf),
        (0.5, "f4", 0.5),
        (3.0, "i4", 3),
        (255, "u1", 255),
        (256, "u1", None),
        (0.5, "i4", None),
        ("NaN", "i4", None),
        (False, "b1", False),
        ("AAA=", "f4", None),
        ({"a": 1}, "u1", None),
        ([1], "b1", None),
        (None, "f4", None),
        (True, "f4", None),
    ],
)
def test_a_fill_value_is_one_number_of_its_kind(value, kind, right) -> None:
    found = filled(value, np.dtype(kind))
    assert (found is None) == (right is None)
    if right is not None:
        assert found.dtype == np.dtype(kind)
        np.testing.assert_equal(found, right)


def test_many_chunks_are_looked_for_by_a_sample(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("steadyhand.data.formats.zarr.array.LOOKED_FOR", 2)
    path = group(tmp_path / "a.zarr", 3, zeros=(VALUES * 0, 0))
    assert "2 of 2 chunks that were looked for (0.0)" in open_episodes(path).remarks[0].message


def test_what_was_never_written_to_hdf5_is_its_fill_value(tmp_path) -> None:
    """As large as it is declared, and said; an action that was never written is none."""
    path = sets.robomimic(tmp_path / "a.hdf5")
    with h5py.File(path, "a") as file:
        for number, steps in enumerate(sets.LENGTHS):
            demo = file[f"data/demo_{number}"]
            demo.create_dataset("obs/force", (steps, 3), "f4", fillvalue=7)
            demo.create_dataset("obs/seen", (steps, 3000, 3000, 3), "u1", chunks=(1, 3000, 3000, 3))
    episodes = open_episodes(path)
    assert (episodes.read("force") == 7).all()
    assert not episodes.arrays["seen"][3].any()
    (remark,) = [remark for remark in episodes.remarks if remark.kind == "fill-value"]
    assert "'force' in 3 of 3 episodes, 'seen' in 3 of 3 episodes" in remark.message
    with h5py.File(path, "a") as file:
        del file["data/demo_1/actions"]
        file["data/demo_1"].create_dataset("actions", (9, 2), "f4")
    with pytest.raises(DataError, match=r"'action' of demo_1 .* nothing was ever written to it"):
        open_episodes(path)
    with h5py.File(path, "a") as file:
        del file["data/demo_0/actions"]
        file["data/demo_0"].create_dataset("actions", (12, 2), "f4")
    none = open_episodes(path)
    assert "'action' in 2 of 3 episodes" in none.remarks[0].message
    assert not none.read("action")[:21].any()
