"""Depth is read in metres to the last bit, however it is stored; what unit was assumed is said."""

import math

import h5py
import numpy as np
import pytest
import sets
import zarr
from depth_sets import COUNTED, HEIGHT, METRES, RIGHT, WIDTH

from steadyhand.data import Episodes, open_episodes
from steadyhand.data.kinds.depth import Declared, Packed, is_millimetres
from steadyhand.data.kinds.meaning import understood
from steadyhand.data.lazy import Told


def opened_in_memory(values, key="depth") -> Episodes:
    steps = values.shape[0]
    action = np.zeros((steps, 2), np.float32)
    return understood(Episodes({key: values, "action": action}, np.array([steps])))


STORED = {
    "channel last": METRES[None, :, :, None],
    "two dimensions": METRES[None],
    "channel first": METRES[None, None],
    "64 bits": METRES[None].astype(np.float64),
    "millimetres": COUNTED[None],
    "millimetres with a channel": COUNTED[None, :, :, None],
    "millimetres in 64 bits": COUNTED[None].astype(np.int64),
    "floating millimetres": COUNTED[None].astype(np.float32),
    "big-endian": COUNTED[None].astype(">u2"),
}


@pytest.mark.parametrize("name", STORED)
def test_arrays(name) -> None:
    values = np.repeat(STORED[name], 12, axis=0)
    found = opened_in_memory(values)
    depth = found.arrays["depth"]
    assert (found.kind("depth"), depth.shape) == ("depth", (12, HEIGHT, WIDTH, 1))
    for read in (depth[:], depth[3:5], depth[7][None], depth[np.array([[1, 2], [5, 3]])]):
        assert read.dtype == np.float32
        assert np.array_equal(read, np.broadcast_to(RIGHT[..., None], read.shape))
    [remark] = found.remarks
    assert remark.kind == "unit"
    assert remark.message.endswith(" millimetres.") == (values.max() > 3)


def test_what_was_not_measured_is_0() -> None:
    values = np.repeat(METRES[None], 2, axis=0)
    values[0, 5, :4] = np.nan, np.inf, -np.inf, -1
    depth = opened_in_memory(values).read("depth")
    assert depth[0, 5, :4, 0].tolist() == [0, 0, 0, 0]
    assert np.array_equal(depth[0, 6:], depth[1, 6:])
    assert depth[1, 5, 1, 0] == RIGHT[5, 1]


def test_the_end_of_the_world_makes_no_metres_millimetres() -> None:
    near = np.random.default_rng(0).uniform(0.3, 2.0, 1000)
    assert not is_millimetres(np.append(near, np.full(8000, 1e4)))
    assert is_millimetres(near * 1000)
    assert not is_millimetres(np.array([np.nan, 0.0, -1.0]))


def test_units_as_they_are_said() -> None:
    said = {"mm": 1e3, "Millimeters": 1e3, "m": 1.0, "cm": 100.0, "metres": 1.0, "um": 1e6}
    for word, per_metre in said.items():
        assert Declared.by({"info": {"depth_unit": word}}) == Declared(True, per_metre)
    assert Declared.by({"video_info": {"video.is_depth_map": True}}) == Declared(True)
    assert Declared.by({"dtype": "depth"}) == Declared(True)
    assert Declared.by({"info": {"video.is_depth_map": False}}) == Declared()
    assert Declared.by({"depth_scale": 0.001}).per_metre == 1000
    assert Declared.by({"depth_scale": 5000}).per_metre == 5000
    with pytest.raises(ValueError, match="'furlong'; known are m, dm, cm, mm, um"):
        Declared.by({"depth_unit": "furlong"})


