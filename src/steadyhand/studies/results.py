"""What came of the rows of a study: figures with intervals over seeds and episodes, and every pair
of rows compared on the same initial states."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.evaluation.bootstrap import bootstrap
from steadyhand.evaluation.compare import differences_over_seeds
from steadyhand.evaluation.metrics import Difference, Interval, over_seeds
from steadyhand.studies.cell import Cell
from steadyhand.studies.folder import RunFolder
from steadyhand.studies.runs import Outcome
from steadyhand.tasks.task import SHARES

Numbers = NDArray[np.float64]
SATURATED = 0.95
"""Where every row scores more, or less than what this leaves of 1, a task tells nothing apart."""
TOLD = 0.05
"""Differences with a smaller p are told from none."""


@dataclass(frozen=True)
class Result:
    """A row, and what came of it."""

    cell: Cell
    outcomes: Sequence[Outcome]
    """One a seed."""
    chunk_ms: float | None = None
    """One chunk alone on one thread, where it was timed: the median."""

    @property
    def task(self) -> str:
        """Where it was tried."""
        return self.cell.task

    @property
    def records(self) -> list[Any]:
        """What was kept of its trial, one a seed."""
        return [one.trials[self.cell.trial.key] for one in self.outcomes]

    @property
    def score_names(self) -> list[str]:
        return list(self.records[0]["scores"])

    def scores(self, name: str) -> Numbers:
        """(seeds, initial states); of several plays of one, their mean."""
        return self._of_states(np.array([record["scores"][name] for record in self.records]))

    def plays(self, name: str) -> Numbers:
        """(seeds, initial states, plays of each)."""
        scores = np.array([record["scores"][name] for record in self.records])
        return scores.reshape(len(scores), -1, self.cell.trial.repeats)

    def motion(self, name: str) -> Numbers:
        """(seeds, initial states); nan where an episode has none."""
        found = np.array([record["motion"][name] for record in self.records], dtype=np.float64)
        return self._of_states(found)

    def _of_states(self, values: Numbers) -> Numbers:
        plays = values.reshape(len(values), -1, self.cell.trial.repeats)
        known = np.isfinite(plays)
        total, count = np.where(known, plays, 0.0).sum(-1), known.sum(-1)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    def score(self, name: str) -> Interval:
        """Over seeds and initial states."""
        return over_seeds(self.scores(name), share=self._share(name))

    def _share(self, name: str) -> bool | None:
        """A score that is nowhere 0 or 1 is measured, also where it is all alike."""
        return is_share(name) or (None if np.isin(self.scores(name), (0, 1)).any() else False)

    def among(self, name: str, chosen: NDArray[np.bool_]) -> Interval | None:
        """The score among some of the initial states; None where there are none."""
        if not chosen.any():
            return None
        return over_seeds(self.scores(name)[:, chosen], share=self._share(name))

    @cached_property
    def seam(self) -> Interval:
        """How far the command moves where one chunk ends, over what it moves inside chunks."""
        return bootstrap(
            _ratio, [self.motion("boundary_jump"), self.motion("inner_step")], ends=(0.0, math.inf)
        )

    def motion_interval(self, name: str) -> Interval:
        """Over seeds and initial states, of those that have one."""
        values = self.motion(name)
        known = np.isfinite(values).all(0)
        if not known.any():
            return Interval(math.nan, math.nan, math.nan, 0)
        return over_seeds(values[:, known], share=False)

    def mean_motion(self, name: str) -> float:
        values = self.motion(name)
        return float(np.nanmean(values)) if np.isfinite(values).any() else math.nan

    @property
    def calls_per_second(self) -> float:
        """Of the network, at the task's rate."""
        return self.mean_motion("requests_per_second") * self.calls

    @property
    def calls(self) -> int:
        """Of the network, a chunk."""
        sampler = self.cell.trial.sampler or self.cell.config.policy.sampler
        return sampler.settled(self.cell.config.policy.process).steps or 1

    def drawn(self, seed: int = 0) -> NDArray[Any] | None:
        """Chunks drawn with the policy of one seed, (moments, samples, rows, action_size)."""
        return RunFolder(self.outcomes[seed].folder).read_array(self.cell.trial.drawn)


def _ratio(arrays: Sequence[Numbers]) -> float:
    jump, inner = (float(np.nanmean(a)) if np.isfinite(a).any() else math.nan for a in arrays)
    return jump / inner if inner > 0 else math.nan


def is_share(name: str) -> bool:
    """Whether a score is one in 0…1 by what it is called."""
    return name in SHARES or name == "success"


def main_score(results: Sequence[Result], named: str | None = None) -> str:
    """What rows are judged by: what is named, else the field's score, else success."""
    names = results[0].score_names
    usual = (name for name in (named, "max_coverage", "success") if name in names)
    return next(usual, None) or names[0]


@dataclass(frozen=True)
class Ranking:
    """Rows by one score. Every pair is compared, and each p raised for all of them (Holm), so
    that whichever pair is looked at, a difference is claimed by chance in at most 5 % of studies.
    """

    score: str
    scores: tuple[Interval, ...]
    behind: tuple[Difference | None, ...]
    """The best row less each; None of the best itself."""
    best: int

    def told(self, row: int) -> bool:
        """Whether that row can be told from the best."""
        found = self.behind[row]
        return found is not None and found.adjusted_p < TOLD

    def may_lose(self, row: int) -> float:
        """How much less than the best a row scores at most, with 95 % confidence: the upper end of
        the interval of this pair alone."""
        found = self.behind[row]
        if found is None:
            return 0.0
        return found.high if math.isfinite(found.high) else math.inf


def ranked(results: Sequence[Result], score: str, prefer: Sequence[float] | None = None) -> Ranking:
    """All rows, which were tried on the same initial states, compared with one another.

    Of several that score most, the first is called the best, or the one most to `prefer`.
    """
    scores, ties = [result.score(score) for result in results], prefer or [0.0] * len(results)
    best = max(range(len(results)), key=lambda row: (scores[row].mean, ties[row]))
    values, share = [result.scores(score) for result in results], is_share(score) or None
    pairs = {}
    if len(results) > 1:
        pairs = differences_over_seeds(values, share=share, apart=_apart(results))
    behind = [
        None if row == best else pairs[best, row] if best < row else _turned(pairs[row, best])
        for row in range(len(results))
    ]
    return Ranking(score, tuple(scores), tuple(behind), best)


def _apart(results: Sequence[Result]) -> bool:
    """Whether each row has policies of its own, and none are those of another in another use."""
    folders = [one.folder for result in results for one in result.outcomes]
    return len(set(folders)) == len(folders)


def _turned(found: Difference) -> Difference:
    return replace(found, mean=-found.mean, low=-found.high, high=-found.low)
