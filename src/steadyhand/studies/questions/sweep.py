"""What is best? Fields of a recipe, a sampler or an evaluation, every value with every other."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from steadyhand.errors import UsageError
from steadyhand.reports.rows import Dot, dots
from steadyhand.reports.series import Series, series
from steadyhand.reports.study import Figure
from steadyhand.studies.asked import Asked
from steadyhand.studies.cell import Cell
from steadyhand.studies.question import COMPARED, HARD, Findings, cheapest, figure, seam, words
from steadyhand.studies.results import Ranking, Result, main_score, ranked
from steadyhand.studies.vary import Varied, combinations, configured
from steadyhand.tasks.own import short_name

MOST_LINES = 7
MOST_ROWS = 200
OF_A_TASK = (
    "Rows of one task were tried from the same initial states, so they are compared pair by pair; "
    "a difference is claimed only where it holds with all pairs of that task counted together "
    "(Holm's correction). Rows of different tasks are not compared."
)
FASTER = 0.9
"""Of the time of a chunk: what takes more is as fast, as far as that can be measured."""


@dataclass(frozen=True)
class Sweep:
    """Compares values of whatever is named."""

    title: str = "Which settings are best?"
    timed: bool = True
    harder: str = f"--task {HARD}"

    def asked(self, asked: Asked) -> Asked:
        if not asked.vary:
            raise UsageError(
                "A sweep needs something to vary: --vary chunking.horizon=8,16,32 "
                "--vary method=flow,ddpm"
            )
        return replace(asked, task=asked.task or HARD)

    def cells(self, asked: Asked) -> list[Cell]:
        varied = [Varied.parse(text) for text in asked.vary]
        names = [one.field for one in varied]
        if len(set(names)) < len(names):
            raise UsageError(f"--vary names a field twice: {', '.join(names)}.")
        rows = list(combinations(varied))
        if len(rows) > MOST_ROWS:
            raise UsageError(
                f"These are {len(rows)} rows, and a sweep has at most {MOST_ROWS}. Vary less."
            )
        cells: list[Cell] = []
        for factors in rows:
            config, trial = configured(asked, factors)
            cells.append(Cell(factors=factors, config=config, trial=trial))
        return cells

    def findings(self, asked: Asked, results: Sequence[Result]) -> Findings:
        score = main_score(results, asked.score)
        tasks = list(dict.fromkeys(result.task for result in results))
        groups = [[row for row in results if row.task == task] for task in tasks]
        rankings = [ranked(rows, score) for rows in groups]
        best = [rows[ranking.best] for rows, ranking in zip(groups, rankings, strict=True)]
        said = [_answer(rows, found) for rows, found in zip(groups, rankings, strict=True)]
        own = [dict(row.cell.factors) for row in best]
        several = len(tasks) > 1
        if several:
            named = zip(tasks, said, strict=True)
            said = [f"On {short_name(task)}: {one[0].lower()}{one[1:]}" for task, one in named]
        return Findings(
            answer=" ".join(said),
            figures=_figures(results, score),
            columns={"chunk": [f"{result.chunk_ms:.1f} ms" for result in results]},
            more={"tasks": dict(zip(tasks, own, strict=True))} if several else {"best": own[0]},
            shown=[results.index(row) for row in best],
            compared=OF_A_TASK if several else COMPARED,
        )


def _answer(results: Sequence[Result], ranking: Ranking) -> str:
    """Which row is best in a task."""
    best, score = results[ranking.best], ranking.score
    jump = "" if math.isnan(best.seam.mean) else f"jump at seams {seam(best.seam)}, "
    said = (
        f"Best is {best.cell.label}: {words(score)} {figure(ranking.scores[ranking.best], score)}, "
        f"{jump}{best.chunk_ms:.1f} ms a chunk."
    )
    others = [row for row in range(len(results)) if row != ranking.best]
    alike = sum(not ranking.told(row) for row in others)
    if others and alike == 0:
        said += " Every other row is worse."
    elif alike == len(others) > 0:
        said += " No other row can be told from it."
    elif alike:
        said += f" {alike} of the other {len(others)} cannot be told from it."
    found = cheapest(ranking, [result.chunk_ms or 0.0 for result in results])
    fast = results[found.sure]
    if (fast.chunk_ms or 0.0) <= FASTER * (best.chunk_ms or 0.0):
        said += (
            f" The fastest that is surely close is {fast.cell.label}: "
            f"{figure(ranking.scores[found.sure], score)} at {fast.chunk_ms:.1f} ms."
        )
    return said


def _figures(results: Sequence[Result], name: str) -> dict[str, Figure]:
    """Lines where one number is varied, with at most one more thing; else all rows in a list."""
    score, scores = words(name), [result.score(name) for result in results]
    order = sorted(range(len(results)), key=lambda row: -scores[row].mean)
    listed = Figure(
        picture=dots(
            [Dot(results[row].cell.label, scores[row]) for row in order],
            f"{score} of every row",
            x_label=score,
        ),
        caption=f"Every row by its {score}, the best first, with 95 % intervals.",
    )
    factors = [dict(result.cell.factors) for result in results]
    numbers = [n for n in factors[0] if all(_is_number(f[n]) for f in factors)]
    others = [n for n in factors[0] if n not in numbers[:1]]
    of = [tuple(str(f[n]) for n in others) for f in factors]
    groups = list(dict.fromkeys(of))
    if not numbers or len({f[numbers[0]] for f in factors}) < 3 or len(groups) > MOST_LINES:
        return {"score": listed}
    x, lines = numbers[0], []
    for look, group in enumerate(groups):
        rows = [i for i, one in enumerate(of) if one == group]
        rows.sort(key=lambda row: factors[row][x])
        lines.append(
            Series(
                name=", ".join(group) or score,
                x=[float(factors[row][x]) for row in rows],
                y=[scores[row] for row in rows],
                look=look,
            )
        )
    values = sorted({float(f[x]) for f in factors})
    lined = Figure(
        picture=series(
            lines,
            f"{score} against {x}",
            x_label=x,
            y_label=score,
            x_log=values[0] > 0 and values[-1] / values[0] > 4,
        ),
        caption=f"{score.capitalize()} by {x}, with 95 % intervals.",
    )
    return {"score": lined, "rows": listed}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
