"""Pages that can be read: on a phone, by name, in seconds, against a scale that says what moves."""

import io
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from drawn import PHONE, drawings, lines_of, require_legible, words
from markupsafe import escape

from steadyhand.data import Episodes, Problem
from steadyhand.evaluation.metrics import Interval
from steadyhand.evaluation.offline import judge
from steadyhand.evaluation.smoothness import Smoothness
from steadyhand.reports.data import data_page
from steadyhand.reports.judgement import offline_page
from steadyhand.reports.page import prose
from steadyhand.studies.benchmark import Row
from steadyhand.studies.table import as_json, as_markdown, picture, screen_table
from steadyhand.studies.table import page as benchmark_page
from steadyhand.training.train import build_policy

LONG = "observation.images.left_wrist_camera_of_the_second_arm.with_a_name_that_goes_on.0"


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

    def text(episodes: Episodes, title: str = "a/very/" + 9 * "long" + "/path", **more) -> str:
        found = judge(policy, episodes.subset([1]), numbers=[1], samples=1)
        return offline_page(found, policy, episodes, [1], title=title, **more)

    return text


def row(method: str, network: str, score: float) -> Row:
    interval = Interval(score, score - 0.1, score + 0.1, 300)
    scores = {"success": interval, "max_coverage": interval}
    smooth = Smoothness(1.0, 0.14, 0.1)
    return Row(method, network, 10, scores, smooth, 16_900_000, 10 + 9 * score, 10.0, 3)


ROWS = [
    row(f"method_{n}", network, 0.3 + 0.02 * n)
    for n in range(9)
    for network in ("unet", "transformer")
]


def test_the_page_of_a_data_set_is_legible_on_a_phone(arm) -> None:
    text = data_page(arm, [])
    pictures = list(drawings(text))
    assert len(pictures) == 4
    for found in pictures:
        require_legible(found)
    assert "spans at least 0.1, a tenth of the widest range" in text


def test_the_page_of_a_judgement_is_legible_on_a_phone(judged, arm) -> None:
    pictures = list(drawings(judged(arm)))
    assert len(pictures) == 1 + 2 + 2, "ahead, where chunks meet, and the episode"
    for found in pictures:
        require_legible(found)


def test_the_page_of_a_benchmark_is_legible_on_a_phone() -> None:
    text = benchmark_page("pusht", ROWS, {})
    [found] = drawings(text)
    require_legible(found)
    assert len(words(found)) > len(ROWS)
    alone = ElementTree.fromstring(picture("pusht", ROWS, alone=True))
    require_legible(alone)


def test_smoothness_stands_beside_success_in_a_benchmark() -> None:
    for text in (benchmark_page("pusht", ROWS, {}), as_markdown(ROWS)):
        assert text.count("×1.4") == len(ROWS)
    [first, *_] = as_json("pusht", ROWS)["rows"]
    assert first["smoothness"]["seam"] == pytest.approx(1.4)
    assert first["success"]["n"] == 300


def test_names_are_not_cut(arm, judged) -> None:
    for text in (data_page(arm, []), judged(arm)):
        assert f'<figcaption class="name">{LONG}</figcaption>' in text


def test_a_wide_table_is_a_list_on_a_phone(arm) -> None:
    text = data_page(arm, [])
    assert '<table class="wide">' in text
    assert '<td data-label="type">float32</td>' in text
    narrow = data_page(arm, [Problem("jump", "it jumps")])
    assert "<table>" in narrow.partition("<h2>Features</h2>")[0]
    [style] = re.findall(r"@media \(max-width: 40rem\) \{(.*?)\n\}", text, re.S)
    assert ".wide th { display: none; }" in style
    assert "content: attr(data-label)" in style
    assert "overflow-wrap: anywhere" in style


def test_what_is_to_be_typed_is_whole(arm) -> None:
    """Long words break rather than leave the page, commands wrap, and flags stay in one piece."""
    text = data_page(arm, [])
    assert re.search(r"body \{[^}]*overflow-wrap: anywhere", text)
    assert re.search(r"pre \{[^}]*white-space: pre-wrap", text)
    assert prose("Try --skip-broken-episodes, or <b> a--b.") == (
        "Try <code>--skip-broken-episodes</code>, or &lt;b&gt; a--b."
    )
    assert re.search(r"p code \{ white-space: nowrap", text)
    assert prose("`convert A<B --trim-idle` cuts.") == (
        '<code class="command">convert A&lt;B --trim-idle</code> cuts.'
    )
    assert "code.command { white-space: normal; }" in text


