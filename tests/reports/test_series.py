"""Series with their intervals: where they belong, told apart, and legible on a phone."""

import re
from itertools import combinations
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from drawn import WIDEST_LETTER, lines_of, require_legible, words

from steadyhand.errors import ConfigurationError
from steadyhand.evaluation.metrics import Interval
from steadyhand.reports.charts import SERIES
from steadyhand.reports.looks import DASHES, MARKERS
from steadyhand.reports.page import picture_style
from steadyhand.reports.series import Series, series

UNKNOWN = float("nan")
STEPS = (1, 2, 3, 5, 10, 20, 50, 100)
LABELS: Any = {"x_label": "denoising steps", "y_label": "success"}


def around(mean: float) -> Interval:
    return Interval(mean, mean - 0.03, mean + 0.07, 100)


def line(look: int = 0, name: str = "one", at: tuple[float, ...] = STEPS, **more) -> Series:
    y = [around(0.2 + 0.09 * number) for number in range(len(at))]
    return Series(name=name, x=at, y=y, look=look, **more)


def parsed(*lines: Series, **more) -> ElementTree.Element:
    return ElementTree.fromstring(series(lines, "a title", **{**LABELS, **more}))


def bars_of(root: ElementTree.Element, colour: str) -> np.ndarray:
    """(x, lower end, upper end) of each interval that is drawn, in pixels."""
    found = [found for found in lines_of(root, colour) if len(found) == 2]
    upright = [found for found in found if found[0, 0] == found[1, 0]]
    return np.array([(found[0, 0], found[:, 1].max(), found[:, 1].min()) for found in upright])


def height_of(root: ElementTree.Element) -> dict[float, float]:
    """Where the numbers of the vertical axis stand, less what letters are lower by."""
    marks = [w for w in words(root) if "end" in w.get("style", "") and _number(w.text)]
    return {float(w.text or ""): float(w.get("y", "nan")) for w in marks}


def _number(text: str | None) -> bool:
    return re.fullmatch(r"[\d.]+", text or "") is not None


def test_intervals_are_drawn_where_they_are() -> None:
    root = parsed(line(), x_log=True, y_range=(0, 1))
    marks = height_of(root)
    pixels = (marks[0] - marks[1]) / 1
    bars = bars_of(root, "left")
    assert len(bars) == len(STEPS)
    np.testing.assert_allclose(bars[:, 1] - bars[:, 2], 0.1 * pixels, atol=0.3)
    means = 0.2 + 0.09 * np.arange(len(STEPS))
    np.testing.assert_allclose(np.diff(bars[:, 1:].mean(1)), -0.09 * pixels, atol=0.3)
    [curve] = [found for found in lines_of(root, "left") if len(found) == len(STEPS)]
    np.testing.assert_allclose(curve[:, 1] - bars[:, 2], 0.07 * pixels, atol=0.3)
    zero = curve[0, 1] + means[0] * pixels
    assert marks[0] - zero == pytest.approx(4, abs=2), "half a letter below its place"


def test_the_numbers_tried_stand_below_and_no_others() -> None:
    root = parsed(line(), x_log=True, y_range=(0, 1))
    shown = {
        w.text: float(w.get("x", "nan")) for w in words(root) if "middle" in w.get("style", "")
    }
    assert list(shown) == [str(step) for step in STEPS]
    for (bar, *_), step in zip(bars_of(root, "left"), STEPS, strict=True):
        assert bar == pytest.approx(shown[str(step)], abs=0.2)
    wide = np.array([shown["10"] - shown["1"], shown["100"] - shown["10"]])
    assert np.ptp(wide) < 0.2, "tens are as far apart anywhere"


def test_crowded_numbers_stay_off_each_other() -> None:
    root = parsed(line(at=(1, 2, 3, 4, 1000, 1001, 2000, 4000)))
    placed = [w for w in words(root) if "middle" in w.get("style", "")]
    assert {"1", "4000"} <= {w.text for w in placed}
    _require_apart(placed)


def test_seven_lines_are_told_apart_by_three_things_at_once() -> None:
    assert len(set(SERIES)) == len(set(MARKERS)) == len(set(DASHES)) == 7
    lines = [line(look, f"method {look}") for look in range(7)]
    root = parsed(*lines, x_log=True, y_range=(0, 1))
    require_legible(root)
    first = [bars_of(root, colour)[0, 0] for colour in SERIES]
    assert (np.diff(first) > 1).all(), "a little apart"
    gap = bars_of(root, "left")[1, 0] - bars_of(root, "seventh")[0, 0]
    assert gap > 0, "and nearer to their own place than to the next"
    styles = {
        element.get("style", "")
        for element in root.iter()
        if "stroke-width: 1.6" in element.get("style", "")
    }
    assert len(styles) == 7


