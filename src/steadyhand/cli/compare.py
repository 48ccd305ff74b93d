"""`steadyhand compare RUN RUN…`: several policies, paired on the same initial states."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from steadyhand.cli.evaluate import (
    EpisodeOptions,
    evaluate_run,
    found_at,
    lost_lines,
    place_of,
)
from steadyhand.cli.options import Printed, flags, parse
from steadyhand.cli.screen import results, scores_table, show, table
from steadyhand.errors import UsageError
from steadyhand.policy.named import described
from steadyhand.runtime.controllers import ControllerName

if TYPE_CHECKING:
    from steadyhand.evaluation.evaluate import Evaluation


@flags
class Options(EpisodeOptions, Printed):
    """Compare policies on the same initial states, pair by pair."""

    runs: tyro.conf.Positional[tuple[str, ...]]
    """Two or more runs, checkpoints or exports; one is enough under several --controllers."""
    controllers: tuple[ControllerName, ...] = ()
    """Try each run under each of these, on the same initial states: receding real_time."""


def run(arguments: Sequence[str]) -> dict[str, Any]:
    options = parse(Options, "compare", arguments).with_task
    under = _under(options)
    from steadyhand.evaluation.compare import as_json, compare
    from steadyhand.evaluation.opened import check_opened
    from steadyhand.evaluation.smoothness import SEAMS

    origins = {name: described(name)[1] for name in options.runs}
    if len({found_at(name) for name in origins}) < len(options.runs):
        raise UsageError("The same checkpoint is named twice; name different runs.")
    tasks = {origin.task or "none": name for name, origin in origins.items()}
    if len(tasks) > 1 and options.task is None:
        said = ", ".join(f"{name} in {task}" for task, name in tasks.items())
        raise UsageError(f"These policies act in different tasks: {said}. Name one with --task.")
    options.opening.refuse_unused(*options.runs)
    for name in options.runs:
        check_opened(name, options.opening)
    names = Counter(Path(name).name for name in options.runs)
    found: dict[str, Evaluation] = {}
    short: dict[str, str] = {}
    for path, each in product(options.runs, under):
        suffix = f", {each.controller}" if len(under) > 1 else ""
        label = f"{path}{suffix}"
        found[label] = evaluate_run(path, each, out=place_of(path))[1]
        name = Path(path).name
        name = name if names[name] == 1 else path
        short[label] = f"{name}{suffix}" if len(options.runs) > 1 else each.controller
    differences = compare(found)
    header = ("a - b", "score", "mean [95 % interval]", "p", "adjusted p")
    rows = (
        (f"{short[a]} - {short[b]}", score.replace("_", " "), str(d), _p(d.p), _p(d.adjusted_p))
        for (a, b, score), d in differences.items()
    )
    title = f"{options.episodes} episodes each{_late(under[0])}"
    seams = [evaluation.smoothness.shortly() for evaluation in found.values()]
    lost = [
        line
        for name, evaluation in found.items()
        for line in lost_lines(evaluation, of=f" by {short[name]}")
    ]
    show(
        results(as_json=options.json),
        scores_table(
            title, {short[k]: v.scores for k, v in found.items()}, {"jump at seams": seams}
        ),
        SEAMS,
        *lost,
        table("Paired differences", header, rows),
        "Interval and p are of one line alone: where nothing differs, p is below 0.05, and 0 "
        "outside the interval, in one line of twenty. The adjusted p (Holm) is of all lines: it is "
        "below 0.05 anywhere in one table of twenty.",
    )
    return as_json(found, differences)


def _under(options: Options) -> list[Options]:
    """The options under each controller. Raises for what does not fit, before any is tried."""
    several = dict.fromkeys(options.controllers)
    if several and options.controller != "receding":
        raise UsageError(
            f"--controllers has all that are tried: add {options.controller} to it, and leave "
            "--controller out."
        )
    if len(set(options.runs)) * max(1, len(several)) < 2:
        raise UsageError(
            "Name at least two different runs: steadyhand compare RUN RUN … Or one, under several "
            "controllers: steadyhand compare RUN --controllers receding real_time --latency 200ms"
        )
    under = [options.under(name) for name in several] or [options]
    for each in under:
        _ = each.acting
    return under


def _late(options: Options) -> str:
    """The latency in words, where there is any."""
    late = options.acting.latency
    jitter = f" ± {1000 * late.jitter:g}" if late.jitter else ""
    words = f", chunks {1000 * late.seconds:g}{jitter} ms late" if late.seconds or jitter else ""
    return words + (f", {100 * late.drop:g} % of them lost" if late.drop else "")


def _p(p: float) -> str:
    return "" if math.isnan(p) else f"{p:.4f}"
