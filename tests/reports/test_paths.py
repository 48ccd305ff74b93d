"""Paths are drawn where they went, over the scene of their own task."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from steadyhand.errors import ConfigurationError
from steadyhand.reports.paths import arena_of, paths_picture
from steadyhand.reports.study import panels
from steadyhand.tasks import Fork, PushT

SVG = "{http://www.w3.org/2000/svg}"


def shapes(picture: str, tag: str) -> list[ElementTree.Element]:
    return ElementTree.fromstring(picture).findall(f"{SVG}{tag}")


def points(line: ElementTree.Element) -> np.ndarray:
    return np.array([pair.split(",") for pair in line.get("points", "").split()], float)


def test_a_fork_is_drawn_with_its_own_gap() -> None:
    path = np.array([[0.0, 0.0], [-0.2, 0.5]])
    picture = paths_picture([path], ["left"], [False], "a <way>", Fork(gap=0.1))
    [middle, beside, _] = shapes(picture, "rect")
    gap = float(middle.get("x", "nan")) - float(beside.get("width", "nan"))
    assert gap == pytest.approx(100), "millimetres"
    [line] = shapes(picture, "polyline")
    assert points(line).tolist() == [[500, 1100], [300, 600]]
    assert "left" in line.get("class", "")
    assert not shapes(picture, "path")
    assert ElementTree.fromstring(picture).get("aria-label") == "a <way>"


def test_samples_lie_over_the_paths() -> None:
    path, sample = np.zeros((2, 2)), np.ones((3, 2))
    picture = paths_picture([path], ["left"], [True], "t", samples=[sample])
    assert [line.get("class") for line in shapes(picture, "polyline")] == [
        "left middling",
        "sample middling",
    ]
    at = [points(line) for line in shapes(picture, "polyline")]
    assert at[0][0, 0] < at[1][0, 0] < 1000, "inside, too"


def test_failed_ones_end_in_a_cross() -> None:
    paths = [np.array([[0.0, 0.0, 9.0], [0.1, 0.3, 9.0]]), np.array([[0.0, 0.0, 9.0]])]
    picture = paths_picture(paths, ["right", "bad"], [False, True], "t", Fork())
    [cross] = shapes(picture, "path")
    assert cross.get("class") == "bad thick"
    assert cross.get("d", "").startswith("M500,1100 ")


@pytest.mark.parametrize("scale", [1e-3, 1.0, 500.0])
def test_any_other_task_is_a_plane_that_fits(scale) -> None:
    """Of whatever unit: all lines inside, as large as may be, and as thick as elsewhere."""
    paths = [scale * np.array([[3.0, 1.0], [5.0, 2.0]]), scale * np.array([[4.0, 1.5], [4, 1.5]])]
    picture = paths_picture(paths, ["left", "third"], [False, True], "t", PushT())
    _, _, wide, tall = map(float, ElementTree.fromstring(picture).get("viewBox", "").split())
    assert (wide, tall) == (1000, pytest.approx(554, abs=2))
    first, still = (points(line) for line in shapes(picture, "polyline"))
    assert (first >= 0).all()
    assert (first <= (wide, tall)).all()
    assert np.ptp(first[:, 0]) > 0.85 * wide
    assert (still == first.mean(0).round()).all()
    shown = paths_picture(paths[:1], ["left"], [False], "t", arena=(0, 10 * scale, 0, 5 * scale))
    [line] = shapes(shown, "polyline")
    assert points(line).tolist() == [[300, 400], [500, 300]]


def test_what_cannot_be_drawn_is_left_out() -> None:
    bad = np.array([[np.nan, 0.0], [0.2, 0.2], [np.inf, 1.0]])
    picture = paths_picture([bad, np.zeros((0, 2))], ["left"] * 2, [True] * 2, "t")
    assert "nan" not in picture
    assert len(shapes(picture, "polyline")) == 1
    assert shapes(paths_picture([], [], [], "t"), "polyline") == []
    with pytest.raises(ConfigurationError, match="1 paths, 2 colours and 0 outcomes"):
        paths_picture([bad], ["left"] * 2, [], "t")


def test_panels_say_what_they_show() -> None:
    picture = paths_picture([], [], [], "t")
    found = panels([("of <b>", picture), ("two", picture)])
    assert found.count("<svg") == 2
    assert "<figcaption>of &lt;b&gt;</figcaption>" in found


def test_pictures_that_hold_all_paths_are_of_one_scale() -> None:
    one, other = np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[np.nan, 9.0], [0.0, 2.0]])
    left, right, bottom, top = arena_of([one, other])
    assert (left, right, bottom, top) == pytest.approx((-0.12, 1.12, -0.12, 2.12))
    flat = arena_of([one])
    assert flat[3] - flat[2] == pytest.approx(0.4 + 0.12), "a line is no thread"
    assert arena_of([]) == pytest.approx((-0.06, 1.06, -0.06, 1.06))
    boxes = [
        re.search(
            'viewBox="[^"]*"', paths_picture([path], ["left"], [False], "", arena=(0, 1, 0, 2))
        )
        for path in (one, other)
    ]
    assert boxes[0][0] == boxes[1][0]