def test_a_legend_says_each_name_once_and_off_the_others() -> None:
    names = ["a", "b" * 20, "a & <b>", "c" * 70, "d $x_1$", "of the seventh"]
    root = parsed(*[line(look, name) for look, name in enumerate(names)])
    require_legible(root)
    shown = "".join(w.text or "" for w in words(root))
    assert all(shown.count(name) == 1 for name in names[1:])
    _require_apart([w for w in words(root) if any((w.text or " ") in name for name in names)])


def test_marks_say_what_is_there_off_each_other() -> None:
    marks = {10.0: "as it was trained", 16.0: "20 ms on this machine", 100.0: "the teacher's"}
    root = parsed(line(), x_log=True, y_range=(0, 1), marks=marks)
    require_legible(root)
    notes = [w for w in words(root) if w.text in marks.values()]
    assert len(notes) == 3
    _require_apart(notes)
    upright = bars_of(root, "soft")
    at = {x for x, *_ in bars_of(root, "left")}
    assert len(upright) == 3
    assert upright[0, 0] in at
    assert upright[2, 0] in at
    assert "16" not in {w.text for w in words(root)}, "nobody tried it"


def test_a_variant_is_dashed_and_hollow() -> None:
    root = parsed(line(0, "seen"), line(0, "disturbed", dashed=True))
    hollow = [e for e in root.iter() if "fill: var(--card)" in e.get("style", "")]
    assert len(hollow) >= len(STEPS)


def test_what_is_unknown_is_left_out() -> None:
    y = [Interval(0.5, UNKNOWN, UNKNOWN, 1), Interval(UNKNOWN, UNKNOWN, UNKNOWN, 1), around(0.7)]
    settings: list[Any] = [{}, {"y_log": True}, {"x_log": True}]
    for more in settings:
        text = series([Series(name="", x=(1, 2, 4), y=y, look=0)], "a", **LABELS, **more)
        assert "nan" not in text
        assert "inf" not in text
        root = ElementTree.fromstring(text)
        require_legible(root)
        assert len({x for x, low, high in bars_of(root, "left") if low - high > 1}) == 1
    nothing = Series(name="", x=(1,), y=y[1:2], look=0)
    require_legible(ElementTree.fromstring(series([nothing], "a", **LABELS)))


@pytest.mark.parametrize("values", [(0.001, 0.4, 900.0), (0.0, 0.02, 0.5), (3.0, 3.0, 3.0)])
def test_costs_stand_on_a_logarithmic_axis(values) -> None:
    y = [Interval(value, value * 0.9, value * 1.1, 9) for value in values]
    root = parsed(Series(name="", x=(1, 2, 4), y=y, look=0), y_log=True)
    require_legible(root)
    drawn = [value for value in values if value > 0]
    assert len({x for x, *_ in bars_of(root, "left")}) == len(drawn)


def test_what_cannot_be_told_apart_is_refused() -> None:
    for lines in ([], [line(0), line(0, "other")], [line(7)]):
        with pytest.raises(ConfigurationError):
            series(lines, "a", **LABELS)
    with pytest.raises(ConfigurationError, match="2 places and 1 figures"):
        series([Series(name="a", x=(1, 2), y=[around(0.5)], look=0)], "a", **LABELS)


def test_the_same_series_twice_is_the_same_picture() -> None:
    lines = [line(0), line(1, "two")]
    assert series(lines, "a", **LABELS) == series(lines, "a", **LABELS)
    alone = series(lines, "a", **LABELS, style=picture_style())
    assert "<style>" in alone
    assert 'aria-label="a &lt;b&gt;"' in series(lines, "a <b>", **LABELS)


def _require_apart(placed: list[ElementTree.Element]) -> None:
    boxes = []
    for word in placed:
        css, x, y = word.get("style", ""), float(word.get("x", "nan")), float(word.get("y", "nan"))
        wide = WIDEST_LETTER * 12 * len(word.text or "")
        start = x - wide / 2 if "middle" in css else x
        boxes.append((start, start + wide, y))
    for (a, b, y), (c, d, other) in combinations(boxes, 2):
        assert b <= c or d <= a or abs(y - other) >= 12
