"""Are all ways to act learned? Methods on a task with several: which way each takes, how surely it
gets there, and the same as the way gets narrower or one way is demonstrated less."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError
from steadyhand.evaluation.bootstrap import bootstrap
from steadyhand.evaluation.metrics import Interval, over_seeds
from steadyhand.reports.charts import SERIES
from steadyhand.reports.paths import arena_of, paths_picture
from steadyhand.reports.rows import Group, bars
from steadyhand.reports.series import Series, series
from steadyhand.reports.study import Figure, panels
from steadyhand.studies.asked import Asked, method_name
from steadyhand.studies.cell import Cell
from steadyhand.studies.question import HARD, NONE, Findings, figure, words
from steadyhand.studies.results import Result, main_score
from steadyhand.studies.sound import require_scores
from steadyhand.tasks import Fork, make_task
from steadyhand.tasks.own import short_name
from steadyhand.tasks.task import modes_of

METHODS = ("regression", "gaussian", "mixture")
"""What the diffusion policy is compared with."""
GAPS = {0.2: "fork", 0.15: "fork:gap=0.15", 0.1: "fork:gap=0.1"}
SHARES = {0.5: "fork", 0.8: "fork:left_share=0.8", 0.95: "fork:left_share=0.95"}
VARIED = {"gap": GAPS, "left_share": SHARES}
QUICK = {"gap": {0.2: "fork", 0.1: "fork:gap=0.1"}, "left_share": {0.5: "fork", 0.95: SHARES[0.95]}}
MEANT = {
    "gap": "width of the passage, metres",
    "left_share": "share of the demonstrations on the left",
}
REPEATS = 8
"""Plays of each initial state, to see whether all ways are taken from it."""
SAMPLES = 64
SELDOM = 0.05
"""A way that may be taken less is not taken surely."""
SHOWN = 24
NO_PARTS = (
    "In some episodes several ways were taken at once, as the scores have it: shares add up to "
    "more than all, and entropies are of ways that are none.",
)


@dataclass(frozen=True)
class Modes:
    """Compares methods on a task that reports its ways."""

    title: str = "Are all ways to act learned?"
    timed: bool = False
    harder: str = f"--task {HARD}"

    def asked(self, asked: Asked) -> Asked:
        return asked

    def cells(self, asked: Asked) -> list[Cell]:
        varied = QUICK if asked.quick else VARIED
        own = dict.fromkeys(task for tasks in varied.values() for task in tasks.values())
        episodes = max(2, asked.episodes // 2)
        cells: list[Cell] = []
        for task in asked.tasks(*own):
            _check(task)
            usual = method_name(asked.config(task))
            diffusion = "ddpm" if usual in METHODS else usual
            cells += [
                Cell(
                    factors={"task": short_name(task), "method": method},
                    config=asked.config(task, method=method),
                    trial=asked.trial(
                        task, episodes=episodes, repeats=REPEATS, paths=SHOWN, samples=SAMPLES
                    ),
                )
                for method in (*METHODS, diffusion)
            ]
        return cells

    def findings(self, asked: Asked, results: Sequence[Result]) -> Findings:
        score = main_score(results, asked.score)
        tasks = list(dict.fromkeys(result.task for result in results))
        ways = modes_of(make_task(tasks[0]))
        taken = [shares(result, ways) for result in results]
        spread = [entropy(result, ways) for result in results]
        first = [i for i, r in enumerate(results) if r.task == tasks[0]]
        parts = _ways([results[i] for i in first], [taken[i] for i in first], ways)
        scene = _scene([results[i] for i in first], ways)
        return Findings(
            answer=_answer([results[i] for i in first], [taken[i] for i in first], score, ways),
            notes=[
                *(NO_PARTS if parts is None else ()),
                *_further(results, taken, tasks, ways, score),
            ],
            figures={
                **({} if parts is None else {"ways": parts}),
                **({} if scene is None else {"scene": scene}),
                **_varied(asked, results, taken, tasks, ways, score),
            },
            columns={
                **{words(way): [figure(found[way], "success") for found in taken] for way in ways},
                "entropy": [f"{s.mean:.2f} {s.bounds('.2f')}" if s else NONE for s in spread],
            },
            figures_of_rows=[{"entropy": found and found.as_json()} for found in spread],
            compared="All rows of a task were tried from the same initial states.",
            reading=(
                "Entropy: of the ways that are taken from one and the same start, played "
                f"{REPEATS} times with other noise, in bits; {np.log2(len(ways)):.2g} where all "
                "are taken alike, 0 where it is always the same. Of plays that took none it says "
                "nothing."
            ),
            shown=[first[-1], first[0]],
        )


def _check(task: str) -> None:
    """Raise `ConfigurationError` where a task does not say which ways there are."""
    ways = modes_of(make_task(task))
    if not 2 <= len(ways) <= len(SERIES):
        raise ConfigurationError(
            f"{short_name(task)} names {len(ways)} ways to act; this is a question about 2 to "
            f"{len(SERIES)}. Give its class modes = (…), the names of the scores that are True for "
            "the way that was taken; or ask of fork."
        )
    require_scores(ways, [task], "way")


def shares(result: Result, ways: Sequence[str]) -> dict[str, Interval]:
    """How often each way was taken, over seeds and initial states."""
    return {way: over_seeds(result.scores(way), share=True) for way in ways}


def entropy(result: Result, ways: Sequence[str]) -> Interval | None:
    """Bits, of the ways that are taken from one initial state, over seeds and states; None where
    none is ever taken twice."""
    counts = np.stack([result.plays(way).sum(-1) for way in ways], axis=-1)
    found = entropies(counts)
    if not np.isfinite(found).any():
        return None
    return bootstrap(_mean, found, ends=(0.0, float(np.log2(len(ways)))))


def _mean(values: NDArray[np.float64]) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def entropies(counts: NDArray[np.floating]) -> NDArray[np.float64]:
    """Bits of the shares that `counts` (…, ways) stand for, nan where there are fewer than two.

    Few plays show too little of it; what they lack on average is added (Miller 1955), as far as
    all ways alike.
    """
    total = counts.sum(-1)
    share = counts / np.maximum(total, 1)[..., None]
    plain = -(share * np.log2(np.where(share > 0, share, 1))).sum(-1)
    missing = ((counts > 0).sum(-1) - 1) / (2 * np.log(2) * np.maximum(total, 1))
    return np.where(total < 2, np.nan, np.minimum(plain + missing, np.log2(counts.shape[-1])))


def _answer(
    rows: Sequence[Result],
    taken: Sequence[Mapping[str, Interval]],
    score: str,
    ways: Sequence[str],
) -> str:
    diffusion, regression = rows[-1], rows[0]
    name = diffusion.cell.factors["method"]
    seen = [way for way in ways if taken[-1][way].low > SELDOM]
    each = " and ".join(f"{words(way)} in {figure(taken[-1][way], 'success')}" for way in ways)
    said = {
        0: f"{name} takes no way surely ({each})",
        len(ways): f"{name} takes {'both' if len(ways) == 2 else 'all'} ways, {each}",
    }.get(len(seen), f"{name} takes but {' and '.join(map(words, seen))} surely ({each})")
    told = (
        f"{said}, and reaches {words(score)} {figure(diffusion.score(score), score)}. Regression, "
        f"which averages them, reaches {figure(regression.score(score), score)}"
    )
    if "collision" in regression.score_names:
        hit = figure(regression.score("collision"), "success")
        return f"{told}: it collides in {hit}."
    return f"{told}."


def _further(
    results: Sequence[Result],
    taken: Sequence[Mapping[str, Interval]],
    tasks: Sequence[str],
    ways: Sequence[str],
    score: str,
) -> list[str]:
    """A line a variant: what the last method, diffusion, does there."""
    notes = []
    for task in tasks[1:]:
        place = max(i for i, r in enumerate(results) if r.task == task)
        both = ", ".join(f"{words(way)} {figure(taken[place][way], 'success')}" for way in ways)
        result = results[place]
        notes.append(
            f"On {short_name(task)}: {result.cell.factors['method']} reaches {words(score)} "
            f"{figure(result.score(score), score)}; {both}."
        )
    return notes


def _ways(
    rows: Sequence[Result], taken: Sequence[Mapping[str, Interval]], ways: Sequence[str]
) -> Figure | None:
    """None where several ways are said to be taken at once: they are no parts of a whole."""
    collided = all("collision" in row.score_names for row in rows)
    parts = dict(zip(ways, SERIES, strict=False)) | ({"collision": "bad"} if collided else {})
    groups = []
    for row, found in zip(rows, taken, strict=True):
        values = [found[way].mean for way in ways]
        if collided and "collision" not in ways:
            passed = row.plays("collision") * (1 - sum(row.plays(way) for way in ways))
            values.append(float(np.maximum(passed, 0).mean()))
        groups.append(Group(str(row.cell.factors["method"]), values))
    if any(sum(group.shares) > 1 + 1e-9 for group in groups):
        return None
    return Figure(
        picture=bars(groups, {words(name): c for name, c in parts.items()}, "ways taken"),
        caption=f"{rows[0].cell.factors['task']}: which way each method takes; grey is none of "
        "these.",
    )


def _scene(rows: Sequence[Result], ways: Sequence[str]) -> Figure | None:
    """Paths in the plane of the world's first two numbers; None where it has not as many."""
    task, pictures = make_task(rows[0].task), []
    walked = [[np.array(path) for path in row.records[0]["paths"]] for row in rows]
    if any(path.shape[-1] < 2 for paths in walked for path in paths):
        return None
    # Of one scale: where the world has a scene, its own.
    arena = None if isinstance(task, Fork) else arena_of([p for paths in walked for p in paths])
    for row, paths in zip(rows, walked, strict=True):
        record = row.records[0]
        css, failed = [], []
        for place in range(len(paths)):
            scores = {name: values[place] for name, values in record["scores"].items()}
            way = next((i for i, name in enumerate(ways) if scores[name]), None)
            css.append("bad" if way is None else SERIES[way])
            failed.append(not scores.get("success", 1))
        name = str(row.cell.factors["method"])
        drawn = row.drawn()
        samples: list[NDArray[np.floating]] = []
        if drawn is not None and drawn.shape[-1] >= 2:
            samples = [chunk[:, :2] for chunk in drawn[0, :SHOWN]]
        style = {"task": task, "samples": samples, "arena": arena}
        pictures.append((name, paths_picture(paths, css, failed, name, **style)))
    return Figure(
        picture=panels(pictures),
        caption="Episodes from above, a cross where one failed; grey, chunks drawn at one start.",
        wide=True,
    )


