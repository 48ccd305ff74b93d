"""Depth is read in metres to the last bit, however it is stored; what unit was assumed is said."""

import io
import json
import math
from fractions import Fraction

import av
import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
import sets
import zarr
from PIL import Image

from steadyhand.data import Episodes, open_episodes
from steadyhand.data.depth import Declared, InMetres, Packed, is_millimetres
from steadyhand.data.lazy import Formed
from steadyhand.data.meaning import understood
from steadyhand.data.pixels import numbers_of
from steadyhand.errors import DataError

STEPS, HEIGHT, WIDTH = sum(sets.LENGTHS), 48, 64
COUNTED = (np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) % 3000).astype(np.uint16)
"""Numbers of which most need more than 8 bits, and some more than 11."""
RIGHT = np.array([np.float32(n / 1000) for n in range(3000)], np.float32)[COUNTED]
"""Metres, where the numbers are millimetres; the first pixel was not measured."""


def opened_in_memory(values, key="depth") -> Episodes:
    action = np.zeros((len(values), 2), np.float32)
    return understood(Episodes({key: values, "action": action}, np.array([len(values)])))


METRES = RIGHT.astype(np.float32)
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
    for wrong in ({"depth_max": 0.0}, {"depth_min": math.nan}, {"shift": "x"}, {"shift": -1.0}):
        if logarithmic or "shift" not in wrong:
            with pytest.raises(ValueError, match="codes were packed"):
                Declared.by({**said, **wrong})


def film(path, frames, pixels="gray12le", codec="libx265") -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(sets.RATE))
        if codec == "libx265":
            stream.options = {"x265-params": "log-level=0:lossless=1"}
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pixels
        for values in frames:
            frame = av.VideoFrame(values.shape[1], values.shape[0], pixels)
            if values.ndim == 3:
                frame = av.VideoFrame.from_ndarray(values, format="rgb24").reformat(format=pixels)
            else:
                kind = numbers_of(pixels).newbyteorder(">" if pixels.endswith("be") else "<")
                plane = frame.planes[0]
                rows = np.zeros((values.shape[0], plane.line_size), np.uint8)
                packed = np.ascontiguousarray(values.astype(kind)).view(np.uint8)
                rows[:, : packed.shape[1]] = packed
                plane.update(rows.tobytes())
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def described(path, key=sets.CAMERA, **said) -> None:
    """Say more of a feature in info.json."""
    card = path / "meta" / "info.json"
    info = json.loads(card.read_text())
    feature = info["features"].setdefault(key, {"names": None})
    feature |= said
    card.write_text(json.dumps(info))


@pytest.fixture(scope="module")
def plain_films(tmp_path_factory):
    """A set whose films are of depth in 12 bits, and whose description does not say so."""
    path = sets.lerobot_v2(tmp_path_factory.mktemp("films") / "set")
    for number, file in enumerate(sorted(path.rglob("*.mp4"))):
        film(file, np.stack([COUNTED + 100 * number + k for k in range(sets.LENGTHS[number])]))
    return path


FILMS = {
    "not declared": ({}, lambda n: n / 1000, ("unit",)),
    "by a flag": ({"video.is_depth_map": True}, lambda n: n / 1000, ("unit",)),
    "millimetres": ({"is_depth_map": True, "depth_unit": "mm"}, lambda n: n / 1000, ()),
    "centimetres": ({"depth_unit": "cm"}, lambda n: n / 100, ()),
    "codes": (
        {"is_depth_map": True, "depth_unit": "mm", "video.use_log": False}
        | {"video.depth_min": 0.0, "video.depth_max": 4.095},
        lambda n: n / 1000,
        ("unit",),
    ),
}


@pytest.mark.parametrize("name", FILMS)
def test_films(name, plain_films) -> None:
    said, metres, remarks = FILMS[name]
    described(plain_films, shape=[HEIGHT, WIDTH, 3], info=said)
    found = open_episodes(plain_films)
    depth = found.arrays[sets.CAMERA]
    assert (found.kind(sets.CAMERA), depth.shape) == ("depth", (STEPS, HEIGHT, WIDTH, 1))
    assert [remark.kind for remark in found.remarks] == list(remarks)
    last = COUNTED.astype(np.int64) + 200 + 14
    assert np.array_equal(depth[STEPS - 1][..., 0], metres(last).astype(np.float32))
    assert np.array_equal(depth[:3][1, ..., 0], metres(COUNTED + 1.0).astype(np.float32))


