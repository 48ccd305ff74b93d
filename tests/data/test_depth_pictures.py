"""Columns of depth in PNG and TIFF are read in metres; clouds that vary are left out."""

import numpy as np
import pyarrow.parquet as pq
import pytest
import sets
from depth_sets import COUNTED, HEIGHT, METRES, WIDTH, described, encoded, with_pictures

from steadyhand.data import open_episodes
from steadyhand.errors import DataError

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
    "big-endian TIFF": (
        COUNTED.astype(">u2"),
        "TIFF",
        {},
        [HEIGHT, WIDTH, 1],
        1000,
        ("unit",),
    ),
    "floating TIFF": (METRES, "TIFF", {}, [HEIGHT, WIDTH, 1], 1, ("unit",)),
    "declared PNG": (COUNTED, "PNG", {"unit": "cm"}, [1, HEIGHT, WIDTH], 100, ()),
    "8-bit PNG": (COUNTED.astype(np.uint8), "PNG", {"unit": "cm"}, [HEIGHT, WIDTH, 1], 100, ()),
    "32-bit TIFF": (COUNTED.astype(np.int32), "TIFF", {}, [HEIGHT, WIDTH, 3], 1000, ("unit",)),
}


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
