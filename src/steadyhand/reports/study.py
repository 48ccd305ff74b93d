"""The report of a study: what was asked, the answer and how sure it is, and how to make it again.

One page that needs nothing but itself, and the same as Markdown with its pictures beside it.
"""

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from steadyhand.errors import ConfigurationError
from steadyhand.reports.page import page, picture_style
from steadyhand.reports.strip import Strip

PICTURE = re.compile(r'<svg .*?</svg>|<img [^>]*src="data:image/(\w+);base64,([^"]*)"[^>]*>', re.S)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A picture and what is to be seen in it."""

    picture: Markup
    """One SVG or <img> of a data URI, or several (`panels` places them)."""
    caption: str
    wide: bool = False
    """Takes the whole width."""


@dataclass(frozen=True, kw_only=True)
class StudyReport:
    """All that is told of a study, as text and pictures."""

    title: str
    """The question."""
    subject: str
    """What was tried: the task, the method, how many seeds and episodes."""
    answer: str
    """One or two sentences with their uncertainty."""
    notes: Sequence[str]
    """What the claim rests on, and where it ends."""
    figures: Sequence[Figure]
    """The first is the one that shows the answer."""
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    reading: str
    """How the table is to be read; paragraphs are parted by an empty line."""
    strips: Sequence[Strip]
    """Typical and failed episodes."""
    made: Mapping[str, str]
    """How to make it again: "command", and what else there is to say by name."""


def panels(pictures: Sequence[tuple[str, Markup]]) -> Markup:
    """(words, picture): beside each other as one, the words below each."""
    shown = (
        Markup('<figure class="panel">{}<figcaption>{}</figcaption></figure>').format(one, words)
        for words, one in pictures
    )
    return Markup('<div class="panels">{}</div>').format(Markup("").join(shown))


def study_page(report: StudyReport) -> str:
    """The whole page."""
    made = dict(report.made)
    return page(
        "study",
        **{name: getattr(report, name) for name in ("title", "subject", "answer", "notes")},
        **{name: getattr(report, name) for name in ("header", "rows", "strips")},
        first=report.figures[:1],
        figures=report.figures[1:],
        reading=report.reading.split("\n\n"),
        command=made.pop("command", ""),
        made=list(made.items()),
    )


def study_pictures(report: StudyReport, stem: str) -> dict[str, bytes]:
    """Every picture as a file, in the order in which `study_markdown` takes their names."""
    return {f"{stem}-{number}.{kind}": held for number, (kind, held) in enumerate(_held(report), 1)}


def study_markdown(report: StudyReport, picture_names: Sequence[str]) -> str:
    """The page as Markdown; the names are those of `study_pictures`.

    Raises `ConfigurationError` where they are not as many.
    """
    count = sum(1 for _ in _held(report))
    if count != len(picture_names):
        raise ConfigurationError(
            f"This report has {count} pictures and {len(picture_names)} names were given; "
            "`study_pictures` says which there are."
        )
    names = iter(picture_names)

    def shown(caption: str, pictures: int) -> str:
        images = "\n".join(f"![{_plain(caption)}]({next(names)})" for _ in range(pictures))
        return f"{images}\n\n{_plain(caption)}"

    figures = [shown(f.caption, len(_split(f.picture))) for f in report.figures]
    made = dict(report.made)
    command = made.pop("command", "")
    blocks = [
        f"# {_plain(report.title)}",
        _plain(report.subject),
        f"**{_plain(report.answer)}**",
        *figures[:1],
        *(["\n".join(f"- {_plain(note)}" for note in report.notes)] if report.notes else []),
        *figures[1:],
        *(["## All rows", markdown_table(report.header, report.rows)] if report.rows else []),
        *(["## Episodes"] if report.strips else []),
        *(shown(strip.caption, 1) for strip in report.strips),
        *(["## How to read this"] if report.reading else []),
        *(_plain(part) for part in report.reading.split("\n\n") if part),
        "## Make it again",
        *([_fenced(command)] if command else []),
        *([markdown_table(("", ""), list(made.items()))] if made else []),
    ]
    return "\n\n".join(blocks) + "\n"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, its cells as plain text."""
    lines = [header, ["---"] * len(header), *rows]
    cells = [[_plain(cell) if line is not lines[1] else cell for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _held(report: StudyReport) -> Iterator[tuple[str, bytes]]:
    """(what kind of file, what is in it) of every picture."""
    for figure in report.figures:
        yield from _split(figure.picture)
    for strip in report.strips:
        yield "jpg", base64.b64decode(strip.jpeg)


def _split(pictures: Markup) -> list[tuple[str, bytes]]:
    """The pictures in what a page shows, each on its own."""
    found = []
    for one in PICTURE.finditer(pictures):
        if one[1]:
            found.append((one[1].replace("jpeg", "jpg"), base64.b64decode(one[2])))
        else:
            start = one[0].index(">") + 1
            style = f"<style>{picture_style()}</style>"
            svg = one[0] if "<style>" in one[0] else one[0][:start] + style + one[0][start:]
            found.append(("svg", svg.encode()))
    return found


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    line = " ".join(text.split())
    line = re.sub(r"[\\`*<>|~$]|\](?=[\[(:])|(?<!\w)_|_(?!\w)", r"\\\g<0>", line)
    line = re.sub(r"&(?=#?\w+;)", "&amp;", line)
    return re.sub(r"^([#+-]|\d+[.)])(?=\s)", r"\\\1", line)


def _fenced(command: str) -> str:
    """A command as a block, within a fence longer than any in it."""
    longest = max(map(len, re.findall("`+", command)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{command}\n{fence}"
