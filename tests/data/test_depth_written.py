"""Depth and points come back from every writer as they went in: the same kind, the same bits."""

import json

import depth_sets as stored
import numpy as np
import pytest
import sets

from steadyhand.data import Episodes, open_episodes, write_episodes
from steadyhand.data.lazy import beneath
from steadyhand.data.pictures.footage import Footage

ENDS = np.array([7, 12])
COUNTED = np.random.default_rng(0).integers(0, 65536, (12, 20, 30, 1)).astype(np.uint16)
METRES = {
    "whole millimetres": (COUNTED / 1000).astype(np.float32),
    "any metres": np.random.default_rng(1).gamma(2, 1, (12, 20, 30, 1)).astype(np.float32),
    "farther than 16 bits": np.where(COUNTED % 2 == 0, 70, 1).astype(np.float32),
    "so far that it could be millimetres": np.full((12, 20, 30, 1), 70.0, np.float32),
    "nothing measured": np.zeros((12, 20, 30, 1), np.float32),
}


def having(depth) -> Episodes:
    random = np.random.default_rng(2)
    arrays = {
        "front": depth,
        "scene": random.normal(size=(12, 20, 3)).astype(np.float32),
        "felt": random.normal(size=(12, 16, 16, 1)).astype(np.float32),
        "action": random.normal(size=(12, 2)).astype(np.float32),
    }
    kinds = {"front": "depth", "scene": "points", "felt": "state"}
    return Episodes(arrays, ENDS, 10.0, kinds=kinds)


@pytest.mark.parametrize("format", ["npz", "zarr", "lerobot"])
@pytest.mark.parametrize("name", METRES)
def test_every_writer_is_lossless(name, format, tmp_path) -> None:
    given = having(METRES[name])
    write_episodes(tmp_path / f"a.{format}", given)
    found = open_episodes(tmp_path / f"a.{format}")
    assert {key: found.kind(key) for key in given.kinds} == given.kinds
    assert not found.remarks
    for key, array in given.arrays.items():
        assert np.array_equal(found.read(key), array)
        assert found.read(key).dtype == np.float32
    assert found.read("front", 3, 5).tobytes() == METRES[name][3:5].tobytes()


def described(path) -> dict:
    return json.loads((path / "meta" / "info.json").read_text())["features"]


def test_what_lerobot_is_told(tmp_path) -> None:
    for name, unit in (("whole millimetres", "mm"), ("any metres", "m")):
        path = tmp_path / f"{unit}.lerobot"
        write_episodes(path, having(METRES[name]))
        feature = described(path)["front"]
        assert (feature["dtype"], feature["shape"]) == ("image", [20, 30, 1])
        assert feature["info"] == {"is_depth_map": True, "depth_unit": unit}
        stats = json.loads((path / "meta" / "stats.json").read_text())["front"]
        values = METRES[name][METRES[name] > 0]
        assert values.min() <= stats["min"][0][0][0] <= stats["max"][0][0][0] <= values.max()


FILMS = {
    "not declared": {},
    "centimetres": {"depth_unit": "cm"},
    "codes": {"video.depth_min": 0.0, "video.depth_max": 4.095, "video.use_log": False},
}


@pytest.mark.parametrize("name", FILMS)
def test_films_of_depth_are_copied_and_not_coded_again(name, tmp_path) -> None:
    source = sets.lerobot_v2(tmp_path / "set")
    for number, file in enumerate(sorted(source.rglob("*.mp4"))):
        stored.film(file, np.stack([stored.COUNTED + number] * sets.LENGTHS[number]))
    stored.described(source, info=FILMS[name])
    given = open_episodes(source)
    write_episodes(tmp_path / "a.lerobot", given.subset([2, 0]))
    found = open_episodes(tmp_path / "a.lerobot")
    assert isinstance(beneath(found.arrays[sets.CAMERA]), Footage)
    right = given.subset([2, 0]).read(sets.CAMERA, 13, 17)
    assert np.array_equal(found.read(sets.CAMERA, 13, 17), right)
    feature = described(tmp_path / "a.lerobot")[sets.CAMERA]
    assert (feature["info"]["is_depth_map"], feature["info"]["video.channels"]) == (True, 1)
    write_episodes(tmp_path / "a.npz", found)
    assert np.array_equal(open_episodes(tmp_path / "a.npz").read(sets.CAMERA, 13, 17), right)
