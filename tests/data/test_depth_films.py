"""Films of depth are read in metres, with all of their bits."""

import av
import numpy as np
import pytest
import sets
from depth_sets import COUNTED, HEIGHT, STEPS, WIDTH, described, film

from steadyhand.data import open_episodes
from steadyhand.data.kinds.depth import InMetres, Packed
from steadyhand.data.lazy import Formed
from steadyhand.data.mapping import open_mapped
from steadyhand.data.pictures.pixels import numbers_of
from steadyhand.errors import DataError


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


def test_a_film_of_depth_beside_a_table(tmp_path) -> None:
    steps = np.arange(12)
    table = np.stack([steps / sets.RATE, steps, steps], 1)
    np.savetxt(tmp_path / "log.csv", table, delimiter=",", header="time,q1,cmd1", comments="")
    film(tmp_path / "front.mp4", np.stack([COUNTED + step for step in steps]))
    found = open_mapped(tmp_path, "state=q1,action=cmd1,time=time,front=front.mp4")
    assert (found.kind("front"), found.shapes["front"]) == ("depth", (HEIGHT, WIDTH, 1))
    assert np.array_equal(
        found.read("front", 4, 5)[0, ..., 0], ((COUNTED + 4.0) / 1000).astype("f4")
    )


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


def bright(path, counted, colours) -> None:
    """A film of 12 bits with colours, in whose brightness the numbers are."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.height, stream.width, stream.pix_fmt = *counted.shape, "yuv420p12le"
        for _ in range(20):
            frame = av.VideoFrame(stream.width, stream.height, "yuv420p12le")
            for plane, values in zip(frame.planes, (counted, colours, colours), strict=True):
                rows = np.zeros((plane.height, plane.line_size // 2), np.uint16)
                rows[:, : plane.width] = values[: plane.height, : plane.width]
                plane.update(rows.tobytes())
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.mark.parametrize("painted", [False, True])
def test_brightness_of_a_film_called_depth_is_depth_where_there_is_no_colour(painted, tmp_path):
    counted = np.arange(64 * 48, dtype=np.uint16).reshape(48, 64)
    bright(tmp_path / "depth.mkv", counted, counted if painted else np.full_like(counted, 2048))
    table = "q,action\n" + "".join(f"{k},{k}\n" for k in range(20))
    (tmp_path / "a.csv").write_text(table)
    found = open_mapped(tmp_path, "state=q,action=action,depth=depth.mkv,rate=10")
    assert found.kind("depth") == ("image" if painted else "depth")
    if not painted:
        expected = counted.astype(np.float32) / np.float32(1000)
        np.testing.assert_array_equal(found.read("depth")[7, ..., 0], expected)


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
