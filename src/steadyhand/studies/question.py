"""What a question is to the frame: the rows it takes, and what it finds in what came of them."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from steadyhand.evaluation.metrics import Interval
from steadyhand.reports.page import percent
from steadyhand.reports.study import Figure
from steadyhand.studies.asked import Asked
from steadyhand.studies.cell import Cell
from steadyhand.studies.results import Ranking, Result, is_share

HARD = "fork:gap=0.1,commit=0.7,shift=0.15"
"""A fork with room to differ: narrow, with a late turn, and an obstacle that moves."""
NBSP = "\N{NO-BREAK SPACE}"
NONE = "\N{EN DASH}"
"""Where there is no figure."""

COMPARED = (
    "All rows were tried from the same initial states, so rows are compared pair by pair; a "
    "difference is claimed only where it holds with all pairs of the table counted together "
    "(Holm's correction)."
)


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What a study found."""

    answer: str
    """One or two sentences, with their uncertainty."""
    figures: Mapping[str, Figure]
    """By the name of their files."""
    notes: Sequence[str] = ()
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    """Of the table, beside factors and scores: a text a row."""
    figures_of_rows: Sequence[Mapping[str, Any]] = ()
    """What `--json` adds to each row."""
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What `--json` adds to the whole."""
    compared: str = COMPARED
    """Which rows are compared, and how."""
    reading: str = ""
    """How to read what is this question's own."""
    shown: Sequence[int] = ()
    """Rows of which episodes are shown."""


class Question(Protocol):
    """One file of `questions/`."""

    @property
    def title(self) -> str:
        """The question itself."""
        ...

    @property
    def timed(self) -> bool:
        """Whether a chunk of each row is timed."""
        ...

    @property
    def harder(self) -> str:
        """What to ask where everything succeeds, or nothing: flags to type."""
        ...

    def asked(self, asked: Asked) -> Asked:
        """With what is left to the question filled in."""
        ...

    def cells(self, asked: Asked) -> list[Cell]:
        """The rows it takes. Raises `ConfigurationError` for what cannot be trained or tried."""
        ...

    def findings(self, asked: Asked, results: Sequence[Result]) -> Findings:
        """What is found in what came of them, in the order of `cells`."""
        ...


def words(name: str) -> str:
    """A score or factor as it is read: max coverage."""
    return name.replace("_", " ")


def figure(found: Interval | None, name: str) -> str:
    """A score and its interval as text: 97 % [91, 99], or 0.412 [0.35, 0.47]."""
    if found is None or math.isnan(found.mean):
        return NONE
    if is_share(name):
        return percent(found)
    return f"{found.mean:.3g} {found.bounds('.3g')}"


def amount(value: float, name: str) -> str:
    """A difference between scores, as text: 4 points, of a share in percent; else a number."""
    return f"{100 * value:.0f}{NBSP}points" if is_share(name) else f"{value:.3g}"


def seam(found: Interval) -> str:
    """How far the command jumps where one chunk ends, as text: ×1.4 [1.2, 1.6]."""
    if math.isnan(found.mean):
        return NONE
    return f"×{found.mean:.2g} {found.bounds('.2g')}"


@dataclass(frozen=True)
class Cheapest:
    """The cheapest row that is as good as the best, as far as that can be told."""

    row: int
    """It cannot be told from the best."""
    sure: int
    """With 95 % confidence it is at most `LOSS` behind the best."""
    least: bool = False
    """Whether nothing costs less than `row`."""


MANY = 8
"""Rows from here on have so many pairs that only a large difference holds with all of them."""
LOSS = 0.1
"""Of a share, or of the best score: what a cheaper row may lose and still be called enough."""


def cheapest(ranking: Ranking, cost: Sequence[float]) -> Cheapest:
    """Of rows that cost so much, each; of several that cost the same, the one that scores most."""

    def least(rows: Sequence[int]) -> int:
        return min(rows, key=lambda row: (cost[row], -ranking.scores[row].mean))

    every = range(len(ranking.scores))
    scale = 1.0 if is_share(ranking.score) else abs(ranking.scores[ranking.best].mean)
    able = [row for row in every if not ranking.told(row)]
    sure = [row for row in every if ranking.may_lose(row) <= LOSS * scale]
    row = least(able)
    return Cheapest(row, least(sure or [ranking.best]), cost[row] <= min(cost))


def enough(ranking: Ranking, found: Cheapest, label: Callable[[int], str], what: str) -> str:
    """Which row is enough, in words: `label` names a row, as "5 steps of ddim".

    What cannot be told from the best is no more than that where few episodes tell little.
    """

    def said(row: int) -> str:
        return f"{what} {figure(ranking.scores[row], ranking.score)}"

    best, row, sure = ranking.best, found.row, found.sure
    confident = f"with 95{NBSP}% confidence"
    if row == sure == best:
        found_less = "Nothing costs less." if found.least else "Whatever costs less is worse."
        return f"It takes {label(best)}: {said(best)}. {found_less}"
    lost = amount(max(ranking.may_lose(row), 0.0), ranking.score)
    if row == sure:
        return (
            f"It takes {label(row)}: {said(row)}. The highest is that of {label(best)}, "
            f"{figure(ranking.scores[best], ranking.score)}, {confident} at most {lost} more."
        )
    bound = amount(LOSS, ranking.score) if is_share(ranking.score) else "a tenth"
    first = f"It takes {label(sure)}: {said(sure)}, {confident} at most {bound} below the best."
    if row == best:  # which can be told from what is sure
        also = figure(ranking.scores[best], ranking.score)
        return f"{first} That is {label(best)}, with {also}: by a little, it is better."
    among = "among so many rows" if len(ranking.scores) > MANY else "on these episodes"
    if sure == best:
        first = f"Nothing cheaper is surely within {bound} of {label(best)}, with {said(best)}."
    return (
        f"{first} {label(row).capitalize()}, with {figure(ranking.scores[row], ranking.score)}, "
        f"cannot be told from the best {among}, but may lose {lost}."
    )


def spread(asked: Asked) -> str:
    """What the intervals hold, in words."""
    if asked.seeds == 1:
        return "one training of each"
    return f"{asked.seeds} trainings, both they and the episodes are in the intervals"
