"""Pages that can be read: on a phone, by name, in seconds, against a scale that says what moves."""

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from steadyhand.data import Episodes
from steadyhand.evaluation.chart import LEAST, Line, chart, least_span
from steadyhand.evaluation.data_report import data_page, feature_table
from steadyhand.evaluation.metrics import Interval
from steadyhand.evaluation.offline import judge
from steadyhand.evaluation.offline_report import offline_page
from steadyhand.evaluation.report import STYLE, page, prose, table
from steadyhand.evaluation.scatter import Point, scatter
from steadyhand.studies.benchmark import Row
from steadyhand.studies.table import page as benchmark_page
from steadyhand.studies.table import picture, screen_table
from steadyhand.training.train import build_policy

PHONE = 390 - 2 * 19.2  # less the page's own edges
WIDEST_LETTER = 0.62
"""Of its height, on average over words, in the fonts that systems have."""
LONG = "observation.images.left_wrist_camera_of_the_second_arm.with_a_name_that_goes_on.0"


def drawings(text: str) -> Iterator[ElementTree.Element]:
    """All pictures of a page that have words in them."""
    for found in re.findall(r"<svg .*?</svg>", text, re.S):
        root = ElementTree.fromstring(found)
        if words(root):
            yield root


def words(root: ElementTree.Element) -> list[ElementTree.Element]:
    return [element for element in root.iter() if element.tag.endswith("text")]


def font_size() -> float:
    [size] = re.findall(r"text \{[^}]*font: (\d+)px", STYLE)
    return float(size)


def require_legible(root: ElementTree.Element) -> None:
    """Letters of ten pixels and more on a phone, and every one of them inside the picture."""
    _, _, width, height = map(float, root.get("viewBox", "").split())
    assert font_size() * PHONE / width >= 10
    for word in words(root):
        long = WIDEST_LETTER * font_size() * len(word.text or "")
        css, x, y = word.get("class", ""), float(word.get("x", "nan")), float(word.get("y", "nan"))
        start = x - long if "end" in css else x - long / 2 if "middle" in css else x
        assert start >= 0, word.text
        assert start + long <= width, word.text
        assert font_size() <= y <= height, word.text


def lines_of(root: ElementTree.Element, css: str) -> list[np.ndarray]:
    found = [e for e in root.iter() if e.get("class") == css and e.tag.endswith("polyline")]
    return [
        np.array([list(map(float, p.split(","))) for p in e.get("points", "").split()])
        for e in found
    ]


@pytest.fixture
def arm() -> Episodes:
    """Ten seconds in which one joint moves by 1 and the other, of a long name, trembles."""
    random, steps = np.random.default_rng(0), 100
    moves = np.linspace(0, 1, steps)
    action = np.stack([moves, 1e-3 * random.random(steps)], 1).astype(np.float32)
    action = np.concatenate([action, action])
    arrays = {"state": action + 3, "action": action}
    names = {"action": ("shoulder", LONG), "state": ("shoulder", LONG)}
    return Episodes(arrays, np.array([steps, 2 * steps]), rate_hz=10.0, names=names)


@pytest.fixture
def judged(config, arm):
    config = replace(config, observations=("state",))
    policy = build_policy(config, arm)

    def text(episodes: Episodes) -> str:
        found = judge(policy, episodes.subset([1]), numbers=[1], samples=1)
        return offline_page(found, policy, episodes, [1], title="a/very/" + 9 * "long" + "/path")

    return text


def row(method: str, network: str, score: float) -> Row:
    interval = Interval(score, score - 0.1, score + 0.1, 300)
    scores = {"success": interval, "max_coverage": interval}
    return Row(method, network, 10, scores, 16_900_000, 10 + 9 * score, 10.0, 3)


ROWS = [
    row(f"method_{n}", network, 0.3 + 0.02 * n)
    for n in range(9)
    for network in ("unet", "transformer")
]


def test_the_page_of_a_data_set_is_legible_on_a_phone(arm) -> None:
    text = data_page(arm, [], feature_table(arm))
    pictures = list(drawings(text))
    assert len(pictures) == 4
    for found in pictures:
        require_legible(found)
    assert "spans at least 0.1, a tenth of the widest range" in text


def test_the_page_of_a_judgement_is_legible_on_a_phone(judged, arm) -> None:
    pictures = list(drawings(judged(arm)))
    assert len(pictures) == 3
    for found in pictures:
        require_legible(found)


def test_the_page_of_a_benchmark_is_legible_on_a_phone() -> None:
    text = benchmark_page("pusht", ROWS, {})
    [found] = drawings(text)
    require_legible(found)
    assert len(words(found)) > len(ROWS)
    alone = ElementTree.fromstring(picture("pusht", ROWS, alone=True))
    require_legible(alone)


def test_crowded_names_stay_in_the_plot_and_off_each_other() -> None:
    one = Interval(0.5, 0.4, 0.6, 9)
    points = [Point(1 + 0.001 * n, one, f"a method called {n:02d}") for n in range(20)]
    root = ElementTree.fromstring(scatter(points, LONG, x_label="ms", y_label="score"))
    require_legible(root)
    at = sorted(float(w.get("y", "nan")) for w in words(root) if "called" in (w.text or ""))
    assert len(at) == 20
    assert min(np.diff(at)) >= 14


