"""How many denoising steps are enough? One trained policy, sampled in few and in many steps by
each solver that its process has."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from steadyhand.diffusion.process import Process
from steadyhand.diffusion.sampling import SamplerConfig, SolverName
from steadyhand.diffusion.spacing import SPACINGS
from steadyhand.errors import ConfigurationError
from steadyhand.evaluation.metrics import Interval, over_seeds
from steadyhand.reports.scatter import Point, scatter
from steadyhand.reports.series import Series, series
from steadyhand.reports.study import Figure
from steadyhand.studies.asked import Asked, method_name
from steadyhand.studies.cell import Cell
from steadyhand.studies.distributions import sliced_wasserstein
from steadyhand.studies.question import HARD, Cheapest, Findings, cheapest, enough, figure, words
from steadyhand.studies.results import Ranking, Result, main_score, ranked

STEPS = (1, 2, 3, 5, 10, 20, 50, 100)
QUICK = (1, 2, 5, 10, 100)
REFERENCE = ("ddpm", 100)
"""Solver and steps whose samples the others are measured by: what the process was defined as."""
SAMPLES = 64
"""Chunks at each moment; of the reference twice as many, so that it can be measured by itself."""
FIRST: tuple[SolverName, ...] = ("ddpm", "euler", "ddim")
"""Solvers, in the order in which they stand; the others follow. On the straight path of flow
Euler's step is that of DDIM, and is called so."""


@dataclass(frozen=True)
class DenoisingSteps:
    """Compares solvers and numbers of steps of one policy."""

    title: str = "How many denoising steps are enough?"
    timed: bool = True
    harder: str = f"--task {HARD}"

    def asked(self, asked: Asked) -> Asked:
        return replace(asked, task=asked.task or "fork:gap=0.1,commit=0.7")

    def cells(self, asked: Asked) -> list[Cell]:
        config = asked.config(asked.task or "")
        process, usual = config.policy.process, config.policy.sampler
        if not isinstance(process, Process) or usual.steps == 1 or not solvers(process):
            raise ConfigurationError(
                f"{method_name(config)} is not sampled in steps. Ask of ddpm or flow: --method."
            )
        counts = QUICK if asked.quick else STEPS
        return [
            Cell(
                factors={"solver": solver, "steps": steps},
                config=config,
                trial=asked.trial(
                    asked.task or "",
                    sampler=replace(usual, solver=solver, steps=steps, eta=0.0).settled(process),
                    samples=SAMPLES * (2 if (solver, steps) == REFERENCE else 1),
                ),
            )
            for solver in solvers(process)
            for steps in counts
        ]

    def findings(self, asked: Asked, results: Sequence[Result]) -> Findings:
        score = main_score(results, asked.score)
        ranking, away = ranked(results, score), distances(results)
        found = cheapest(ranking, [result.calls for result in results])
        return Findings(
            answer=_answer(results, ranking, found),
            figures=_figures(results, ranking, away, found),
            columns={
                "samples off by": [f"{found.mean:.2f} {found.bounds('.2f')}" for found in away],
                "chunk": [f"{result.chunk_ms:.1f} ms" for result in results],
            },
            figures_of_rows=[{"distance": found.as_json()} for found in away],
            more={
                "fewest": dict(results[found.row].cell.factors),
                "enough": dict(results[found.sure].cell.factors),
            },
            reading=(
                "Samples off by: the sliced Wasserstein distance of the chunks drawn at 16 moments "
                "of the demonstrations to those of 100 DDPM steps, where 1 is the deviation of the "
                "recorded actions' samples; of those steps themselves, drawn again, it is what "
                f"{SAMPLES} samples differ by chance."
            ),
            shown=[found.sure, _worst(ranking)],
        )


def solvers(process: Process) -> list[SolverName]:
    """Those that a process can be sampled by and that differ in what they do, the usual first."""
    tables: dict[SolverName, NDArray[Any]] = {}
    others = sorted(set(get_args(SolverName)) - set(FIRST))
    for name in (*FIRST, *others):
        if name in ("noiseless", "renoise"):  # of methods that have one way to be sampled
            continue
        try:
            sampler = SamplerConfig(solver=name, steps=5).settled(process)
            table = sampler.solve(process, SPACINGS[sampler.spacing](process, 5))
        except ConfigurationError:
            continue
        known = [other for other in tables.values() if np.allclose(other, table)]
        if not known:
            tables[name] = table
    return list(tables)


