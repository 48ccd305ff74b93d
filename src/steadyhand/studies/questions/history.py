"""Does it help to see the past? Observations stacked, on tasks whose present says all and on one
whose present does not; and what a policy loses that leans on a past which is not as recorded."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from steadyhand.evaluation.metrics import Interval
from steadyhand.reports.series import Series, series
from steadyhand.reports.study import Figure
from steadyhand.studies.asked import Asked
from steadyhand.studies.cell import Cell
from steadyhand.studies.question import Findings, figure, words
from steadyhand.studies.results import Ranking, Result, is_share, main_score, ranked
from steadyhand.tasks.own import short_name

OBS_STEPS = (1, 2, 4, 8)
HIDDEN = "fork:commit=0.7,cue=start"
"""The way to go is shown in the first moments alone: what is seen later does not say it."""
SHOWN = "fork:commit=0.7,cue=always"
EXECUTE = 4
"""Rows at most: a policy that looks seldom needs to remember little."""
NOISE = 0.5
"""Of the past, in standard deviations of each feature, where it is perturbed."""


@dataclass(frozen=True)
class History:
    """Compares how many observations a policy sees."""

    title: str = "Does it help to see the past?"
    timed: bool = False
    harder: str = f"--task {HIDDEN}"

    def asked(self, asked: Asked) -> Asked:
        return asked

    def cells(self, asked: Asked) -> list[Cell]:
        cells: list[Cell] = []
        for task in asked.tasks(HIDDEN, SHOWN):
            base = asked.config(task)
            for noise in (0.0, NOISE):
                for steps in OBS_STEPS:
                    if steps == 1 and noise:
                        continue  # which sees no past
                    past = base.chunking.past_rows and steps - 1
                    ahead = base.chunking.horizon - base.chunking.past_rows
                    chunking = replace(
                        base.chunking, obs_steps=steps, past_rows=past, horizon=ahead + past
                    )
                    cells.append(
                        Cell(
                            factors={
                                "task": short_name(task),
                                "obs_steps": steps,
                                "past": "perturbed" if noise else "as it was",
                            },
                            config=replace(base, chunking=chunking),
                            trial=asked.trial(
                                task,
                                perturb_history=noise,
                                execute=min(EXECUTE, base.chunking.execute),
                            ),
                        )
                    )
        return cells

    def findings(self, asked: Asked, results: Sequence[Result]) -> Findings:
        score, said, figures, more = (
            main_score(results, asked.score),
            list[str](),
            dict[str, Figure](),
            {},
        )
        tasks = list(dict.fromkeys(str(result.cell.factors["task"]) for result in results))
        for task in tasks:
            rows = [result for result in results if result.cell.factors["task"] == task]
            clean = [row for row in rows if row.cell.factors["past"] == "as it was"]
            ranking = ranked(clean, score)
            said.append(_answer(task, clean, ranking) + _danger(clean, rows, score))
            name = f"history-{len(figures) + 1}"
            figures[name] = _figure(task, rows, score)
            more[task] = {"best": dict(clean[ranking.best].cell.factors)}
        return Findings(
            answer=" ".join(said),
            figures=figures,
            more={"tasks": more},
            compared=(
                "All rows of a task were tried from the same initial states, so they are compared "
                "pair by pair; a difference is claimed only where it holds with all pairs whose "
                "past is as it was counted together (Holm's correction). Whether a perturbed past "
                "costs the policy that sees most is one more comparison a task."
            ),
            reading=(
                f"Perturbed: noise of {NOISE:g} standard deviations on everything that was seen "
                "before now, not on what is seen now. A policy that copies what was done before, "
                "instead of looking, loses most by it. It was trained on a past as it was."
            ),
            shown=[0, len(results) // len(tasks) - 1],
        )


def _answer(task: str, clean: Sequence[Result], ranking: Ranking) -> str:
    best, score, name = clean[ranking.best], ranking.score, words(ranking.score)
    seen, alone = best.cell.factors["obs_steps"], figure(ranking.scores[0], score)
    told = [row for row in range(len(clean)) if ranking.told(row)]
    if 0 in told:
        return (
            f"On {task} it helps: {name} {figure(ranking.scores[ranking.best], score)} with {seen} "
            f"observations, {alone} with the present alone"
        )
    if told and ranking.best == 0:
        last = told[-1]
        return (
            f"On {task} it harms: {name} {alone} with the present alone, "
            f"{figure(ranking.scores[last], score)} with {clean[last].cell.factors['obs_steps']} "
            "observations"
        )
    most = clean[-1].cell.factors["obs_steps"]
    return (
        f"On {task} no difference can be told: {name} {alone} with the present alone, "
        f"{figure(ranking.scores[-1], score)} with {most} observations"
    )


def _danger(clean: Sequence[Result], rows: Sequence[Result], score: str) -> str:
    """What the policy that sees most loses where its past is perturbed, if that can be told."""
    perturbed = [row for row in rows if row.cell.factors["past"] == "perturbed"]
    if perturbed:
        both = ranked([clean[-1], perturbed[-1]], score)
        if both.told(1):
            steps = clean[-1].cell.factors["obs_steps"]
            return f"; with all of {steps} but the last perturbed {figure(both.scores[1], score)}."
    return "."


def _figure(task: str, rows: Sequence[Result], score: str) -> Figure:
    def line(past: str, look: int) -> Series:
        mine = [row for row in rows if row.cell.factors["past"] == past]
        values: list[Interval] = [row.score(score) for row in mine]
        return Series(
            name=f"past {past}",
            x=[row.cell.factors["obs_steps"] for row in mine],
            y=values,
            look=look,
        )

    return Figure(
        picture=series(
            [line("as it was", 0), line("perturbed", 1)],
            f"{task}: {words(score)} against observations",
            x_label="observations that are seen",
            y_label=words(score),
            x_log=True,
            y_range=(0, 1) if is_share(score) else None,
        ),
        caption=f"{task}: {words(score)} by how many observations the policy sees.",
    )