def test_names_are_not_cut(arm, judged) -> None:
    for text in (data_page(arm, [], feature_table(arm)), judged(arm)):
        for found in drawings(text):
            label = found.get("aria-label", "")
            shown = "".join(w.text or "" for w in words(found) if w.get("class") == "name")
            assert shown.replace(" ", "") == label.replace(" ", "")
        assert LONG in "".join(found.get("aria-label", "") for found in drawings(text))


def test_a_wide_table_is_a_list_on_a_phone() -> None:
    text = table(["feature", "shape", "type", "kind"], [["a", "b", "c", "d"]])
    assert '<table class="wide">' in text
    assert '<td data-label="shape">b</td>' in text
    assert 'class="wide"' not in table(["a", "b", "c"], [["1", "2", "3"]])
    [narrow] = re.findall(r"@media \(max-width: 40rem\) \{(.*?)\n\}", STYLE, re.S)
    assert ".wide th { display: none; }" in narrow
    assert "content: attr(data-label)" in narrow
    assert "overflow-wrap: anywhere" in narrow


def test_what_is_to_be_typed_is_whole() -> None:
    """Long words break rather than leave the page, commands wrap, and flags stay in one piece."""
    assert re.search(r"body \{[^}]*overflow-wrap: anywhere", STYLE)
    assert re.search(r"pre \{[^}]*white-space: pre-wrap", STYLE)
    assert prose("Try --skip-broken-episodes, or <b> a--b.") == (
        "Try <code>--skip-broken-episodes</code>, or &lt;b&gt; a--b."
    )
    assert re.search(r"p code \{ white-space: nowrap", STYLE)


def test_no_picture_makes_a_page_wider_than_a_phone() -> None:
    least = re.findall(r"minmax\((.*?), 1fr\)", page("a") if "1fr" in page("a") else STYLE)
    for found in least:
        rems = [float(number) for number in re.findall(r"([\d.]+)rem", found)]
        assert all(16 * rem <= PHONE for rem in rems)
    assert "minmax(min(19rem, 100%), 1fr)" in STYLE


def test_noise_does_not_look_like_motion(arm, judged) -> None:
    heights = {}
    for text, css in (
        (judged(arm), "shown"),
        (data_page(arm, [], feature_table(arm)), "one faint"),
    ):
        for found in drawings(text):
            for line in lines_of(found, css):
                heights.setdefault(found.get("aria-label"), []).append(np.ptp(line[:, 1]))
    assert len(heights["shoulder"]) == len(heights[LONG]) == 5
    assert min(heights["shoulder"]) > 100
    assert max(heights[LONG]) < 2


def test_motion_in_few_units_is_still_seen() -> None:
    """A joint that moves a tenth as far as the widest fills its axis."""
    values = np.stack([np.linspace(0, 1, 9), np.linspace(5, 5.1, 9)], 1)
    assert least_span(values) == pytest.approx(LEAST)
    found = chart([Line(np.arange(9), values[:, 1], "one")], "x", span=least_span(values))
    assert np.ptp(lines_of(ElementTree.fromstring(found), "one")[0][:, 1]) > 100


def test_trajectories_are_in_seconds_with_hold_beside_them(judged, arm) -> None:
    text = judged(arm)
    assert "hold the last action</span>" in text.split("<h2>Episode 1, 10.0 s</h2>")[1]
    joint = next(f for f in drawings(text) if f.get("aria-label") == "shoulder")
    assert "9.9 s" in [word.text for word in words(joint)]
    [done] = lines_of(joint, "shown")
    held, predicted = lines_of(joint, "two"), lines_of(joint, "one")
    assert len(held) == len(predicted) > 5
    starts = np.searchsorted(done[:, 0], [line[0, 0] for line in held])
    for line, start in zip(held, starts, strict=True):
        assert np.ptp(line[:, 1]) == 0
        assert line[0, 1] == pytest.approx(done[start - 1, 1], abs=0.11)


def test_joints_without_names_are_called_as_they_are_typed(judged, arm) -> None:
    text = judged(replace(arm, names={}))
    labels = [found.get("aria-label") for found in drawings(text)]
    assert labels[1:] == ["action[0]", "action[1]"]


@pytest.mark.parametrize(
    ("values", "marks"),
    [
        ([1e9, 1e9 + 2], ["1000000000", "1000000001", "1000000002"]),
        ([0.7101, 0.7103], ["0.7101", "0.7102", "0.7103"]),
        ([0, 500], ["0", "250", "500"]),
        ([3, 3], ["2.5", "3.0", "3.5"]),
        ([0, np.nan, 1], ["0.0", "0.5", "1.0"]),
        ([-0.735, -0.711], ["-0.735", "-0.723", "-0.711"]),
        ([0, 3e20], ["0.000e+00", "1.500e+20", "3.000e+20"]),
    ],
)
def test_marks_of_an_axis_are_told_apart(values, marks) -> None:
    found = ElementTree.fromstring(
        chart([Line(np.arange(len(values)), np.array(values), "one")], "x")
    )
    require_legible(found)
    assert [word.text for word in words(found)][1:4] == marks


def test_a_benchmark_on_the_screen_keeps_its_names() -> None:
    from rich.console import Console

    screen = Console(width=60, record=True, file=io.StringIO())
    screen.print(screen_table("pusht", ROWS))
    shown = screen.export_text()
    assert "…" not in shown
    for row in ROWS:
        assert re.search(rf"{row.method} +{row.denoiser} ", shown)
