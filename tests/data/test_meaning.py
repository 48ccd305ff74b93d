"""What is neither colour nor a state is left out with its reason, whatever form it comes in."""

import io
import json
from dataclasses import replace
from fractions import Fraction

import av
import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
import sets
from PIL import Image

from steadyhand.data import Episodes, inspect_episodes, open_episodes, write_episodes
from steadyhand.data.colour import as_pictures, picture_scale
from steadyhand.data.footage import measured
from steadyhand.data.meaning import understood
from steadyhand.errors import ConfigurationError, DataError
from steadyhand.recipes import recipe
from steadyhand.training.specification import specification

STEPS = 24
RANDOM = np.random.default_rng(0)


def some(*shape, kind="float32", low=0.0, high=1.0):
    values = RANDOM.uniform(low, high, (STEPS, *shape))
    return (np.rint(values) if np.dtype(kind).kind in "iu" else values).astype(kind)


OUT = {
    "metres as a picture": ("front", some(24, 24, 1, high=1.5), "one channel of float32"),
    "metres as a map": ("front", some(48, 64, high=3), "a map of float32"),
    "metres, channels first": ("front", some(1, 48, 64, high=3), "a map of float32"),
    "metres in 64 bits": ("front", some(84, 84, kind="float64"), "a map of float64"),
    "metres, by name": ("wrist_depth", some(16, 16), "it is depth"),
    "a buffer of depths in 0…1": ("zbuffer", some(24, 24, 1), "one channel of float32"),
    "millimetres as a map": ("front", some(12, 16, kind="uint16", high=9000), "a map of uint16"),
    "millimetres": ("front", some(24, 24, 1, kind="uint16", high=9000), "one channel of uint16"),
    "millimetres in 32 bits": ("front", some(32, 32, kind="int32", high=9000), "a map of int32"),
    "a gray map": ("front", some(24, 32, kind="uint8", high=255), "(height, width, 1)"),
    "painted depth": ("cam_depthmap", some(24, 24, 3, kind="uint8", high=255), "by its name"),
    "colour and depth": ("rgbd", some(24, 24, 4), "by its name"),
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
    "a cloud": ("scene", some(512, 3, low=-1), "a cloud of points"),
    "a cloud of colours": ("scene", some(64, 6), "a cloud of points"),
    "a small cloud by name": ("agent_pcd", some(20, 3), "a cloud of points"),
    "a cloud, turned": ("scene", some(3, 512), "a cloud of points"),
    "clouds of two cameras": ("scene", some(2, 256, 3), "a cloud of points"),
    "colour, channels first": (
        "front",
        some(3, 84, 84, kind="uint8", high=255),
        "its pictures have their channels first",
    ),
    "small colour, channels first": ("front", some(3, 24, 24), "have their channels first"),
    "nothing at all": ("front", some(0), "it is empty, (0,)"),
    "very many numbers": ("scene", some(5000), "5000 numbers at each step"),
    "a volume": ("scene", some(20, 20, 20), "8000 numbers at each step"),
}
KEPT = {
    "bytes": ("front", some(24, 24, 3, kind="uint8", high=255)),
    "gray": ("front", some(24, 24, 1, kind="uint8", high=255)),
    "with a fourth channel": ("front", some(24, 24, 4, kind="uint8", high=255)),
    "colour in 0…1": ("front", some(24, 24, 3)),
    "colour in 0…255": ("front", some(24, 24, 3, high=255)),
    "colour in wide integers": ("front", some(24, 24, 3, kind="int64", high=255)),
    "dark colour": ("front", some(24, 24, 3, high=20)),
    "key points": ("keypoint", some(9, 2)),
    "many key points": ("key_points", some(133, 3)),
    "the history of a wrench": ("ft_force", some(100, 6)),
    "a matrix": ("pose", some(4, 4)),
    "the matrix of a whole body": ("mass", some(29, 29)),
    "touch": ("tactile", some(16, 16)),
    "a depth of one number": ("insertion_depth", some(1)),
    "many numbers": ("latent", some(4096)),
}


def having(key, values) -> Episodes:
    return Episodes({key: values, "action": some(2)}, np.array([STEPS]))


@pytest.mark.parametrize("name", OUT)
def test_what_is_neither_is_left_out_and_said(name) -> None:
    key, values, said = OUT[name]
    found = understood(having(key, values))
    assert list(found.arrays) == ["action"]
    assert said in found.left_out[key]
    assert any(p.kind == "left-out" and key in p.message for p in inspect_episodes(found))


@pytest.mark.parametrize("name", KEPT)
def test_what_is_colour_or_a_state_stays(name) -> None:
    key, values = KEPT[name]
    assert not understood(having(key, values)).left_out


@pytest.mark.parametrize("format", ["npz", "zarr"])
def test_every_format_is_looked_at(format, tmp_path) -> None:
    arrays = {"front": OUT["metres as a picture"][1], "scene": OUT["a cloud"][1]}
    arrays |= {"far": OUT["places in three channels"][1], "near": KEPT["colour in 0…1"][1]}
    path = tmp_path / f"a.{format}"
    write_episodes(path, Episodes({**arrays, "action": some(2)}, np.array([STEPS])))
    found = open_episodes(path)
    assert set(found.arrays) == {"near", "action"}
    assert set(found.left_out) == {"front", "scene", "far"}
    assert set(open_episodes(path, skip_broken_episodes=True).left_out) == {"front", "scene", "far"}