@pytest.mark.parametrize("pixels", ["gray10le", "gray12be", "gray16le"])
def test_pixels_of_other_films(pixels, tmp_path) -> None:
    path = sets.lerobot_v2(tmp_path / "set")
    values = COUNTED % 1000 if pixels == "gray10le" else COUNTED * 20 if "16" in pixels else COUNTED
    codec = {"gray10le": "libx265", "gray12be": "ffv1", "gray16le": "ffv1"}[pixels]
    written = pixels.replace("be", "le")
    for number, file in enumerate(sorted(path.rglob("*.mp4"))):
        film(file, np.stack([values] * sets.LENGTHS[number]), written, codec)
    depth = open_episodes(path).arrays[sets.CAMERA]
    assert np.array_equal(depth[2][..., 0], (values.astype(np.float64) / 1000).astype(np.float32))


def test_one_film_of_depth_among_colour_is_never_read_as_colour(tmp_path) -> None:
    path = sets.lerobot_v2(tmp_path / "set")
    film(next(path.rglob("episode_000001.mp4")), np.stack([COUNTED] * 9))
    films = open_episodes(path).arrays[sets.CAMERA]
    assert films[0].shape == (HEIGHT, WIDTH, 3)
    with pytest.raises(DataError, match="episode 1 cannot be used: it is depth"):
        films[sets.LENGTHS[0]]


def test_one_film_of_colour_among_depth_is_never_read_as_depth(tmp_path) -> None:
    path = sets.lerobot_v2(tmp_path / "set")
    for number in (0, 2):
        values = np.stack([COUNTED] * sets.LENGTHS[number])
        film(next(path.rglob(f"episode_00000{number}.mp4")), values)
    films = open_episodes(path).arrays[sets.CAMERA]
    assert films[0].shape == (HEIGHT, WIDTH, 1)
    with pytest.raises(DataError, match="it is in yuv420p, and other films of it are not"):
        films[sets.LENGTHS[0]]


def test_what_is_called_depth_in_films_of_colour_is_read_as_colour_and_said(tmp_path) -> None:
    path = sets.lerobot_v2(tmp_path / "set")
    described(path, info={"video.is_depth_map": True, "depth_unit": "mm"})
    found = open_episodes(path)
    assert found.kind(sets.CAMERA) == "image"
    assert [(remark.kind, "no metres" in remark.message) for remark in found.remarks] == [
        ("painted", True)
    ]


def encoded(values, kind, **more) -> bytes:
    made = io.BytesIO()
    Image.fromarray(values).save(made, format=kind, **more)
    return made.getvalue()


PICTURES = {
    "16-bit PNG": (COUNTED, "PNG", {}, [HEIGHT, WIDTH, 1], 1000, ("unit",)),
    "16-bit TIFF": (COUNTED, "TIFF", {}, [HEIGHT, WIDTH, 1], 1000, ("unit",)),
    "packed TIFF": (
        COUNTED,
        "TIFF",
        {"compression": "tiff_lzw"},
        [HEIGHT, WIDTH],
        1000,
        ("unit",),
    ),
    "floating TIFF": (METRES, "TIFF", {}, [HEIGHT, WIDTH, 1], 1, ("unit",)),
    "declared PNG": (COUNTED, "PNG", {"unit": "cm"}, [1, HEIGHT, WIDTH], 100, ()),
    "8-bit PNG": (COUNTED.astype(np.uint8), "PNG", {"unit": "cm"}, [HEIGHT, WIDTH, 1], 100, ()),
    "32-bit TIFF": (COUNTED.astype(np.int32), "TIFF", {}, [HEIGHT, WIDTH, 3], 1000, ("unit",)),
}


def with_pictures(path, key, values, kind, shape, more) -> None:
    unit = {"info": {"depth_unit": more.pop("unit")}} if "unit" in more else {}
    described(path, key, dtype="image", shape=shape, **unit)
    cell = {"bytes": encoded(values, kind, **more), "path": None}
    for file in path.rglob("*.parquet"):
        rows = pq.read_table(file)
        pq.write_table(rows.append_column(key, [[cell] * len(rows)]), file)


@pytest.mark.parametrize("name", PICTURES)
def test_columns_of_pictures(name, tmp_path) -> None:
    values, kind, more, shape, per_metre, said = PICTURES[name]
    path = sets.lerobot_v2(tmp_path / "set", videos=False)
    key = "front" if said else "front_depth"
    with_pictures(path, key, values, kind, shape, dict(more))
    found = open_episodes(path)
    assert found.kind(key) == "depth"
    assert [remark.kind for remark in found.remarks] == list(said)
    right = (values.astype(np.float64) / per_metre).astype(np.float32)
    assert np.array_equal(found.arrays[key][5][..., 0], right)
    assert found.read(key, 3, 5).shape == (2, HEIGHT, WIDTH, 1)


