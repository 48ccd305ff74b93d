"""Depth is shown in grays over one range of metres: near bright, far dark, unmeasured black."""

import base64
import io

import numpy as np
from PIL import Image

from steadyhand.data import Episodes
from steadyhand.reports.sheets import in_grays, range_of, sheets


def test_near_is_bright_and_what_was_not_measured_is_black() -> None:
    grays = in_grays(np.array([0.5, 1.0, 2.0, 9.0, 0.0], np.float32), 0.5, 2.0)
    assert grays[0] == 255
    assert 255 > grays[1] > grays[2] == grays[3] > grays[4] == 0


def test_a_sheet_of_depth_says_its_metres() -> None:
    depth = np.full((12, 24, 32, 1), 2.0, np.float32)
    depth[:, 6:18, 8:24] = 0.5
    depth[:, :, :2] = 0
    episodes = Episodes(
        {"depth": depth, "action": np.zeros((12, 2))}, np.array([12]), kinds={"depth": "depth"}
    )
    key, [(caption, jpeg)], failures = sheets(episodes, "depth", set())
    assert (key, failures) == ("depth", [])
    assert caption == (
        "Episode 0, 1.2 s, 0.5 m bright to 2 m dark, black where nothing was measured"
    )
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(jpeg))))
    assert picture.shape == (2 * 112, 3 * 149, 3)
    middle, corner, hole = picture[56, 74, 0], picture[5, 140, 0], picture[56, 1, 0]
    assert middle > 200 > 100 > corner > 30 > hole


def test_nothing_measured_has_a_range_too() -> None:
    assert range_of(np.zeros((2, 3, 3, 1), np.float32)) == (0.0, 1.0)