def _varied(
    asked: Asked,
    results: Sequence[Result],
    taken: Sequence[Mapping[str, Interval]],
    tasks: Sequence[str],
    ways: Sequence[str],
    score: str,
) -> dict[str, Figure]:
    """What changes as the gap gets narrower, or one way is demonstrated less."""
    figures: dict[str, Figure] = {}
    if asked.task is not None:
        return figures
    for setting, variants in (QUICK if asked.quick else VARIED).items():
        shown = score if setting == "gap" else ways[0]
        lines = []
        methods = list(dict.fromkeys(str(result.cell.factors["method"]) for result in results))
        for look, method in enumerate(methods):
            places = {
                value: next(
                    i
                    for i, r in enumerate(results)
                    if r.task == task and r.cell.factors["method"] == method
                )
                for value, task in variants.items()
            }
            values = [
                results[i].score(score) if setting == "gap" else taken[i][ways[0]]
                for i in places.values()
            ]
            lines.append(Series(name=method, x=list(places), y=values, look=look))
        figures[setting] = Figure(
            picture=series(
                lines,
                f"{words(shown)} against {MEANT[setting]}",
                x_label=MEANT[setting],
                y_label=words(shown),
                y_range=(0, 1),
            ),
            caption=f"{words(shown).capitalize()} by the {MEANT[setting]}.",
        )
    return figures
