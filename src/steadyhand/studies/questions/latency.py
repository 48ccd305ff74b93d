"""What does latency cost, and who loses least by it? Every controller under several latencies: the
score, the seams between chunks, and how long it takes until the robot reacts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from steadyhand.diffusion.process import Process
from steadyhand.errors import ConfigurationError
from steadyhand.evaluation.acting import Acting
from steadyhand.evaluation.compare import differences_over_seeds
from steadyhand.evaluation.latency import NONE as AT_ONCE
from steadyhand.evaluation.latency import Latency
from steadyhand.evaluation.metrics import Difference, Interval
from steadyhand.reports.series import Series, series
from steadyhand.reports.study import Figure
from steadyhand.runtime.controllers import ControllerName
from steadyhand.studies.asked import Asked
from steadyhand.studies.cell import Cell
from steadyhand.studies.question import LOSS, NBSP, NONE, Findings, figure, seam, words
from steadyhand.studies.results import TOLD, Result, is_share, main_score

LATENCIES = (
    AT_ONCE,
    Latency(seconds=0.1),
    Latency(seconds=0.2),
    Latency(seconds=0.2, jitter=0.05),
    Latency(seconds=0.3),
)
QUICK = (AT_ONCE, Latency(seconds=0.2))
WAITING = "receding"
CONTINUED = ("real_time", "warm_start")
"""Controllers for policies that are sampled in steps."""


@dataclass(frozen=True)
class LatencyCost:
    """Compares controllers under several latencies."""

    title: str = "What does latency cost, and who loses least by it?"
    timed: bool = False
    harder: str = "--task intercept:speed=0.3,bend=60"

    def asked(self, asked: Asked) -> Asked:
        if asked.acting != Acting():
            raise ConfigurationError(
                "study latency tries every controller under latencies of its own: leave out "
                "--controller, --latency and what belongs to them, or ask another question."
            )
        return replace(asked, task=asked.task or "intercept")

    def cells(self, asked: Asked) -> list[Cell]:
        task = asked.task or ""
        config = asked.config(task)
        names: tuple[ControllerName, ...] = get_args(ControllerName)
        if not isinstance(config.policy.process, Process) or config.policy.sampler.steps == 1:
            names = tuple(name for name in names if name not in CONTINUED)
        return [
            Cell(
                factors={"controller": name, "latency": said(latency)},
                config=config,
                trial=asked.trial(task, acting=Acting(controller=name, latency=latency)),
            )
            for latency in (QUICK if asked.quick else LATENCIES)
            for name in names
        ]

    def findings(self, asked: Asked, results: Sequence[Result]) -> Findings:
        score = main_score(results, asked.score)
        scores = [result.scores(score) for result in results]
        pairs = differences_over_seeds(scores, share=is_share(score) or None)
        usual, waits = _place(results, AT_ONCE), _waiting(results)
        lost = [None if usual == row else _pair(pairs, usual, row) for row in range(len(results))]
        gained = [
            None if at == row else _pair(pairs, row, at)
            for row, at in enumerate(waits[late(result)] for result in results)
        ]
        best = {latency: _best(results, latency, score) for latency in waits}
        latest = max(waits, key=lambda latency: latency.seconds)
        return Findings(
            answer=_answer(results, score, lost, best, _alike(results, score, pairs, best)),
            figures=_figures(results, score),
            columns={
                "loses": [_points(one, score) if one else NONE for one in lost],
                "reacts after": [_milliseconds(r.motion_interval("reaction_ms")) for r in results],
                "stands still": [f"{100 * r.mean_motion('held'):.0f}{NBSP}%" for r in results],
            },
            figures_of_rows=[
                {
                    "lost": one and one.as_json(),
                    "than_waiting": other and other.as_json(),
                    "reaction_ms": result.motion_interval("reaction_ms").as_json(),
                    "held": result.mean_motion("held"),
                }
                for result, one, other in zip(results, lost, gained, strict=True)
            ],
            more={"best": {said(each): _name(results[row]) for each, row in best.items()}},
            reading=(
                "Latency: how long a chunk is on its way, in the task's time, while the world goes "
                "on; ± is jitter. receding waits for it and stands still. Loses: how much less "
                "than receding without latency, on the same initial states. Reacts after: from a "
                "change in the world to the first action that knew of it, on average; without "
                "latency, that is how seldom it looks. An ensemble is a mean of chunks, and where "
                "chunks go different ways, so does no mean; nearly each of its actions is a seam."
            ),
            shown=[waits[latest], best[latest]],
        )


def said(latency: Latency) -> str:
    """200 ms, or 200 ± 50 ms."""
    spread = f" ± {1000 * latency.jitter:g}" if latency.jitter else ""
    return f"{1000 * latency.seconds:g}{spread} ms"


def late(result: Result) -> Latency:
    """How late the chunks of a row are."""
    return result.cell.trial.acting.latency


def _name(result: Result) -> str:
    return str(result.cell.factors["controller"])


def _place(results: Sequence[Result], latency: Latency, name: str = WAITING) -> int:
    found = (i for i, r in enumerate(results) if late(r) == latency and _name(r) == name)
    return next(found)


def _waiting(results: Sequence[Result]) -> dict[Latency, int]:
    """The row that waits, of each latency."""
    return {latency: _place(results, latency) for latency in dict.fromkeys(map(late, results))}


def _pair(pairs: Mapping[tuple[int, int], Difference], one: int, other: int) -> Difference:
    """How much more the one scores than the other."""
    if one < other:
        return pairs[one, other]
    found = pairs[other, one]
    return replace(found, mean=-found.mean, low=-found.high, high=-found.low)


def _best(results: Sequence[Result], latency: Latency, score: str) -> int:
    """The row that scores most at a latency; of several, the one with the smallest seams."""

    def worth(row: int) -> tuple[float, float]:
        jump = results[row].seam.mean
        return results[row].score(score).mean, -jump if jump == jump else float("-inf")

    return max((row for row, r in enumerate(results) if late(r) == latency), key=worth)


def _answer(
    results: Sequence[Result],
    score: str,
    lost: Sequence[Difference | None],
    best: Mapping[Latency, int],
    alike: Sequence[str],
) -> str:
    """What waiting loses; and what the smoothest of those does that are as good as the best, or
    else the best at each latency."""
    delayed = [latency for latency in best if latency and not latency.jitter]

    def losses(name: str, latencies: Sequence[Latency]) -> str:
        rows = [(each, lost[_place(results, each, name)]) for each in latencies]
        *first, last = [f"{_points(found, score)} at {said(each)}" for each, found in rows]
        return f"{', '.join(first)} and {last}" if first else last

    usual = results[_place(results, AT_ONCE)].score(score)
    begun = (
        f"Without latency {words(score)} is {figure(usual, score)}, and who waits for each chunk "
        f"loses {losses(WAITING, delayed)}."
    )
    if not alike:
        by = dict[str, list[Latency]]()
        for each in delayed:
            by.setdefault(_name(results[best[each]]), []).append(each)
        least = "; and by ".join(
            f"{words(name)}, {losses(name, some)}" for name, some in by.items()
        )
        return f"{begun} Least is lost by {least}."
    latest = max(delayed, key=lambda latency: latency.seconds)
    seams = {name: results[_place(results, latest, name)].seam for name in alike}
    known = [name for name in alike if seams[name].mean == seams[name].mean] or alike
    calm = min(known, key=lambda name: seams[name].mean)
    *others, last = [words(name) for name in alike if name != calm] or [""]
    told = f"{', '.join(others)} and {last}" if others else last
    return (
        f"{begun} {words(calm).capitalize()} loses {losses(calm, delayed)}"
        + (f"; {told} cannot be told from the best, either, " if told else ", ")
        + (f"and {words(calm)} joins chunks most smoothly: " if told else "and its seams are ")
        + f"{seam(seams[calm])} at {said(latest)}."
    )


def _alike(
    results: Sequence[Result],
    score: str,
    pairs: Mapping[tuple[int, int], Difference],
    best: Mapping[Latency, int],
) -> list[str]:
    """Who is nowhere far behind the best, and cannot be told from it at any latency, not even with
    that pair alone."""
    told = set[str]()
    for row, result in enumerate(results):
        if (at := best[late(result)]) != row:
            behind = _pair(pairs, at, row)
            scale = 1.0 if is_share(score) else abs(results[at].score(score).mean)
            if behind.p < TOLD or behind.mean > LOSS * scale:
                told.add(_name(result))
    return [name for name in dict.fromkeys(map(_name, results)) if name not in told]


def _points(found: Difference | None, score: str) -> str:
    """What is lost, with its interval: 12 points [8, 16]."""
    if found is None:
        return NONE
    if is_share(score):
        mean, low, high = (round(100 * value) for value in (found.mean, found.low, found.high))
        return f"{mean}{NBSP}point{'' if abs(mean) == 1 else 's'} [{low}, {high}]"
    return f"{found.mean:.3g} {found.bounds('.3g')}"


def _milliseconds(found: Interval) -> str:
    return f"{found.mean:.0f}{NBSP}ms" if found.mean == found.mean else NONE


def _figures(results: Sequence[Result], score: str) -> dict[str, Figure]:
    steady = [result for result in results if not late(result).jitter]
    names = list(dict.fromkeys(map(_name, steady)))

    def drawn(value: Callable[[Result], Interval], label: str, caption: str, **more: Any) -> Figure:
        lines = [
            Series(
                name=words(name),
                x=[1000 * late(result).seconds for result in steady if _name(result) == name],
                y=[value(result) for result in steady if _name(result) == name],
                look=look,
            )
            for look, name in enumerate(names)
        ]
        lines = [line for line in lines if any(y.mean == y.mean for y in line.y)]
        picture = series(lines, label, x_label="latency (ms)", y_label=label, **more)
        return Figure(picture=picture, caption=caption)

    name, scored = words(score), {"y_range": (0, 1)} if is_share(score) else {}
    return {
        "score": drawn(
            lambda result: result.score(score),
            name,
            f"{name.capitalize()} by how late chunks are, a line a controller. Receding waits.",
            **scored,
        ),
        "reaction": drawn(
            lambda result: result.motion_interval("reaction_ms"),
            "reaction (ms)",
            "From a change in the world to the first action that knew of it, on average.",
        ),
        "seams": drawn(
            lambda result: result.seam,
            "jump at seams",
            "How far the command jumps where a chunk ends, over its steps inside. Of an "
            "ensemble nearly every action is one.",
        ),
    }
