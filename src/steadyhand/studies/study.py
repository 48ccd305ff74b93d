"""A study from its question to its report: rows, runs, what is found in them, pages and files.

Its folder holds `data` and `runs`, which it shares with other studies there, and a folder of its
own with the report.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from steadyhand.data.stages import Stage, Tell, unseen, untold
from steadyhand.disk import write_json, write_text, written_whole
from steadyhand.errors import UsageError
from steadyhand.evaluation.evaluate import chunk_times
from steadyhand.evaluation.smoothness import SEAMS
from steadyhand.policy.device import choose_device, on_threads
from steadyhand.policy.predictor import TorchPredictor
from steadyhand.policy.storage import load_policy
from steadyhand.reports.study import StudyReport, study_markdown, study_page, study_pictures
from steadyhand.runtime.own_file import own_name
from steadyhand.studies.asked import USUAL, Asked, method_name, network_name
from steadyhand.studies.cell import Cell, runs_of
from steadyhand.studies.filmed import strips
from steadyhand.studies.plan import PlannedRun
from steadyhand.studies.question import Findings, Question, figure, seam, spread, words
from steadyhand.studies.questions import question
from steadyhand.studies.results import SATURATED, Result, is_share, main_score
from steadyhand.studies.runs import Outcome
from steadyhand.studies.sound import known, require_numbers, require_scores, require_trials
from steadyhand.tasks import make_task
from steadyhand.tasks.own import file_word, short_name

TIMED_CHUNKS = 20
NO_INSIDE = "Where every chunk is one action, there is nothing inside to compare with."
INTERVALS = "Brackets are 95 % intervals."


@dataclass(frozen=True)
class Study:
    """A question that was asked, and the rows it takes."""

    name: str
    question: Question
    asked: Asked
    cells: Sequence[Cell]
    out: Path

    @classmethod
    def of(cls, name: str, asked: Asked, out: Path) -> "Study":
        """Raises `UsageError` for another question, `ConfigurationError` for what cannot be."""
        about = question(name)
        if asked.vary and name != "sweep":
            raise UsageError(
                f"--vary is for a sweep: steadyhand study sweep --vary {asked.vary[0]}"
            )
        asked = about.asked(asked.with_task_of_recipe())
        cells = about.cells(asked)
        require_trials(cells)
        require_scores(filter(None, [asked.score]), {cell.task for cell in cells})
        return cls(name, about, asked, cells, out)

    @property
    def folder(self) -> Path:
        """Where the report goes."""
        task = self.asked.task and file_word(make_task(self.asked.task).name)
        varied = [text.partition("=")[0].strip() for text in self.asked.vary]
        words = [self.name, *varied, task, "quick" if self.asked.quick else ""]
        return self.out / "-".join(filter(None, words))

    @property
    def runs_folder(self) -> Path:
        return self.out / "runs"

    def runs(self, stage: Stage = unseen, tell: Tell = untold) -> list[list[PlannedRun]]:
        """Those of each row, one a seed; demonstrations are recorded now where none are named.

        Raises `UsageError` where there can be no report, and all that recording does.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"{self.folder}, where the report goes, cannot be made ({error.strerror}). Move "
                "away what is there, or choose another --out."
            ) from error
        return runs_of(self.cells, self.asked.seeds, self.out / "data", stage, tell)

    def conclude(
        self,
        outcomes: Sequence[Sequence[Outcome]],
        made: Mapping[str, str],
        stage: Stage = unseen,
        tell: Tell = untold,
    ) -> tuple[dict[str, Any], StudyReport]:
        """Find the answer and write the report: (what `--json` prints, what the page shows)."""
        results = [Result(cell, done) for cell, done in zip(self.cells, outcomes, strict=True)]
        require_numbers(results, main_score(results, self.asked.score))
        if self.question.timed:
            with stage("timing chunks", 0):
                results = timed(results)
        found = self.question.findings(self.asked, results)
        found = replace(found, answer=_failing(self.asked, results) or found.answer)
        with stage("filming episodes", 0):
            shown = strips(results, found.shown, tell)
        report = _report(self, results, found, made, shown)
        answer = {
            "question": self.name,
            "task": self.asked.task or USUAL,
            "answer": found.answer,
            "notes": list(report.notes),
            "runs": len({run.folder for done in outcomes for run in done}),
            "rows": rows(results, found),
            **found.more,
            "figures": [],
            "report": str(self.folder / "report.html"),
        }
        return self._written(report, known(answer)), report

    def _written(self, report: StudyReport, answer: dict[str, Any]) -> dict[str, Any]:
        """The report's files; the answer with the names of its pictures."""
        pictures = study_pictures(report, "picture")
        answer["figures"] = [str(self.folder / name) for name in pictures]
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, content in pictures.items():
            with written_whole(self.folder / name) as partial:
                partial.write_bytes(content)
        write_json(self.folder / "report.json", {**answer, "made": report.made})
        write_text(self.folder / "report.md", study_markdown(report, list(pictures)))
        write_text(self.folder / "report.html", study_page(report))
        return answer


