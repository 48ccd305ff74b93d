"""The report of a study: the answer first, whole in itself, the same in HTML and in Markdown."""

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from markupsafe import escape
from PIL import Image

from steadyhand.errors import ConfigurationError
from steadyhand.evaluation.metrics import Interval
from steadyhand.reports.paths import paths_picture
from steadyhand.reports.series import Series, series
from steadyhand.reports.strip import FILM_BYTES, Strip, contact_strip, film
from steadyhand.reports.study import (
    Figure,
    StudyReport,
    panels,
    study_markdown,
    study_page,
    study_pictures,
)

EVIL = "</style><script>alert(1)</script> $x$ `a` *b* | c_ [d](http://e) \"'&amp;\n# f"


def frames(count: int = 30, size: tuple[int, int] = (36, 30)) -> list[np.ndarray]:
    """A bright square that goes from the left to the right."""
    made = [np.full((*size, 3), 40, np.uint8) for _ in range(count)]
    for number, frame in enumerate(made):
        at = round(number * (size[1] - 4) / max(count - 1, 1))
        frame[size[0] // 2 :, at : at + 4] = 250
    return made


def figure(title: str = "Success against steps") -> Figure:
    y = [Interval(0.4, 0.3, 0.5, 99), Interval(0.9, 0.85, 0.95, 99)]
    lines = [Series(name="ddpm", x=(1, 10), y=y, look=0)]
    picture = series(lines, title, x_label="steps", y_label="success", x_log=True)
    return Figure(picture=picture, caption=f"{title}.")


@pytest.fixture
def report() -> StudyReport:
    return StudyReport(
        title="How many steps are enough?",
        subject="fork:gap=0.1, ddpm, 3 training seeds",
        answer="10 steps are enough: 0.90 [0.85, 0.95].",
        notes=["It saturates; try --task fork:gap=0.1."],
        figures=[
            figure(),
            Figure(
                picture=panels([("one", paths_picture([], [], [], "a"))] * 2),
                caption="Paths.",
                wide=True,
            ),
        ],
        header=["solver", "steps", "success", "seam"],
        rows=[["ddpm", "1", "0.40 [0.30, 0.50]", "1.4 times"]],
        reading="Brackets hold 95 % intervals.\n\nA seam is where a chunk ends.",
        strips=[
            Strip(caption="A success", jpeg=contact_strip(frames()), film=film(frames(), 10)),
            Strip(caption="A failure", jpeg=contact_strip(frames())),
        ],
        made={"command": "steadyhand study steps", "commit": "abc", "time": "3 min"},
    )


class Reader(HTMLParser):
    """The headings, pictures and paragraphs of a page, in their order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs) -> None:
        if tag in ("svg", "img", "table", "pre"):
            self.seen.append(tag)

    def handle_data(self, data) -> None:
        self.seen.append(data)


def test_the_answer_stands_first_with_the_figure_that_shows_it(report) -> None:
    for text in (study_page(report), study_markdown(report, list(study_pictures(report, "s")))):
        body = text.partition("<body>")[2] or text
        wanted = [report.title, report.subject, "10 steps are enough", "Success against steps"]
        wanted += ["It saturates", "Paths.", "0.40", "A success", "Brackets", "A seam is", "abc"]
        places = [body.index(word) for word in wanted]
        assert places == sorted(places)
    seen = Reader(study_page(report)).seen
    assert [tag for tag in seen if tag in ("svg", "img", "table", "pre")] == [
        *("svg", "svg", "svg", "table", "img", "img", "img", "pre", "table")
    ]


def test_a_study_needs_nothing_but_its_page(report) -> None:
    text = study_page(report)
    assert set(re.findall(r"https?://[^/\" ]+", text)) <= {"http://www.w3.org"}
    assert not re.search(r"<(script|link|iframe|object|embed)\b|url\((?!#)|@import", text)
    assert all(source.startswith("data:image/") for source in re.findall(r'src="([^"]*)', text))
    assert text == study_page(report)
    assert "@media print" in text


def test_what_a_study_was_given_steers_nothing(report) -> None:
    bad = replace(
        report,
        title=EVIL,
        subject=EVIL,
        answer=EVIL,
        notes=[EVIL],
        figures=[Figure(picture=figure(EVIL).picture, caption=EVIL)],
        header=[EVIL] * 4,
        rows=[[EVIL] * 4],
        reading=EVIL,
        strips=[Strip(caption=EVIL, jpeg=report.strips[0].jpeg, film=report.strips[0].film)],
        made={"command": f"```\n{EVIL}", EVIL: EVIL},
    )
    text = study_page(bad)
    assert "<script" not in text
    assert text.count("</style>") == 1
    assert str(escape(EVIL)) in text
    written = study_markdown(bad, ["a.svg", "b.jpg"])
    before, fence, _ = written.partition("\n````\n")
    assert fence, "longer than the fence in it"
    assert not re.search(r"(?<!\\)<|(?<!\\)\$|(?<!\\)\]\(http|^# f", before, re.M)
    [row] = re.findall(r"^\| [^-].*\|$", before.partition("---")[2], re.M)
    assert len(re.findall(r"(?<!\\)\|", row)) == 5, "four cells"


def test_pictures_lie_beside_the_markdown(report) -> None:
    held = study_pictures(report, "steps")
    assert list(held) == [f"steps-{n}.{k}" for n, k in enumerate(["svg"] * 3 + ["jpg"] * 2, 1)]
    assert b"<style>:root" in held["steps-1.svg"], "with its colours"
    assert Image.open(io.BytesIO(held["steps-4.jpg"])).format == "JPEG"
    text = study_markdown(report, list(held))
    assert re.findall(r"\]\(([^)]*)\)", text) == list(held)
    assert "| ddpm | 1 | 0.40 [0.30, 0.50] | 1.4 times |" in text
    assert "```\nsteadyhand study steps\n```" in text
    with pytest.raises(ConfigurationError, match="5 pictures and 1 names"):
        study_markdown(report, ["a"])


def test_a_study_without_rows_or_episodes_is_no_less_whole(report) -> None:
    bare = replace(report, rows=[], strips=[], notes=[], figures=report.figures[:1], made={})
    text = study_page(bare)
    assert "All rows" not in text
    assert "Episodes" not in text
    assert study_markdown(bare, ["a.svg"]).count("![") == 1


def decoded(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))


def test_a_strip_goes_from_the_first_moment_to_the_last() -> None:
    sheet = np.asarray(decoded(contact_strip(frames(), count=6, height=72)).convert("L"), float)
    assert sheet.shape == (2 * 72 + 4, 3 * 60 + 2 * 4)
    for number in range(6):
        row, column = divmod(number, 3)
        moment = sheet[76 * row : 76 * row + 72, 64 * column : 64 * column + 60]
        at = moment[50].argmax() / 2
        assert at == pytest.approx(number * 26 / 5, abs=3)
    assert decoded(contact_strip(frames(1), count=3)).size == (3 * 150 + 8, 180)
    with pytest.raises(ConfigurationError, match="film it"):
        contact_strip([])


def test_a_film_plays_as_long_as_it_took() -> None:
    shown = decoded(film(frames(61, (36, 140)), 20.0))
    assert shown.format == "WEBP"
    times = []
    for number in range(getattr(shown, "n_frames", 1)):
        shown.seek(number)
        shown.load()
        times.append(shown.info["duration"])
    assert sum(times) == 30 * 100 + 1000, "three seconds, and one to look at its end"
    assert min(times) == 100
    still = np.random.default_rng(0).integers(0, 255, (16, 160, 160, 3)).astype(np.uint8)
    assert len(film(list(still), 10.0)) * 3 / 4 <= FILM_BYTES, "noise, too"
