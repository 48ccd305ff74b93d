"""How long a chunk, and how much of it is executed? Rows predicted against rows executed, with
diffusion and with regression, of which one row is plain behaviour cloning."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.evaluation.metrics import Interval
from steadyhand.reports.series import Series, series
from steadyhand.reports.study import Figure
from steadyhand.studies.asked import Asked, method_name
from steadyhand.studies.cell import Cell, longest_demonstration
from steadyhand.studies.question import HARD, NONE, Findings, figure, words
from steadyhand.studies.results import Ranking, Result, is_share, main_score, ranked

ROWS = (1, 4, 8, 16, 32)
"""Future rows of a chunk."""
EXECUTE = (1, 2, 4, 8, 16)
QUICK_ROWS, QUICK_EXECUTE = (1, 4, 16), (1, 2, 4, 8, 16)
PLAIN = "regression"
CLOSED = "fork:commit=0.35,cue=start,shift=0.15"
"""Who plans anew too often forgets which way was shown at the start, and who does too seldom meets
the obstacle where it was before it moved."""


@dataclass(frozen=True)
class ChunkLength:
    """Compares chunk lengths, and how much of a chunk is executed before the next."""

    title: str = "How long a chunk, and how much of it is executed?"
    timed: bool = False
    harder: str = f"--task {HARD}"

    def asked(self, asked: Asked) -> Asked:
        return replace(asked, task=asked.task or CLOSED)

    def cells(self, asked: Asked) -> list[Cell]:
        task = asked.task or ""
        many, few = (QUICK_ROWS, QUICK_EXECUTE) if asked.quick else (ROWS, EXECUTE)
        config = asked.config(task)
        usual, longest = method_name(config), longest_demonstration(config)
        many = [rows for rows in many if rows + config.chunking.past_rows <= longest]
        cells: list[Cell] = []
        for method in dict.fromkeys((usual, PLAIN)):
            base = asked.config(task, method=method)
            for rows in many:
                chunking = replace(
                    base.chunking,
                    horizon=rows + base.chunking.past_rows,
                    execute=min(rows, base.chunking.execute),
                )
                config = replace(base, chunking=chunking)
                cells += [
                    Cell(
                        factors={"method": method, "rows": rows, "execute": execute},
                        config=config,
                        trial=asked.trial(task, execute=execute),
                    )
                    for execute in few
                    if execute <= rows
                ]
        return cells

    def findings(self, asked: Asked, results: Sequence[Result]) -> Findings:
        score = main_score(results, asked.score)
        executed = [result.cell.factors["execute"] for result in results]
        ranking, moved = ranked(results, score, executed), disturbed(results)
        columns = {
            "jerk": [_number(r.mean_motion("jerk")) for r in results],
            "network calls": [f"{r.calls_per_second:.0f}/s" for r in results],
        }
        if moved.any():
            columns |= {
                "undisturbed": [figure(r.among(score, ~moved), score) for r in results],
                "disturbed": [figure(r.among(score, moved), score) for r in results],
            }
        plain = _place(results, PLAIN, 1)
        return Findings(
            answer=_answer(results, ranking, plain),
            figures=_figures(results, ranking, moved),
            columns=columns,
            figures_of_rows=[_parts(result, score, moved) for result in results],
            more={"best": dict(results[ranking.best].cell.factors)},
            reading=(
                "Rows: future actions of a chunk; execute: how many of them are driven before the "
                "next chunk is asked for. Regression with one row is plain behaviour cloning. "
                "Jerk: the mean squared third derivative of the command; less is calmer."
                + (
                    f" In {int(moved.sum())} of {len(moved)} episodes something was moved on the "
                    "way (disturbed); a robot that executes for long notices late."
                    if moved.any()
                    else ""
                )
            ),
            shown=[ranking.best, plain],
        )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value == value else NONE


def disturbed(results: Sequence[Result]) -> NDArray[np.bool_]:
    """In which of the initial states something is moved on the way.

    An episode may end before it comes to that: what counts is whether it did for any row.
    """
    if "disturbed" not in results[0].score_names:
        return np.zeros(results[0].cell.trial.episodes, dtype=bool)
    return np.any([(result.scores("disturbed") > 0).any(0) for result in results], axis=0)


def _parts(result: Result, score: str, moved: NDArray[np.bool_]) -> dict[str, object]:
    found = {"undisturbed": result.among(score, ~moved), "disturbed": result.among(score, moved)}
    return {name: part and part.as_json() for name, part in found.items()} if moved.any() else {}


def _place(results: Sequence[Result], method: str, rows: int) -> int:
    factors = [result.cell.factors for result in results]
    places = [i for i, f in enumerate(factors) if f["method"] == method and f["rows"] == rows]
    return places[0]


def _answer(results: Sequence[Result], ranking: Ranking, plain: int) -> str:
    methods = list(dict.fromkeys(result.cell.factors["method"] for result in results))
    bests = {
        method: max(
            (i for i, r in enumerate(results) if r.cell.factors["method"] == method),
            # Of those that score the same, the one that asks for a chunk least often.
            key=lambda row: (ranking.scores[row].mean, results[row].cell.factors["execute"]),
        )
        for method in methods
    }
    first = _of_method(results, ranking, bests[methods[0]])
    said = f"{methods[0]} does best with {first}."
    if methods[0] != PLAIN:
        said += f" Regression does best with {_chunk(results, ranking, bests[PLAIN])}"
        said += f"; with one row, plain behaviour cloning, {_score(ranking, plain)}."
        one, other = sorted(bests.values(), key=lambda row: row != ranking.best)
        if one == ranking.best:
            differ = "is the better of the two" if ranking.told(other) else "cannot be told apart"
            name = results[one].cell.factors["method"]
            subject = name if ranking.told(other) else "Their best"
            said += f" {subject} {differ}."
    return said


def _score(ranking: Ranking, row: int) -> str:
    return figure(ranking.scores[row], ranking.score)


def _chunk(results: Sequence[Result], ranking: Ranking, row: int) -> str:
    factors = results[row].cell.factors
    rows, execute = factors["rows"], factors["execute"]
    return f"chunks of {rows}, {execute} executed: {words(ranking.score)} {_score(ranking, row)}"


def _of_method(results: Sequence[Result], ranking: Ranking, row: int) -> str:
    """The best chunk of a method, and what executing less or more of it does."""
    factors = results[row].cell.factors
    same = {
        int(result.cell.factors["execute"]): place
        for place, result in enumerate(results)
        if all(result.cell.factors[name] == factors[name] for name in ("method", "rows"))
    }
    ends = [execute for execute in (min(same), max(same)) if execute != factors["execute"]]
    others = " and ".join(f"{_score(ranking, same[n])} with {n}" for n in dict.fromkeys(ends))
    return _chunk(results, ranking, row) + (f", against {others}" if others else "")


def _lines(
    results: Sequence[Result], method: str, value: Callable[[Result], Interval | None]
) -> list[Series]:
    """A line a chunk length: what a row has against how much of the chunk it executes."""
    found = []
    mine = [result for result in results if result.cell.factors["method"] == method]
    for look, rows in enumerate(dict.fromkeys(result.cell.factors["rows"] for result in mine)):
        same = [result for result in mine if result.cell.factors["rows"] == rows]
        values = [(result.cell.factors["execute"], value(result)) for result in same]
        points = [(x, y) for x, y in values if y is not None and y.mean == y.mean]
        if points:
            name = f"{rows} row{'s' if rows > 1 else ''}"
            xs, ys = zip(*points, strict=True)
            found.append(Series(name=name, x=list(xs), y=list(ys), look=look))
    return found


def _figure(lines: Sequence[Series], label: str, caption: str, **more: Any) -> Figure | None:
    """None where there is nothing to draw."""
    if not lines:
        return None
    x_label = "rows executed before the next chunk"
    picture = series(lines, label, x_label=x_label, y_label=label, x_log=True, **more)
    return Figure(picture=picture, caption=caption)


def _figures(
    results: Sequence[Result], ranking: Ranking, moved: NDArray[np.bool_]
) -> dict[str, Figure]:
    methods = list(dict.fromkeys(result.cell.factors["method"] for result in results))
    name, score = words(ranking.score), ranking.score
    scored, first = {"y_range": (0, 1)} if is_share(score) else {}, methods[0]
    figures = {
        f"score-{method}": _figure(
            _lines(results, method, lambda result: result.score(score)),
            f"{name}, {method}",
            f"{method}: {name} by how much of a chunk is executed, a line a chunk length.",
            **scored,
        )
        for method in methods
    }
    for part, chosen in (("undisturbed", ~moved), ("disturbed", moved)):
        if moved.any():
            figures[part] = _figure(
                _lines(results, first, lambda result, c=chosen: result.among(score, c)),
                f"{name}, {part}",
                f"{first} in the {part} episodes alone.",
                **scored,
            )
    figures["seams"] = _figure(
        _lines(results, first, lambda result: result.seam),
        "jump at seams",
        f"{first}: how far the command jumps where a chunk ends, over its steps inside. Chunks of "
        "which one row is executed have no inside.",
    )
    figures["jerk"] = _figure(
        _lines(results, first, lambda result: result.motion_interval("jerk")),
        "jerk",
        f"{first}: mean squared jerk of the command. Less is calmer: each new plan is a little "
        "other than the last, and a long one may end in a jump.",
        y_log=True,
    )
    return {name: found for name, found in figures.items() if found is not None}
