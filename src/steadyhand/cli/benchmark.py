"""`steadyhand benchmark`: many methods on one task, as one table and one picture."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from steadyhand.cli.options import OnDevice, Printed, Spread, flags, parse
from steadyhand.cli.screen import console, results, show, stage, waiting, watching
from steadyhand.errors import UsageError
from steadyhand.recipes.methods import METHODS, NETWORKS
from steadyhand.tasks import make_task, register_task
from steadyhand.tasks.own import file_word, short_name
from steadyhand.values import whole

SHARED = ("task", "recipe", "seeds", "episodes", "seed_start", "steps", "data", "select")
SHARED += ("device", "threads")
"""Options that a study has, too."""


@flags
class Options(OnDevice, Spread, Printed):
    task: str = "fork"
    """The task, with settings where it has some: fork, pusht, fork:gap=0.1; your own as
    FILE.py:function."""
    methods: str = "regression,ddpm,flow"
    """Methods with commas between them; flow:1 is flow in one network call, of the same runs."""
    networks: str = ""
    """Networks with commas between them: each method with each; the recipe's own by default."""
    seeds: int = 1
    """Training seeds of each."""
    minutes: float | None = None
    """About how long each trains on its share of the cores; 2 by default."""
    steps: int | None = None
    """Optimiser steps of each, instead of minutes: the same on any machine."""
    episodes: int = 100
    """Episodes in which each policy is tried, on the same initial states."""
    seed_start: int | None = None
    """First seed of the episodes; the task's own by default (100000 on Push-T)."""
    data: Path | None = None
    """Demonstrations; recorded first where the task has an expert and none are named."""
    select: str = ""
    """Which of them, as 0:50, success, mask=train or task="TEXT"; joined with +, each narrows."""
    recipe: str | None = None
    """What all are trained by; the task's own by default, and `state` for a task of your own. Your
    own recipe is FILE.py:function."""
    out: Path | None = None
    """Where runs, table and picture go; runs/benchmark-TASK by default. What is there is kept; what
    another version of steadyhand has done there is done anew."""


def run(arguments: Sequence[str]) -> dict[str, Any]:
    options = parse(
        Options,
        "benchmark",
        arguments,
        description=f"Compare methods ({', '.join(METHODS)}) and networks ({', '.join(NETWORKS)}) "
        "on one task: the same data, seeds and initial states. Stopped, it goes on where it was.",
    )
    if options.minutes is not None and options.steps is not None:
        raise UsageError("Give --steps or --minutes, not both.")
    for name in ("seeds", "episodes", "steps"):
        if (value := getattr(options, name)) is not None:
            whole(f"--{name}", value)
    with waiting("loading torch"):
        from steadyhand.policy.device import choose_device
        from steadyhand.studies.asked import Asked
        from steadyhand.studies.grid import Method, declare

    choose_device(options.device)  # refused now, and not after the recording
    options = replace(options, task=register_task(options.task))
    word = file_word(make_task(options.task).name)
    out = options.out or Path("runs") / f"benchmark-{word}"
    minutes = 2.0 if options.minutes is None and options.steps is None else options.minutes
    shared = {name: getattr(options, name) for name in SHARED}
    cells = declare(
        Asked(minutes=minutes, **shared),
        [Method.parse(word) for word in _words(options.methods, "methods")],
        networks=_words(options.networks, "networks") if options.networks else (None,),
    )
    try:
        with options.executor() as executor:
            return _benchmark(options, cells, out, executor)
    except KeyboardInterrupt:
        show(console(), "What was done is kept: the same command goes on from here.")
        raise


def _words(text: str, flag: str) -> list[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise UsageError(f"--{flag} names none; write them with commas between: a,b,c.")
    return list(dict.fromkeys(words))


def _benchmark(options: Options, cells: list[Any], out: Path, executor: Any) -> dict[str, Any]:
    from steadyhand.studies.benchmark import rows
    from steadyhand.studies.cell import runs_of
    from steadyhand.studies.runs import do_rows, of_other_versions, unfinished
    from steadyhand.studies.table import screen_table, write

    tell = partial(show, console())
    if others := of_other_versions(out):
        left_alone = f"{others} runs of another version of steadyhand are left as they are in {out}"
        tell(f"{left_alone}; what this one is asked for is done anew.")
    runs = runs_of(cells, options.seeds, out, stage, tell)
    left = unfinished([run for each in runs for run in each], out)
    with watching("training and trying", left) as watch:
        found = rows(cells, do_rows(runs, out, executor=executor, watch=watch))
    named = short_name(options.task)
    answer = write(named, found, out, asdict(options))
    show(
        results(as_json=options.json),
        screen_table(named, found),
        f"Report: {out / 'report.html'}; rows for a document: {out / 'table.md'}",
    )
    return answer
