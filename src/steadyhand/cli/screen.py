"""Progress bars and tables: what a person sees, on standard error, plain in a pipe."""

import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table
from rich.text import Text

from steadyhand.cli.interrupts import check
from steadyhand.data import Episodes
from steadyhand.data.stages import Advance
from steadyhand.errors import plain
from steadyhand.evaluation.metrics import Interval

EVERY_SECONDS = 15.0
"""Between lines of progress where the output is no terminal."""


class Screen(Console):
    """Where text is only text: what a name holds neither steers, nor colours, nor breaks a line."""

    def __init__(self, *, stderr: bool) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(in_a_line(text), **options)


def in_a_line(text: str) -> str:
    """A text as it is shown: control and format characters, line ends among them, written out."""
    return plain(text).replace("\n", "\\n")


def console() -> Screen:
    """Standard error: what happens on the way."""
    return Screen(stderr=True)


def results(*, as_json: bool) -> Screen:
    """Where what was asked for is printed: standard output, unless --json has it to itself."""
    return Screen(stderr=as_json)


@contextmanager
def progress(title: str, total: int, *, start: int = 0) -> Iterator[Advance]:
    """A bar with the time left on a terminal, a line every few seconds elsewhere."""
    screen = console()
    if not screen.is_terminal:
        yield _lines(screen, title, total, start)
        return
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=screen,
    )
    with bar:
        task = bar.add_task(in_a_line(title), total=total, completed=start, note="")

        def advance(done: int, note: str = "") -> None:
            check()
            bar.advance(task, done)
            if note:
                bar.update(task, note=in_a_line(note))

        yield advance


def waiting(what: str) -> AbstractContextManager[Any]:
    """Say what is waited for, on a terminal, where it takes a moment and cannot be counted."""
    screen = console()
    return screen.status(Text(in_a_line(f"{what} …"))) if screen.is_terminal else nullcontext()


def stage(title: str, total: int) -> AbstractContextManager[Any]:
    """A piece of work: a bar where it can be counted (`total` above 0), else a word."""
    return progress(title, total) if total else waiting(title)


@contextmanager
def notes() -> Iterator[None]:
    """Show the warnings of what is done inside as lines among the others."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_, **__: show(console(), f"Note: {message}")
        yield


def _lines(screen: Console, title: str, total: int, start: int) -> Advance:
    finished, said = start, ""
    begun = told = time.monotonic()

    def advance(done: int, note: str = "") -> None:
        nonlocal finished, said, told
        check()
        finished, said, now = finished + done, note or said, time.monotonic()
        if now - told < EVERY_SECONDS and finished < total:
            return
        told = now
        left = (now - begun) / max(finished - start, 1) * (total - finished)
        line = f"{title}: {finished}/{total}, {left:.0f} s left, {said}"
        show(screen, line.rstrip(", "))

    return advance


def table(title: str, header: Iterable[str], rows: Iterable[Iterable[str]]) -> Table:
    """Rows under a title; what is too long goes on in the next line, and nothing is cut."""
    columns = [Column(word, overflow="fold") for word in header]
    made = Table(*columns, title=title, title_justify="left")
    for row in rows:
        made.add_row(*row)
    return made


def scores_table(title: str, rows: dict[str, dict[str, Interval]]) -> Table:
    """Rows of scores with their intervals, legible in 80 columns."""
    [scores, *others] = rows.values()
    words = {name: name.replace("_", " ") for name in scores}
    if others:
        lines = ((run, *(str(found[name]) for name in words)) for run, found in rows.items())
        return table(title, ("run", *words.values()), lines)
    shown = ((s.mean, s.bounds(".3f", "{} … {}")) for s in scores.values())
    lines = ((w, f"{mean:.3f}", b) for w, (mean, b) in zip(words.values(), shown, strict=True))
    return table(title, ("score", "mean", "95 % interval"), lines)


def rate_of(episodes: Episodes) -> str:
    """The rate of demonstrations, and whether they say it themselves."""
    said = f"{episodes.rate_hz:g} Hz"
    return f"{said} (assumed: the data says no rate_hz)" if episodes.rate_assumed else said


def show(screen: Console, *lines: Any) -> None:
    """Print each line; a table is a line too. Text is not cut, so that commands can be copied."""
    for line in lines:
        screen.print(line, soft_wrap=isinstance(line, str))
