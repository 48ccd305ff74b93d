"""Rows of shares and of figures: as long as they say, with every number legible."""

import re
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
import pytest
from drawn import WIDEST_LETTER, lines_of, require_legible, words

from steadyhand.errors import ConfigurationError
from steadyhand.evaluation.metrics import Interval
from steadyhand.reports.rows import Dot, Group, bars, dots

PARTS = {"left": "left", "right": "right", "collision": "bad"}
UNKNOWN = float("nan")
LONG = "a method whose name goes on, of a horizon of 16 with 8 executed"


def widths(root: ElementTree.Element, colour: str) -> list[float]:
    """Of every rectangle in a colour of the page's."""
    paths = [e.get("d", "") for e in root.iter() if f"fill: var(--{colour})" in e.get("style", "")]
    points = [np.array(re.findall(r"([-\d.]+) ([-\d.]+)", path), float) for path in paths]
    return [float(np.ptp(found[:, 0])) for found in points]


def test_bars_are_as_long_as_their_shares() -> None:
    root = ElementTree.fromstring(bars([Group(LONG, (0.5, 0.25, 0.0))], PARTS, "a <title>"))
    require_legible(root)
    whole, (_, left), (_, right) = (
        widths(root, "line")[0],
        widths(root, "left"),
        widths(root, "right"),
    )
    assert left == pytest.approx(0.5 * whole, abs=1.2)
    assert right == pytest.approx(0.25 * whole, abs=1.2)
    assert len(widths(root, "bad")) == 1, "in the legend alone"
    shown = [w.text for w in words(root)]
    assert shown.count("50 %") == shown.count("25 %") == 1
    assert not {"0 %", "<1 %"} & set(shown)


def test_percentages_stay_inside_and_off_each_other() -> None:
    groups = [
        Group("a", (0.004, 0.004, 0.992)),
        Group("b", (0.98, 0.01, 0.01)),
        Group("c", (0.0, 0.0, 0.0)),
        Group("d", (0.33, 0.34, 0.33)),
    ]
    root = ElementTree.fromstring(bars(groups, PARTS, "t"))
    require_legible(root)
    shares = [w for w in words(root) if "%" in (w.text or "")]
    assert [w.text for w in shares][:6] == ["<1 %", "<1 %", "99 %", "98 %", "1 %", "1 %"]
    for one, other in combinations(shares, 2):
        if one.get("y") == other.get("y"):
            apart = abs(float(one.get("x", "nan")) - float(other.get("x", "nan")))
            assert apart >= WIDEST_LETTER * 12 * (len(one.text or "") + len(other.text or "")) / 2.4


@pytest.mark.parametrize("shares", [(0.5, 0.6, 0.0), (0.5, 0.5), (-0.1, 0.5, 0.5), (UNKNOWN,) * 3])
def test_what_is_no_part_of_a_whole_is_refused(shares) -> None:
    with pytest.raises(ConfigurationError, match="left, right, collision"):
        bars([Group("a", shares)], PARTS, "t")


def test_figures_stand_on_their_axis_with_their_intervals() -> None:
    rows = [Dot("best", Interval(0.9, 0.8, 1.0, 99), 0), Dot(LONG, Interval(0.2, 0.1, 0.5, 99), 1)]
    root = ElementTree.fromstring(dots(rows, "t", x_label="success", x_range=(0, 1), reference=0.9))
    require_legible(root)
    at = {w.text: float(w.get("x", "nan")) for w in words(root) if "middle" in w.get("style", "")}
    pixels = at["1"] - at["0"]
    for colour, low, high in (("left", 0.8, 1.0), ("right", 0.1, 0.5)):
        [bar] = [b for b in lines_of(root, colour) if len(b) == 2 and np.ptp(b[:, 0]) > 20]
        np.testing.assert_allclose(
            np.sort(bar[:, 0]), at["0"] + pixels * np.array([low, high]), atol=0.3
        )
    references = [line[0, 0] for line in lines_of(root, "ink")]
    np.testing.assert_allclose(references, at["0"] + 0.9 * pixels, atol=0.3)
    assert len(references) == 2
    assert {"0.9 [0.8, 1]", "0.2 [0.1, 0.5]"} <= {w.text for w in words(root)}


def test_what_is_unknown_is_said_and_not_drawn() -> None:
    rows = [
        Dot("one", Interval(0.5, UNKNOWN, UNKNOWN, 1)),
        Dot("none", Interval(UNKNOWN, UNKNOWN, UNKNOWN, 0)),
        Dot("much", Interval(float("inf"), UNKNOWN, UNKNOWN, 9)),
    ]
    root = ElementTree.fromstring(dots(rows, "t", x_label="x"))
    require_legible(root)
    drawn = dots(rows, "t", x_label="x").count("<use")
    assert drawn == dots(rows[:1], "t", x_label="x").count("<use") > 0
    require_legible(ElementTree.fromstring(dots(rows[1:], "t", x_label="x", reference=3.0)))


def test_the_same_rows_twice_are_the_same_picture() -> None:
    rows, groups = [Dot("a", Interval(0.5, 0.4, 0.6, 9))], [Group("a", (0.1, 0.2, 0.3))]
    assert dots(rows, "t", x_label="x") == dots(rows, "t", x_label="x")
    assert bars(groups, PARTS, "t") == bars(groups, PARTS, "t")
    assert 'aria-label="a &lt;b&gt;"' in dots(rows, "a <b>", x_label="x")
