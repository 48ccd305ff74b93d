"""What each feature is taken for, in the form of its kind; what is none is left out and said."""

from dataclasses import replace

import numpy as np
import pytest

from steadyhand.data import Episodes, inspect_episodes, open_episodes, write_episodes
from steadyhand.data.kinds.meaning import understood
from steadyhand.data.pictures.colour import as_pictures, picture_scale
from steadyhand.errors import ConfigurationError, DataError
from steadyhand.recipes import recipe
from steadyhand.training.specification import specification

STEPS = 24
RANDOM = np.random.default_rng(0)


def some(*shape, kind="float32", low=0.0, high=1.0):
    values = RANDOM.uniform(low, high, (STEPS, *shape))
    return (np.rint(values) if np.dtype(kind).kind in "iu" else values).astype(kind)


OUT = {
    "a map below zero": ("front", some(48, 64, low=-1), "below 0"),
    "gray in wide numbers": ("front", some(24, 24, 1, kind="uint16", high=255), "one channel"),
    "nothing measured": ("front", np.full((STEPS, 24, 24, 1), np.nan, np.float32), "none of its"),
    "depth below zero": ("depth", some(24, 24, 1, low=-3, high=-1), "below 0 nearly everywhere"),
    "disparity": ("disparity", some(24, 24, 1, high=90), "it is disparity"),
    "colour and depth": ("rgbd", some(24, 24, 4), "not one a pixel"),
    "colour and depth in bytes": ("rgbd", some(24, 24, 4, kind="uint8", high=255), "by itself"),
    "depth of two cameras": ("depth", some(2, 24, 24), "not one a pixel"),
    "colour of bytes, depth in metres": (
        "front",
        np.concatenate([some(24, 24, 3, high=255), some(24, 24, 1, high=3)], -1),
        "no colour",
    ),
    "places in three channels": ("front", some(24, 24, 3, high=2.5), "no colour"),
    "places around zero": ("front", some(24, 24, 3, low=-1), "no colour"),
    "normals by name": ("normals", some(24, 24, 3), "by its name"),
    "millimetres in three channels": (
        "front",
        some(24, 24, 3, kind="uint16", high=9000),
        "no colour",
    ),
    "nothing finite": ("front", np.full((STEPS, 24, 24, 3), np.nan, np.float32), "no colour"),
    "numbers of things": ("segmentation", some(48, 64, kind="uint16", high=9000), "things"),
    "a large sheet of sensors": ("tactile", some(96, 96), "at most 4096"),
    "bytes of points": ("points_rgb", some(64, 3, kind="uint8", high=255), "has bytes for points"),
    "clouds of two cameras": ("scene", some(2, 256, 3), "a cloud of points"),
    "too many points": (
        "pointmap",
        np.broadcast_to(np.float32(0), (STEPS, 260, 260, 3)),
        "67600 points",
    ),
    "nothing at all": ("front", some(0), "it is empty, (0,)"),
    "very many numbers": ("scene", some(5000), "5000 numbers at each step"),
    "a volume": ("scene", some(20, 20, 20), "8000 numbers at each step"),
}
"""key, values, why they are left out"""
READ = {
    "bytes": ("front", some(24, 24, 3, kind="uint8", high=255), "image", ()),
    "gray": ("front", some(24, 24, 1, kind="uint8", high=255), "image", ()),
    "with a fourth channel": ("front", some(24, 24, 4, kind="uint8", high=255), "image", ()),
    "colour in 0…1": ("front", some(24, 24, 3), "image", ("colour",)),
    "colour in 0…255": ("front", some(24, 24, 3, high=255), "image", ("colour",)),
    "colour in wide integers": (
        "front",
        some(24, 24, 3, kind="int64", high=255),
        "image",
        ("colour",),
    ),
    "dark colour": ("front", some(24, 24, 3, high=20), "image", ("colour",)),
    "a gray map": ("front", some(48, 64, kind="uint8", high=255), "image", ("channels",)),
    "channels first": ("front", some(3, 24, 24, kind="uint8", high=255), "image", ("channels",)),
    "gray first": ("front", some(1, 48, 64, kind="uint8", high=255), "image", ("channels",)),
    "painted depth": (
        "cam_depthmap",
        some(24, 24, 3, kind="uint8", high=255),
        "image",
        ("painted",),
    ),
    "metres, by name": ("wrist_depth", some(16, 16), "depth", ("unit",)),
    "metres as a picture": ("front", some(24, 24, 1, high=1.5), "depth", ("unit",)),
    "metres as a map": ("front", some(48, 64, high=3), "depth", ("unit",)),
    "metres, channels first": ("front", some(1, 48, 64, high=3), "depth", ("unit",)),
    "metres in 64 bits": ("front", some(84, 84, kind="float64"), "depth", ("unit",)),
    "millimetres": ("front", some(24, 24, 1, kind="uint16", high=9000), "depth", ("unit",)),
    "millimetres in 32 bits": ("a", some(32, 32, kind="int32", high=9000), "depth", ("unit",)),
    "a cloud": ("scene", some(512, 3, low=-1), "points", ("points",)),
    "a cloud of colours": ("scene", some(64, 6), "points", ("points",)),
    "a small cloud by name": ("agent_pcd", some(20, 3), "points", ()),
    "a cloud, turned": ("points", some(3, 512), "points", ()),
    "a cloud of one camera": ("pointcloud", some(1, 128, 3), "points", ()),
    "a map of places": ("xyz", some(24, 24, 3, low=-1), "points", ()),
    "a map of places in millimetres": (
        "camera/position",
        some(24, 24, 3, kind="int16", low=-900, high=900),
        "points",
        ("unit",),
    ),
    "a map of places and colours": ("front_xyzrgb", some(24, 24, 6, low=-1), "points", ()),
    "a map of places, turned": ("pointmap", some(3, 24, 24, low=-1), "points", ()),
    "key points": ("keypoint", some(9, 2), "state", ()),
    "many key points": ("key_points", some(133, 3), "state", ()),
    "the history of a wrench": ("ft_force", some(100, 6), "state", ()),
    "a matrix": ("pose", some(4, 4), "state", ()),
    "the matrix of a whole body": ("mass", some(29, 29), "state", ()),
    "touch": ("tactile", some(16, 16), "state", ()),
    "touch in whole numbers": ("tactile", some(16, 16, kind="uint16", high=900), "state", ()),
    "touch as a picture": ("tactile", some(16, 16, 1), "state", ()),
    "heights": ("height_scan", some(48, 64, low=-1), "state", ()),
    "a small table of wide numbers": (
        "front",
        some(12, 16, kind="uint16", high=9000),
        "state",
        ("table",),
    ),
    "a volume of a network": ("latent", some(4, 8, 8, low=-1), "state", ()),
    "a depth of one number": ("insertion_depth", some(1), "state", ()),
    "many numbers": ("latent", some(4096), "state", ()),
}
"""key, values, what it is read as, of which kinds the remarks are"""