def distances(results: Sequence[Result]) -> list[Interval]:
    """How far the samples of each row are from those of the reference, over seeds and moments."""
    marks = [(result.cell.factors["solver"], result.cell.factors["steps"]) for result in results]
    reference = results[marks.index(REFERENCE)]
    found = []
    for result in results:
        of_seeds = []
        for seed in range(len(result.outcomes)):
            known, drawn = reference.drawn(seed), result.drawn(seed)
            assert known is not None
            assert drawn is not None
            scale = np.maximum(known.std((0, 1, 2)), 1e-12)
            # The noise of the reference's second half is nobody else's.
            pairs = zip(known[:, SAMPLES:], drawn[:, :SAMPLES], strict=True)
            of_seeds.append([sliced_wasserstein(a / scale, b / scale) for a, b in pairs])
        found.append(over_seeds(np.array(of_seeds), share=False))
    return found


def _worst(ranking: Ranking) -> int:
    return min(range(len(ranking.scores)), key=lambda row: ranking.scores[row].mean)


def _label(result: Result) -> str:
    steps = result.calls
    return f"{steps} step{'s' if steps > 1 else ''} of {result.cell.factors['solver']}"


def _answer(results: Sequence[Result], ranking: Ranking, found: Cheapest) -> str:
    score, chosen = words(ranking.score), results[found.sure]
    said = enough(ranking, found, lambda row: _label(results[row]), score)
    said += f" A chunk takes {chosen.chunk_ms:.1f} ms"
    slow = max(results, key=lambda result: (result.calls, -(result.chunk_ms or 0.0)))
    said += "." if slow is chosen else f", and {slow.chunk_ms:.0f} ms with {slow.calls} steps."
    least = min(results[found.row].calls, chosen.calls)
    fewer = [row for row, result in enumerate(results) if result.calls < least]
    if fewer:
        top = max(fewer, key=lambda row: ranking.scores[row].mean)
        said += (
            f" With fewer it is worse: {figure(ranking.scores[top], ranking.score)} with "
            f"{_label(results[top])}."
        )
    return said


def _figures(
    results: Sequence[Result], ranking: Ranking, away: Sequence[Interval], found: Cheapest
) -> dict[str, Figure]:
    names = list(dict.fromkeys(result.cell.factors["solver"] for result in results))
    rows = {name: [i for i, r in enumerate(results) if r.cell.factors["solver"] == name]
            for name in names}  # fmt: skip

    def lines(values: Sequence[Interval]) -> list[Series]:
        return [
            Series(
                name=name,
                x=[results[row].calls for row in rows[name]],
                y=[values[row] for row in rows[name]],
                look=look,
            )
            for look, name in enumerate(names)
        ]

    score = words(ranking.score)
    solver = results[found.sure].cell.factors["solver"]
    points = [
        Point(results[row].chunk_ms or 0.0, ranking.scores[row], f"{results[row].calls}")
        for row in rows[solver]
    ]
    return {
        "score": Figure(
            picture=series(
                lines(ranking.scores),
                f"{score} against denoising steps",
                x_label="denoising steps",
                y_label=score,
                x_log=True,
            ),
            caption=f"{score.capitalize()} by the number of steps, with 95 % intervals.",
        ),
        "distance": Figure(
            picture=series(
                lines(away),
                "Distance of samples to those of 100 DDPM steps",
                x_label="denoising steps",
                y_label="distance",
                x_log=True,
                y_log=True,
            ),
            caption="How far the samples are from those of 100 DDPM steps. Where a line is level, "
            "only chance is left.",
        ),
        "time": Figure(
            picture=scatter(
                points, f"{score} against time", x_label="milliseconds a chunk", y_label=score
            ),
            caption=f"{solver}, by its steps, against what they cost: one chunk, on one thread.",
        ),
    }
