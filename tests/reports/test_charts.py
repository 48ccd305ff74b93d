"""Charts: marks that tell numbers apart, names off each other, and what cannot be drawn."""

import re
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
import pytest
from drawn import lines_of, require_legible, words

from steadyhand.evaluation.metrics import Interval
from steadyhand.reports.charts import LEAST, Line, chart, least_span
from steadyhand.reports.scatter import LABEL_HEIGHT, Point, scatter


def drawn(values, **options) -> ElementTree.Element:
    """The chart of one line over 0, 1, 2, …"""
    y = np.asarray(values)
    found = chart([Line(x=np.arange(len(y)), y=y, colour="left")], "x", **options)
    return ElementTree.fromstring(found)


def text_of(picture: str) -> dict[str, tuple[float, float]]:
    return {
        e.text or "": (float(e.get("x", "nan")), float(e.get("y", "nan")))
        for e in words(ElementTree.fromstring(picture))
    }


def test_motion_in_few_units_is_still_seen() -> None:
    """A joint that moves a tenth as far as the widest fills its axis."""
    values = np.stack([np.linspace(0, 1, 9), np.linspace(5, 5.1, 9)], 1)
    assert least_span(values) == pytest.approx(LEAST)
    found = drawn(values[:, 1], span=least_span(values))
    assert np.ptp(lines_of(found, "left")[0][:, 1]) > 100


@pytest.mark.parametrize(
    "values",
    [
        [1e9, 1e9 + 2],
        [0.7101, 0.7103],
        [0, 500],
        [3, 3],
        [0, np.nan, 1],
        [-0.735, -0.711],
        [0, 3e20],
        [1e-9, 3e-9],
    ],
)
def test_marks_of_an_axis_stand_where_they_say(values) -> None:
    found = drawn(values)
    require_legible(found)
    marks = [w for w in words(found) if "end" in w.get("style", "") and w.text != ""]
    numbers = np.array([float(w.text or "nan") for w in marks])
    heights = np.array([float(w.get("y", "nan")) for w in marks])
    assert len(set(numbers)) == len(numbers) >= 2
    low, high = np.nanmin(values), np.nanmax(values)
    [line] = lines_of(found, "left")
    if high > low:  # the line itself says where a number is
        top, bottom = line[:, 1].min(), line[:, 1].max()
        said = top + (high - numbers) / (high - low) * (bottom - top)
        np.testing.assert_allclose(heights - said, (heights - said)[0], atol=0.3)


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan, 1e308, -1e308])
def test_what_cannot_be_drawn_breaks_nothing(bad) -> None:
    for values in ([0.0, bad, 1.0], [bad, bad], [bad, -bad]):
        require_legible(drawn(values))
    require_legible(drawn(np.array([1, 2, 200], np.uint8 if bad < 0 else np.float16)))


def test_a_line_is_broken_where_nothing_is_known() -> None:
    [line] = [e for e in drawn([0, 1, np.nan, 1, 0]).iter() if "left" in e.get("style", "")]
    assert line.get("d", "").count("M") == 2


def test_who_asks_for_other_settings_gets_the_same_chart() -> None:
    import matplotlib as mpl

    before = chart([Line(x=np.arange(3), y=np.arange(3), colour="left")], "x")
    with mpl.rc_context({"text.usetex": True, "svg.fonttype": "path", "font.size": 40}):
        assert chart([Line(x=np.arange(3), y=np.arange(3), colour="left")], "x") == before
        assert mpl.rcParams["font.size"] == 40, "and keeps what it had"


def test_crowded_names_stay_in_the_plot_and_off_each_other() -> None:
    one = Interval(0.5, 0.4, 0.6, 9)
    points = [Point(1 + 0.001 * n, one, f"a method called {n:02d}") for n in range(20)]
    root = ElementTree.fromstring(scatter(points, "a title", x_label="ms", y_label="score"))
    require_legible(root)
    at = sorted(float(w.get("y", "nan")) for w in words(root) if "called" in (w.text or ""))
    assert len(at) == 20
    assert min(np.diff(at)) >= LABEL_HEIGHT - 0.01


def test_names_stand_beside_their_points_and_not_on_each_other() -> None:
    names = ["one", "two", "three", "four & five"]
    points = [Point(1 + 0.01 * n, Interval(0.5, 0.4, 0.6, 9), name) for n, name in enumerate(names)]
    picture = scatter(points, "a <title>", x_label="ms", y_label="score")
    placed = text_of(picture)
    assert {*names, "ms", "score"} <= placed.keys()
    assert 'aria-label="a &lt;title&gt;"' in picture
    for one, other in combinations(names, 2):
        assert abs(placed[one][1] - placed[other][1]) >= LABEL_HEIGHT - 0.01
    assert picture.count("<use") == 4


def test_more_is_further_up_and_slower_further_right() -> None:
    points = [
        Point(0.8, Interval(0.2, 0.1, 0.3, 9), "fast"),
        Point(80.0, Interval(0.9, 0.8, 1.0, 9), "good"),
    ]
    picture = scatter(points, "t", x_label="x", y_label="y")
    places = re.findall(r'<use xlink:href="[^"]*" x="([\d.]+)" y="([\d.]+)"', picture)
    (fast, good) = [tuple(map(float, place)) for place in places]
    assert good[0] > fast[0]
    assert good[1] < fast[1]
    placed = text_of(picture)
    for name, point in (("good", good), ("fast", fast)):
        assert abs(placed[name][1] - point[1]) < LABEL_HEIGHT, "a name stands beside its point"
        assert 0 < abs(placed[name][0] - point[0]) < 50
    same = Point(1.0, Interval(1.0, 1.0, 1.0, 9), "alone")
    assert "alone" in text_of(scatter([same], "t", x_label="x", y_label="y"))


def test_a_point_without_an_interval_is_drawn() -> None:
    alone = Point(1, Interval(1.0, float("nan"), float("nan"), 1), "one")
    assert "nan" not in scatter([alone], "t", x_label="x", y_label="y")