def test_whole_metres_are_read_as_they_are_said_and_that_is_told() -> None:
    counted = np.repeat(COUNTED[None], 2, axis=0)
    found = opened_in_memory(Told(counted, {"depth_unit": "m"}))
    assert (found.read("depth")[0, ..., 0] == COUNTED).all()
    assert [(remark.kind, "whole" in remark.message) for remark in found.remarks] == [
        ("unit", True)
    ]
    assert not opened_in_memory(Told(METRES[None], {"depth_unit": "m"})).remarks


@pytest.mark.parametrize("logarithmic", [False, True])
def test_codes_of_a_range(logarithmic) -> None:
    """As LeRobot packs them: its own formula, in another order of the same steps."""
    near, far, shift = 0.01, 10.0, 3.5
    metres = np.linspace(near, far, 500)
    low, high = (math.log(end + shift) if logarithmic else end for end in (near, far))
    place = np.log(metres + shift) if logarithmic else metres
    codes = np.rint((place - low) / (high - low) * 4095).astype(np.uint16)
    said = {"depth_min": near, "depth_max": far, "shift": shift, "use_log": logarithmic}
    packed = Declared.by({"info": {f"video.{key}": value for key, value in said.items()}}).packed
    assert packed == Packed(near, far, shift, logarithmic)
    read = packed.metres(codes)
    step = (high - low) / 4095 * ((far + shift) if logarithmic else 1)
    assert np.abs(read[1:] - metres[1:]).max() < step
    assert read[-1] == np.float32(far)
    assert packed.metres(np.array([0])).tolist() == [0.0]
    for wrong in (
        {"depth_max": 0.0},
        {"depth_min": math.nan},
        {"depth_max": 1e308},
        {"shift": "x"},
        {"shift": -1.0},
    ):
        if logarithmic or "shift" not in wrong:
            with pytest.raises(ValueError, match="codes were packed"):
                Declared.by({**said, **wrong})


def test_demonstrations_of_a_simulator(tmp_path) -> None:
    path = sets.robomimic(tmp_path / "a.hdf5", images=True)
    with h5py.File(path, "r+") as file:
        for number, steps in enumerate(sets.LENGTHS):
            values = np.full((steps, 48, 64, 1), 0.7, np.float32)
            file[f"data/demo_{number}/obs/front_z"] = values
    found = open_episodes(path)
    assert (found.kind("front_z"), found.kind("front_image")) == ("depth", "image")
    assert (found.read("front_z", 0, 3) == np.float32(0.7)).all()


def test_units_that_are_said_beside_an_array(tmp_path) -> None:
    path = sets.robomimic(tmp_path / "a.hdf5", images=False)
    with h5py.File(path, "r+") as file:
        for number, steps in enumerate(sets.LENGTHS):
            group = file[f"data/demo_{number}/obs"]
            group["front_depth"] = np.repeat(COUNTED[None], steps, 0)
            group["front_depth"].attrs["units"] = "cm"
            group["points"] = np.full((steps, 20, 3), 250, np.int16)
            group["points"].attrs["unit"] = "mm"
    store = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    store.create_array("data/action", data=np.zeros((12, 2), np.float32))
    store.create_array("data/front_depth", data=np.repeat(COUNTED[None], 12, 0))
    store["data/front_depth"].attrs["depth_scale"] = 0.01
    store.create_array("meta/episode_ends", data=np.array([12]))
    right = (COUNTED / 100).astype(np.float32)
    for each in (path, tmp_path / "a.zarr"):
        found = open_episodes(each)
        assert np.array_equal(found.read("front_depth", 2, 3)[0, ..., 0], right)
        assert not [remark for remark in found.remarks if remark.kind == "unit"]
    assert (open_episodes(path).read("points") == np.float32(0.25)).all()


def test_bytes_that_are_called_depth_are_pictures_in_every_form() -> None:
    for shape in ((24, 24, 3), (3, 24, 24), (24, 24, 1), (48, 64), (1, 48, 64)):
        found = opened_in_memory(np.zeros((12, *shape), np.uint8))
        assert found.kind("depth") == "image"
        assert found.remarks[0].kind == "painted"
