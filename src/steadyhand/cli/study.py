"""`steadyhand study QUESTION`: an experiment with its report."""

import time
from collections.abc import Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steadyhand.cli.acting import Acted
from steadyhand.cli.options import OnDevice, Printed, Spread, flags, parse
from steadyhand.cli.screen import console, results, show, stage, table, waiting, watching
from steadyhand.errors import UsageError, unknown
from steadyhand.tasks import register_task
from steadyhand.values import whole

if TYPE_CHECKING:
    from steadyhand.studies.study import Study

QUESTIONS = {
    "modes": "Are all ways to act learned? Regression, Gaussian, mixture and diffusion",
    "steps": "How many denoising steps are enough? Each solver with 1 to 100",
    "chunk": "How long a chunk, and how much of it is executed?",
    "history": "Does it help to see the past? 1 to 8 observations, and a past that is perturbed",
    "data": "How many demonstrations?",
    "latency": "What does latency cost? Every controller, with chunks 0 to 300 ms late",
    "sweep": "Which settings are best? Whatever --vary names",
    "seeds": "How much of a score is luck, and how many trainings and episodes does a claim need?",
}

HELP = """usage: steadyhand study QUESTION [options]

Answer a question about a task and a recipe with enough trainings to mean something, and write a
report: one page, its Markdown and its JSON.

{questions}

  --task TASK     the task; by default one on which the question has an answer
  --quick         a first look: one training each, two fifths of the steps, 50 episodes
  --seeds N       trainings of each
  --vary FIELD=A,B,C   what a sweep varies; given several times, each with each

  steadyhand study QUESTION --help   all of it

Stopped, a study goes on where it was when the same command is given again; what was trained is
shared between studies that have the same --out.
"""


@flags
class Options(Spread, OnDevice, Printed, Acted):
    task: str | None = None
    """The task, with settings where it has some; one on which the question has an answer unless
    named."""
    quick: bool = False
    """A first look: one training of each, two fifths of the steps, 50 episodes."""
    vary: tuple[str, ...] = ()
    """FIELD=A,B,C: what a sweep varies, as the flags of train and evaluate are called."""
    score: str | None = None
    """What rows are judged by: max_coverage where the task has it, else success."""
    method: str | None = None
    """The method that is looked at; the recipe's own by default."""
    network: str | None = None
    """The network; the recipe's own by default."""
    recipe: str | None = None
    """What policies are trained by; the task's own by default."""
    seeds: int | None = None
    """Trainings of each: 3, with --quick 1; of the question seeds 8 and 4."""
    episodes: int | None = None
    """Initial states in which each is tried: 100, with --quick 50."""
    seed_start: int | None = None
    """First seed of the episodes; the task's own by default. Training has seeds of its own."""
    steps: int | None = None
    """Optimiser steps of each; the recipe's own by default, with --quick two fifths of them."""
    minutes: float | None = None
    """About how long each trains, instead of steps."""
    data: Path | None = None
    """Demonstrations; recorded first where the task has an expert and none are named."""
    select: str = ""
    """Which of them, as 0:50, success, mask=train or task="TEXT"; joined with +, each narrows."""
    demonstrations: int | None = None
    """How many are recorded; the recipe's number by default."""
    out: Path = Path("runs/studies")
    """Where data, runs and reports go. What is there is kept, and shared by all studies there."""


def run(arguments: Sequence[str]) -> dict[str, Any] | None:
    named = bool(arguments) and not arguments[0].startswith("-")
    if not named and ("--help" in arguments or "-h" in arguments):
        lines = "\n".join(f"  {name:9}{text}" for name, text in QUESTIONS.items())
        print(HELP.format(questions=lines))
        return None
    if not named:
        raise UsageError(
            f"Name a question first, as: steadyhand study steps. There are: {', '.join(QUESTIONS)}."
        )
    name = arguments[0]
    if name not in QUESTIONS:
        raise UsageError(unknown("question", name, QUESTIONS))
    options = parse(
        Options,
        f"study {name}",
        _together(arguments[1:]),
        description=f"{QUESTIONS[name]}. Stopped, it goes on where it was.",
    )
    if options.minutes is not None and options.steps is not None:
        raise UsageError("Give --steps or --minutes, not both.")
    for flag in ("seeds", "episodes", "threads", "steps", "demonstrations"):
        if (value := getattr(options, flag)) is not None:
            whole(f"--{flag}", value)
    with waiting("loading torch"):
        from steadyhand.policy.device import choose_device
        from steadyhand.studies.asked import Asked
        from steadyhand.studies.study import Study

    choose_device(options.device)  # refused now, and not after the recording
    usual = {"seeds": _seeds(name, options.quick), "episodes": 50 if options.quick else 100}
    given = {f.name: getattr(options, f.name) for f in fields(Asked) if hasattr(options, f.name)}
    asked = Asked(**{**usual, **{k: v for k, v in given.items() if v is not None}})
    if asked.task is not None:
        asked = replace(asked, task=register_task(asked.task))
    study = Study.of(name, asked, options.out)
    try:
        return _study(study, options, ["study", *arguments])
    except KeyboardInterrupt:
        show(console(), "What was done is kept: the same command goes on from here.")
        raise


def _together(arguments: Sequence[str]) -> list[str]:
    """The arguments, with all that is given to --vary behind one of them."""
    words, varied, left = list[str](), list[str](), list(arguments)
    while left:
        word = left.pop(0)
        if word.startswith("--vary="):
            varied.append(word.partition("=")[2])
        elif word == "--vary":
            while left and not left[0].startswith("--"):
                varied.append(left.pop(0))
        else:
            words.append(word)
    return [*words, *(["--vary", *varied] if varied else [])]


def _seeds(name: str, quick: bool) -> int:
    if name == "seeds":
        return 4 if quick else 8
    return 1 if quick else 3


def _study(study: "Study", options: Options, command: Sequence[str]) -> dict[str, Any]:
    from steadyhand.studies.made import made
    from steadyhand.studies.runs import do_rows, unfinished

    begun, tell = time.perf_counter(), partial(show, console())
    runs = study.runs(stage, tell)
    left = unfinished([run for row in runs for run in row], study.runs_folder)
    with options.executor() as executor, watching("training and trying", left) as watch:
        done = do_rows(runs, study.runs_folder, executor=executor, watch=watch)
    how = made(command, options.device, done, time.perf_counter() - begun)
    answer, report = study.conclude(done, how, stage, tell)
    screen = results(as_json=options.json)
    show(
        screen,
        table(report.title, report.header, report.rows, plain=True),
        report.answer,
        *report.notes,
    )
    show(screen, f"Report: {answer['report']}")
    return answer