def test_notes_stand_apart_from_problems(arm) -> None:
    said = Problem("unit", "It is taken for millimetres.")
    found = [replace(said, file="a"), Problem("constant", "It rests."), Problem("late", "It lags.")]
    text = data_page(replace(arm, remarks=(said,)), found)
    assert re.findall(r"<h2>(Problems|Notes): (\d)", text) == [("Problems", "1"), ("Notes", "2")]
    assert "None was found." in data_page(arm, found[1:2])
    assert "None was found in what is read." in data_page(replace(arm, left_out={"x": "odd"}), [])


def test_no_picture_makes_a_page_wider_than_a_phone(arm) -> None:
    least = re.findall(r"minmax\((.*?), 1fr\)", data_page(arm, []))
    assert "min(19rem, 100%)" in least
    for found in least:
        rems = [float(number) for number in re.findall(r"([\d.]+)rem", found)]
        assert all(16 * rem <= PHONE for rem in rems)


def test_what_is_text_is_shown_as_text(arm, judged) -> None:
    """Whatever a data set says of itself steers no page."""
    evil = "</style><script>alert(1)</script>$\\frac\"'&"
    names = {"action": ("a", evil), "state": ("a", evil)}
    arrays = {**arm.arrays, evil: arm.arrays["state"]}
    bad = replace(arm, arrays=arrays, names=names, tasks=(evil,), format=evil)
    problems = [Problem("jump", evil)]
    pages = [
        data_page(bad, problems),
        judged(bad, title=evil, then=evil),
        benchmark_page(evil, [replace(row, method=evil) for row in ROWS], {"a": evil}),
    ]
    for text in pages:
        assert "<script" not in text
        assert text.count("</style>") == 1
        assert str(escape(evil)) in text
        for found in drawings(text):
            assert found.get("aria-label")


def test_a_page_needs_nothing_but_itself(arm, judged) -> None:
    for text in (
        data_page(arm, []),
        judged(arm),
        benchmark_page("pusht", ROWS, {}),
    ):
        assert set(re.findall(r"https?://[^/\" ]+", text)) <= {"http://www.w3.org"}
        assert not re.search(r"<(script|link|iframe|object|embed)\b", text)
        assert not re.search(r"url\((?!#)|@import", text)
        outside = re.sub(r"<style.*?</style>", "", text, flags=re.S)
        assert not re.search(r"(fill|stroke|background): #", outside), "colours have names"
        light, dark = text.split("@media (prefers-color-scheme: dark)")[:2]
        for name in re.findall(r"var\(--([\w-]+)\)", outside):
            assert f"--{name}:" in light
            assert f"--{name}:" in dark


def test_the_same_page_twice_is_the_same_page(arm, judged) -> None:
    assert judged(arm) == judged(arm)
    assert benchmark_page("pusht", ROWS, {}) == benchmark_page("pusht", ROWS, {})


def test_noise_does_not_look_like_motion(arm, judged) -> None:
    heights: dict[str | None, list[float]] = {}
    for text, colour in ((judged(arm), "ink"), (data_page(arm, []), "left")):
        for found in drawings(text):
            for line in lines_of(found, colour):
                heights.setdefault(found.get("aria-label"), []).append(np.ptp(line[:, 1]))
    assert len(heights["shoulder"]) == len(heights[LONG]) == 5
    assert min(heights["shoulder"]) > 100
    assert max(heights[LONG]) < 2


def test_trajectories_are_in_seconds_with_hold_beside_them(judged, arm) -> None:
    text = judged(arm)
    assert "hold the last action</span>" in text.split("<h2>Episode 1, 10.0 s</h2>")[1]
    joint = next(f for f in drawings(text) if f.get("aria-label") == "shoulder")
    shown = [word.text for word in words(joint)]
    assert "s" in shown
    assert "7.5" in shown, "of ten seconds, and not of a hundred steps"
    [done] = lines_of(joint, "ink")
    held, predicted = lines_of(joint, "right"), lines_of(joint, "left")
    assert len(held) > 5
    assert len(predicted) == 2 * len(held), "what would be executed, and the rest"
    step = np.ptp(done[:, 0]) / 99
    for line in held:
        assert np.ptp(line[:, 1]) == 0
        before = np.interp(line[0, 0] - step, done[:, 0], done[:, 1])
        assert line[0, 1] == pytest.approx(before, abs=0.11)


def test_joints_without_names_are_called_as_they_are_typed(judged, arm) -> None:
    text = judged(replace(arm, names={}))
    labels = [found.get("aria-label") for found in drawings(text)]
    assert labels[-2:] == ["action[0]", "action[1]"]
    assert '<figcaption class="name">action[1]</figcaption>' in text


def test_a_benchmark_on_the_screen_keeps_its_names() -> None:
    from rich.console import Console

    screen = Console(width=60, record=True, file=io.StringIO())
    screen.print(screen_table("pusht", ROWS))
    shown = screen.export_text()
    assert "…" not in shown
    for row in ROWS:
        assert re.search(rf"{row.method} +{row.denoiser} ", shown)
