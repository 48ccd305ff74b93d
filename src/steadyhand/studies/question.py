"""What a question is to the frame: the rows it takes, and what it finds in what came of them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from steadyhand.evaluation.metrics import Interval
from steadyhand.reports.page import percent
from steadyhand.reports.study import Figure
from steadyhand.studies.asked import Asked
from steadyhand.studies.cell import Cell
from steadyhand.studies.results import Ranking, Result, is_share

NBSP = "\N{NO-BREAK SPACE}"


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
        return "–"
    if is_share(name):
        return percent(found)
    return f"{found.mean:.3g} {found.bounds('.3g')}"


def amount(value: float, name: str) -> str:
    """A difference between scores, as text: 4 points, of a share in percent; else a number."""
    return f"{100 * value:.0f}{NBSP}points" if is_share(name) else f"{value:.3g}"


def seam(found: Interval) -> str:
    """How far the command jumps where one chunk ends, as text: ×1.4 [1.2, 1.6]."""
    if math.isnan(found.mean):
        return "–"
    return f"×{found.mean:.2g} {found.bounds('.2g')}"


def behind_best(ranking: Ranking, row: int, label: str) -> str:
    """How far a row may be behind the best, in words."""
    found = ranking.behind[row]
    if found is None:
        return "it has the highest score of all."
    if not found.low == found.low:
        return f"the highest score is that of {label}."
    most = amount(max(found.high, 0.0), ranking.score)
    return (
        f"the highest score is that of {label}, {figure(ranking.scores[ranking.best], ranking.score)},"
        f" with 95{NBSP}% confidence at most {most} more."
    )


def spread(asked: Asked) -> str:
    """What the intervals hold, in words."""
    if asked.seeds == 1:
        return "one training: what another would do is not in the intervals"
    return f"{asked.seeds} trainings, both they and the episodes are in the intervals"