def test_a_tiff_in_tiles_is_made_no_room_for(tmp_path) -> None:
    """Each of which may claim any size, whatever that of the picture."""
    path = sets.lerobot_v2(tmp_path / "set", videos=False)
    with_pictures(path, "front", COUNTED, "TIFF", [HEIGHT, WIDTH, 1], {"compression": "tiff_lzw"})
    described(path, "tiled", dtype="image", shape=[HEIGHT, WIDTH, 1])
    whole = encoded(COUNTED, "TIFF")
    rows_a_strip, tile_width = (bytes([low, 1, 4, 0]) for low in (0x16, 0x42))
    assert whole.count(rows_a_strip) == 1
    cell = {"bytes": whole.replace(rows_a_strip, tile_width), "path": None}
    for file in path.rglob("*.parquet"):
        rows = pq.read_table(file)
        pq.write_table(rows.append_column("tiled", [[cell] * len(rows)]), file)
    found = open_episodes(path)
    assert found.read("front", 0, 1).shape == (1, HEIGHT, WIDTH, 1)
    with pytest.raises(DataError, match="it is a TIFF in tiles"):
        found.read("tiled", 0, 1)


def test_gray_that_is_called_depth_has_no_metres_without_a_unit(tmp_path) -> None:
    path = sets.lerobot_v2(tmp_path / "set", videos=False)
    with_pictures(path, "depth", COUNTED.astype(np.uint8), "PNG", [HEIGHT, WIDTH, 1], {})
    found = open_episodes(path)
    assert found.kind("depth") == "image"
    assert [remark.kind for remark in found.remarks] == ["painted"]


def test_demonstrations_of_a_simulator(tmp_path) -> None:
    path = sets.robomimic(tmp_path / "a.hdf5", images=True)
    with h5py.File(path, "r+") as file:
        for number, steps in enumerate(sets.LENGTHS):
            values = np.full((steps, 48, 64, 1), 0.7, np.float32)
            file[f"data/demo_{number}/obs/front_z"] = values
    found = open_episodes(path)
    assert (found.kind("front_z"), found.kind("front_image")) == ("depth", "image")
    assert (found.read("front_z", 0, 3) == np.float32(0.7)).all()


@pytest.mark.parametrize("shape", [[20, 3], [None, 3]])
def test_a_cloud_of_another_count_at_each_step_is_left_out_and_said(shape, tmp_path) -> None:
    path = sets.lerobot_v2(tmp_path / "set", videos=False)
    described(path, "cloud", dtype="float32", shape=shape)
    described(path, "points", dtype="float32", shape=[20, 3])
    for file in path.rglob("*.parquet"):
        rows = pq.read_table(file)
        steady = [np.full((20, 3), 0.5, np.float32).tolist()] * len(rows)
        cells = [np.zeros((20 + number, 3), np.float32).tolist() for number in range(len(rows))]
        rows = rows.append_column("cloud", [cells]).append_column("points", [steady])
        pq.write_table(rows, file)
    found = open_episodes(path)
    assert "store as many rows in each" in found.left_out["cloud"]
    assert found.kind("points") == "points"
    assert (found.read("points", 3, 5) == 0.5).all()


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


def test_pixel_formats() -> None:
    wide = ["gray9le", "gray10le", "gray12le", "gray12be", "gray14", "gray16le"]
    assert {numbers_of(name) for name in wide} == {np.dtype(np.uint16)}
    assert numbers_of("grayf32le") == np.float32
    colour = ("gray", "gray8", "yuv420p10le", "rgb24", "")
    assert {numbers_of(name) for name in colour} == {None}
    assert numbers_of("gray", declared=True) == np.uint8
    assert numbers_of("yuv420p12le", declared=True) == np.uint16
    assert numbers_of("yuv420p", declared=True) is None


def test_another_unit_is_another_fingerprint(plain_films) -> None:
    films = open_episodes(plain_films).arrays[sets.CAMERA].source
    forms = (InMetres(1000.0), InMetres(100.0), InMetres(packed=Packed(0.0, 1.0)))
    prints = [str(Formed(films, form).fingerprint()) for form in forms]
    assert len(set(prints)) == 3
