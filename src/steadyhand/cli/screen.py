"""Progress bars and tables: what a person sees, on standard error, plain in a pipe."""

import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import islice
from typing import TYPE_CHECKING, Any

import rich.progress
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TaskProgressColumn,
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

if TYPE_CHECKING:
    from steadyhand.studies.folder import Progress
    from steadyhand.studies.runs import Watch

WORDS = ("description", "fields[doing]")
"""What stands before the bar of a run, and after it."""
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
    bar = rich.progress.Progress(
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
def watching(title: str, left: "Mapping[str, Progress]") -> "Iterator[Watch]":
    """Many runs at once, `left` at first: gives what `do_runs` is to tell of them.

    On a terminal a bar for all, with the time left, and one for each that is worked at; elsewhere
    as much in a line, every few seconds.
    """
    screen, runs = console(), _Runs(left)
    if not screen.is_terminal:
        told = time.monotonic()

        def say(now: "Mapping[str, Progress]") -> None:
            nonlocal told
            check()
            runs.see(now)
            if time.monotonic() - told >= EVERY_SECONDS or not now:
                told = time.monotonic()
                going = (f"{_named(name)} {run.doing}" for name, run in runs.going.items())
                show(screen, "; ".join([f"{title}: {runs.share:.0%}, {runs.summary}", *going]))

        yield say
        return
    words, doing = (TextColumn(f"{{task.{name}}}", markup=False) for name in WORDS)
    with rich.progress.Progress(
        words, BarColumn(), TaskProgressColumn(), doing, console=screen
    ) as bars:
        whole, of = bars.add_task(in_a_line(title), total=1.0, doing=""), dict[str, TaskID]()

        def draw(now: "Mapping[str, Progress]") -> None:
            check()
            runs.see(now)
            bars.update(whole, completed=runs.share, doing=runs.summary)
            shown = dict(islice(runs.going.items(), max(1, screen.height - 3)))
            for name in of.keys() - shown:
                bars.remove_task(of.pop(name))
            for name, run in shown.items():
                if name not in of:
                    of[name] = bars.add_task(in_a_line(f"  {_named(name)}"), total=1.0, doing="")
                bars.update(of[name], completed=run.share, doing=in_a_line(run.doing))

        yield draw


class _Runs:
    """How far many runs are together, and how long the rest takes at the speed so far."""

    def __init__(self, left: "Mapping[str, Progress]") -> None:
        self._count, self._now = len(left), left
        self._begun, self._share = time.monotonic(), self.share

    def see(self, now: "Mapping[str, Progress]") -> None:
        self._now = now

    @property
    def share(self) -> float:
        return 1 - sum(1 - run.share for run in self._now.values()) / max(1, self._count)

    @property
    def going(self) -> "dict[str, Progress]":
        return {name: run for name, run in self._now.items() if run.doing}

    @property
    def summary(self) -> str:
        """How many runs are done, and the time left once something was done."""
        said, done = f"{self._count - len(self._now)} of {self._count} runs", self.share
        if not self._share < done < 1:
            return said
        seconds = (time.monotonic() - self._begun) * (1 - done) / (done - self._share)
        return f"{said}, {duration(seconds)} left"


def _named(folder: str) -> str:
    """The name of a run, without its hash."""
    return folder.rpartition("-")[0] or folder


def duration(seconds: float) -> str:
    """As people say it: 45 s, 12 min, 2 h 5 min.

    >>> duration(7500)
    '2 h 5 min'
    """
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


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


LONGEST = 13
"""Letters of what stands first in a row that are kept in a line, as the names of controllers."""


def table(
    title: str,
    header: Iterable[str],
    rows: Iterable[Iterable[str]],
    *,
    plain: bool = False,
    longest: int = LONGEST,
) -> Table:
    """Rows under a title; what is too long goes on in the next line, and nothing is cut. A `plain`
    one has no lines between columns, for many of them. What stands first in a row is kept in a line
    up to so many letters as `longest` says."""
    rows = [tuple(row) for row in rows]
    columns = [Column(word, overflow="fold") for word in header]
    columns[0].no_wrap = max((len(row[0]) for row in rows), default=0) <= longest
    style: Any = {"box": SIMPLE_HEAD, "padding": (0, 1, 0, 0), "pad_edge": False} if plain else {}
    made = Table(*columns, title=title, title_justify="left", **style)
    for row in rows:
        made.add_row(*row)
    return made


def scores_table(
    title: str,
    rows: dict[str, dict[str, Interval]],
    beside: dict[str, Sequence[str]] | None = None,
    *,
    of: str = "run",
) -> Table:
    """Rows of scores with their intervals, legible in 80 columns.

    `beside` are further columns of several rows, by what stands above them; `of` says what a row
    is of.
    """
    [scores, *others] = rows.values()
    words = {name: name.replace("_", " ") for name in scores}
    if others:
        more = zip(*(beside or {}).values(), strict=True) if beside else ((),) * len(rows)
        lines = (
            (run, *(str(found[name]) for name in words), *further)
            for (run, found), further in zip(rows.items(), more, strict=True)
        )
        return table(title, (of, *words.values(), *(beside or {})), lines)
    shown = ((s.mean, s.bounds(".3f", "{} … {}")) for s in scores.values())
    lines = ((w, f"{mean:.3f}", b) for w, (mean, b) in zip(words.values(), shown, strict=True))
    return table(title, ("score", "mean", "95 % interval"), lines)


def rate_of(episodes: Episodes) -> str:
    """The rate of demonstrations, and whether they say it themselves."""
    said = f"{episodes.rate_hz:g} Hz"
    return (
        f"{said} (assumed, since none is said; convert --recorded-rate says it)"
        if episodes.rate_assumed
        else said
    )


def show(screen: Console, *lines: Any) -> None:
    """Print each line; a table is a line too. Text is not cut, so that commands can be copied."""
    for line in lines:
        screen.print(line, soft_wrap=isinstance(line, str))