def timed(results: Sequence[Result]) -> list[Result]:
    """With the time of a chunk of each row, of the first seed's policy, measured in turns."""
    found = list(results)
    for name in dict.fromkeys(result.task for result in results):
        places = [place for place, result in enumerate(results) if result.task == name]
        predictors = [_predictor(results[place]) for place in places]
        task = make_task(name)
        with on_threads(1):
            times = chunk_times(predictors, task, task.first_seed, calls=TIMED_CHUNKS)
        for place, spent in zip(places, times.T, strict=True):
            found[place] = replace(results[place], chunk_ms=float(np.median(spent)))
    return found


def _predictor(result: Result) -> TorchPredictor:
    device = choose_device(result.cell.config.device)
    policy = load_policy(
        result.outcomes[0].policy, sampler=result.cell.trial.sampler, device=device
    )
    return TorchPredictor(policy)


def rows(results: Sequence[Result], found: Findings) -> list[dict[str, Any]]:
    """Each row as `--json` has it."""
    added = found.figures_of_rows or [{}] * len(results)
    listed = []
    for result, more in zip(results, added, strict=True):
        scores = {name: result.score(name).as_json() for name in result.score_names}
        motion = {name: result.mean_motion(name) for name in SMOOTHNESS}
        row = {
            **result.cell.factors,
            "smoothness": {**motion, "seam": result.seam.as_json()},
            "boundary_jump": motion["boundary_jump"],
            "step": motion["inner_step"],
            "calls": result.calls,
            "calls_per_second": result.calls_per_second,
            "chunk_ms": result.chunk_ms,
            "parameters": result.outcomes[0].parameters,
            "seeds": len(result.outcomes),
            **more,
        }
        # A score of one's own may be called as something else here is.
        named = {f"score {name}" if name in row else name: one for name, one in scores.items()}
        listed.append({**result.cell.factors, **named, **row})
    return listed


SMOOTHNESS = ("jerk", "boundary_jump", "inner_step", "arc_length")


def _report(
    study: Study,
    results: Sequence[Result],
    found: Findings,
    made: Mapping[str, str],
    shown: Sequence[Any],
) -> StudyReport:
    asked = study.asked
    main = main_score(results, asked.score)
    names = list(dict.fromkeys([main, *(n for n in ("success",) if n in results[0].score_names)]))
    several = len({result.task for result in results}) > 1
    factors = [name for name in results[0].cell.factors if several or name != "task"]
    header = [
        *(words(name) for name in factors),
        *(words(name) for name in names),
        "jump at seams",
        *found.columns,
    ]
    table = [
        [
            *(str(result.cell.factors[name]) for name in factors),
            *(figure(result.score(name), name) for name in names),
            seam(result.seam),
            *(column[place] for column in found.columns.values()),
        ]
        for place, result in enumerate(results)
    ]
    notes = [*_saturated(study, results), *found.notes]
    notes += [_small(asked)] if asked.seeds == 1 else []
    return StudyReport(
        title=study.question.title,
        subject=_subject(asked, results),
        answer=found.answer,
        notes=notes,
        figures=list(found.figures.values()),
        header=header,
        rows=table,
        reading="\n\n".join(
            filter(None, [f"{INTERVALS} {found.compared}", found.reading, f"{SEAMS} {NO_INSIDE}"])
        ),
        strips=list(shown),
        made=made,
    )


def _failing(asked: Asked, results: Sequence[Result]) -> str | None:
    """The answer where nearly nothing succeeds."""
    name = main_score(results, asked.score)
    most = max(result.score(name).mean for result in results)
    if not is_share(name) or most > 1 - SATURATED:
        return None
    return (
        f"No row reaches more than {100 * most:.0f} % in {words(name)}, so this cannot be told: "
        "train longer, or ask on an easier task."
    )


def _saturated(study: Study, results: Sequence[Result]) -> list[str]:
    """That little can be told where nearly everything succeeds, and where it could be."""
    name = main_score(results, study.asked.score)
    scores = [result.score(name).mean for result in results]
    if not is_share(name) or min(scores) < SATURATED:
        return []
    least = f"{100 * min(scores):.0f} %{' or more' if max(scores) > min(scores) else ''}"
    said = f"Every row reaches {least}, so this says little: there is no room to differ."
    if own_name(results[0].task):
        return [f"{said} Ask again on a harder task."]
    harder = study.question.harder
    asked = harder == f"--task {study.asked.task}"
    return [said if asked else f"{said} Ask again where there is: {harder}"]


def _small(asked: Asked) -> str:
    return (
        "Every row is one training, and what another training would do is not in the intervals: "
        f"{'leave --quick out, or give' if asked.quick else 'give'} --seeds 3 before you rely on "
        "a small difference."
    )


def _subject(asked: Asked, results: Sequence[Result]) -> str:
    """What was tried, in a line."""
    configs = [result.cell.config for result in results]
    tasks = list(dict.fromkeys(short_name(result.task) for result in results))
    methods = list(dict.fromkeys(method_name(config) for config in configs))
    networks = list(dict.fromkeys(network_name(config) for config in configs))
    states = results[0].cell.trial.episodes
    steps = sorted({done.steps for result in results for done in result.outcomes})
    trained = f"{steps[0]:,}" if len(steps) == 1 else f"{steps[0]:,} to {steps[-1]:,}"
    return (
        f"{', '.join(tasks[:4])}{', …' if len(tasks) > 4 else ''}; {', '.join(methods)} with "
        f"{', '.join(networks)}; {trained} optimiser steps; {spread(asked)}; {states} initial "
        "states."
    )