def test_demonstrations_of_a_simulator(tmp_path) -> None:
    path = sets.robomimic(tmp_path / "a.hdf5", images=True)
    with h5py.File(path, "r+") as file:
        for number, steps in enumerate(sets.LENGTHS):
            values = np.full((steps, 48, 64, 1), 0.7, np.float32)
            file[f"data/demo_{number}/obs/front_z"] = values
    found = open_episodes(path)
    assert list(found.left_out) == ["front_z"]
    assert "front_image" in found.arrays


def film_of_depth(path, codec="libx265", pixels="gray12le") -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(sets.RATE))
        stream.options = {"x265-params": "log-level=0:lossless=1"} if codec == "libx265" else {}
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        for _ in range(12):
            values = np.full((48, 64), 700, np.uint16)
            frame = av.VideoFrame.from_ndarray(values, format="gray16le").reformat(format=pixels)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


@pytest.mark.parametrize("said", ["by its pixels", "by a flag", "by a unit", "by the format"])
def test_video_of_depth(said, tmp_path) -> None:
    path = sets.lerobot_v2(tmp_path / "set")
    card = path / "meta" / "info.json"
    info = json.loads(card.read_text())
    described = {
        "by its pixels": {},
        "by a flag": {"video.is_depth_map": True},
        "by a unit": {"depth_unit": "mm"},
        "by the format": {"video.pix_fmt": "gray16le"},
    }[said]
    if described:
        info["features"][sets.CAMERA]["info"] = described
        card.write_text(json.dumps(info))
    else:
        for file in path.rglob("*.mp4"):
            film_of_depth(file)
    found = open_episodes(path)
    assert sets.CAMERA not in found.arrays
    assert "depth" in found.left_out[sets.CAMERA]


def test_one_clip_of_depth_among_colour_is_never_decoded_as_colour(tmp_path) -> None:
    path = sets.lerobot_v2(tmp_path / "set")
    film_of_depth(next(path.rglob("episode_000001.mp4")))
    film = open_episodes(path).arrays[sets.CAMERA]
    assert film[0].shape == (48, 64, 3)
    with pytest.raises(DataError, match="episode 1 cannot be used: it is depth"):
        film[sets.LENGTHS[0]]


def test_pixel_formats() -> None:
    wide = ["gray9le", "gray10le", "gray12le", "gray12be", "gray14", "gray16le", "grayf32le"]
    assert all(measured(name) for name in wide)
    assert not any(measured(name) for name in ("gray", "gray8", "yuv420p10le", "rgb24", ""))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "float TIFF", "two dimensions", "name"])
def test_a_column_of_depth_pictures(kind, tmp_path) -> None:
    path = sets.lerobot_v2(tmp_path / "set", videos=False)
    card, key = path / "meta" / "info.json", "depth" if kind == "name" else "front"
    info = json.loads(card.read_text())
    shape = [48, 64] if kind == "two dimensions" else [48, 64, 1]
    info["features"][key] = {"dtype": "image", "shape": shape, "names": None}
    card.write_text(json.dumps(info))
    numbers = {"float TIFF": np.float32, "name": np.uint8}.get(kind, np.uint16)
    encoded = io.BytesIO()
    picture = Image.fromarray(np.full((48, 64), 200, numbers))
    picture.save(encoded, format="TIFF" if "TIFF" in kind else "PNG")
    for file in path.rglob("*.parquet"):
        rows = pq.read_table(file)
        cells = [{"bytes": encoded.getvalue(), "path": None}] * len(rows)
        pq.write_table(rows.append_column(key, [cells]), file)
    found = open_episodes(path)
    assert key not in found.arrays
    assert "depth" in found.left_out[key]


def test_a_policy_is_not_built_on_them_and_says_why() -> None:
    config = replace(recipe("state"), observations=("front",))
    depth = having("front", OUT["metres as a map"][1])
    for episodes in (depth, understood(depth)):
        with pytest.raises(ConfigurationError, match=r"'front' is left out .* a map of float32"):
            specification(config, episodes)
    with pytest.raises(ConfigurationError, match="'front' is left out"):
        specification(replace(config, observations=("fro*",)), depth)
    with pytest.raises(ConfigurationError, match="'front' is left out"):
        understood(depth).read("front")


def test_metres_are_never_taken_for_brightness() -> None:
    metres = OUT["places in three channels"][1]
    assert picture_scale(metres) is None
    assert picture_scale(OUT["places around zero"][1]) is None
    with pytest.raises(DataError, match="measures are not pictures"):
        as_pictures(metres, picture_scale(metres), "front")


def test_the_name_of_the_action_is_said_where_it_is_another() -> None:
    episodes = Episodes({"state": some(2), "actions": some(2)}, np.array([STEPS]))
    with pytest.raises(ConfigurationError, match=r"has no 'action' to predict.*--action actions"):
        specification(recipe("state"), episodes)
    none = Episodes({"state": some(2), "speed": some(2)}, np.array([STEPS]))
    with pytest.raises(ConfigurationError, match="--action: state, speed"):
        specification(recipe("state"), none)