def having(key, values) -> Episodes:
    return Episodes({key: values, "action": some(2)}, np.array([STEPS]))


@pytest.mark.parametrize("name", OUT)
def test_what_is_neither_is_left_out_and_said(name) -> None:
    key, values, said = OUT[name]
    found = understood(having(key, values))
    assert list(found.arrays) == ["action"]
    assert said in found.left_out[key]
    assert any(p.kind == "left-out" and key in p.message for p in inspect_episodes(found))


@pytest.mark.parametrize("name", READ)
def test_what_it_is_read_as_and_what_is_said(name) -> None:
    key, values, kind, said = READ[name]
    found = understood(having(key, values))
    assert not found.left_out
    assert found.kind(key) == kind
    assert [remark.kind for remark in found.remarks] == list(said)
    assert all(f"'{key}' " in remark.message for remark in found.remarks)
    array = np.asarray(found.arrays[key][:])
    assert array.shape == found.arrays[key].shape
    if kind == "image":
        assert (array.ndim, array.dtype) == (4, np.uint8)
    if kind in ("depth", "points"):
        assert (array.ndim, array.dtype) == ({"depth": 4, "points": 3}[kind], np.float32)
    again = understood(found)
    assert (again.kinds, again.remarks) == (found.kinds, found.remarks)
    assert again.arrays[key] is found.arrays[key]


def test_channels_and_colours_are_where_cameras_have_them() -> None:
    first = np.zeros((STEPS, 3, 20, 30), np.float32)
    first[:, 0, 5, 7] = 1.0
    first[1, 2, 6, 8] = 100 / 255
    found = understood(having("front", first)).arrays["front"]
    assert found.shape == (STEPS, 20, 30, 3)
    assert found[3][5, 7].tolist() == [255, 0, 0]
    assert found[1:2][0, 6, 8].tolist() == [0, 0, 100]
    assert found[np.array([[1, 0]])].shape == (1, 2, 20, 30, 3)
    assert not found[0][6, 8].any()


def test_what_is_not_looked_at_is_no_brighter_than_what_is() -> None:
    late = some(24, 24, 3)
    late[1] = 7
    found = understood(having("front", late))
    with pytest.raises(DataError, match="values 7 to 7"):
        found.arrays["front"][1]


@pytest.mark.parametrize("format", ["npz", "zarr"])
def test_every_format_is_looked_at(format, tmp_path) -> None:
    arrays = {"front": READ["metres as a map"][1], "scene": READ["a cloud"][1]}
    arrays |= {"far": OUT["places in three channels"][1], "near": READ["colour in 0…1"][1]}
    path = tmp_path / f"a.{format}"
    write_episodes(path, Episodes({**arrays, "action": some(2)}, np.array([STEPS])))
    for found in (open_episodes(path), open_episodes(path, skip_broken_episodes=True)):
        assert set(found.left_out) == {"far"}
        assert {key: found.kind(key) for key in sorted(found.arrays)} == {
            "action": "state",
            "front": "depth",
            "near": "image",
            "scene": "points",
        }


def test_a_policy_is_not_built_on_them_and_says_why() -> None:
    config = replace(recipe("state"), observations=("front",))
    places = having("front", OUT["places in three channels"][1])
    for episodes in (places, understood(places)):
        with pytest.raises(ConfigurationError, match=r"'front' is left out .* no colour"):
            specification(config, episodes)
    with pytest.raises(ConfigurationError, match="'front' is left out"):
        specification(replace(config, observations=("fro*",)), places)
    with pytest.raises(ConfigurationError, match="'front' is left out"):
        understood(places).read("front")


def test_metres_are_never_taken_for_brightness() -> None:
    metres = OUT["places in three channels"][1]
    assert picture_scale(metres) is None
    assert picture_scale(OUT["places around zero"][1]) is None
    with pytest.raises(DataError, match="other measures as numbers"):
        as_pictures(metres, picture_scale(metres), "front")


def test_the_name_of_the_action_is_said_where_it_is_another() -> None:
    episodes = Episodes({"state": some(2), "actions": some(2)}, np.array([STEPS]))
    with pytest.raises(ConfigurationError, match=r"has no 'action' to predict.*--action actions"):
        specification(recipe("state"), episodes)
    none = Episodes({"state": some(2), "speed": some(2)}, np.array([STEPS]))
    with pytest.raises(ConfigurationError, match="--action: state, speed"):
        specification(recipe("state"), none)
