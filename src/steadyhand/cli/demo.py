"""`steadyhand demo`: regression and diffusion on `fork`, side by side, with a report.

It does what `record`, `train` and `evaluate` do, into one folder; started again with the same
folder, it goes on from where it was.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steadyhand.cli.evaluate import EpisodeOptions, evaluate_run
from steadyhand.cli.options import OnDevice, Printed, flags, parse
from steadyhand.cli.screen import console, results, show, stage, table, waiting
from steadyhand.cli.train import train_run
from steadyhand.data import open_episodes, write_episodes
from steadyhand.disk import write_text
from steadyhand.tasks import make_task
from steadyhand.training.demonstrations import record

if TYPE_CHECKING:
    from steadyhand.studies.demo import Times
    from steadyhand.training.checkpoint import Run
    from steadyhand.training.config import TrainConfig


@flags
class Options(OnDevice, Printed):
    """Teach two policies to drive around an obstacle, and see what they make of it."""

    out: Path | None = None
    """Where everything goes; runs/demo by default. What is trained there is not trained again."""
    quick: bool = False
    """Two fifths of the training and half of the episodes."""
    seed: int = 0
    """Of the training."""


def run(arguments: Sequence[str]) -> dict[str, Any]:
    options = parse(Options, "demo", arguments)
    out = options.out or Path("runs") / ("demo-quick" if options.quick else "demo")
    with suppress(KeyboardInterrupt):
        if (found := _demo(options, out)) is not None:
            return found
    words = ["steadyhand", "demo", *["--quick"] * options.quick, "--out", str(out)]
    words += ["--seed", str(options.seed)] if options.seed else []
    show(console(), f"Stopped; what was saved is kept. Continue: {shlex.join(words)}")
    return {"out": str(out), "interrupted": True}


def _demo(options: Options, out: Path) -> dict[str, Any] | None:
    """What the verb answers; None where training was stopped."""
    screen, begun = console(), time.perf_counter()
    with waiting("loading torch"):
        from steadyhand.policy.storage import load_policy
        from steadyhand.reports.demo import Demo, demo_page, summary
        from steadyhand.studies.demo import Times, machine, plan
        from steadyhand.studies.runs import alone
        from steadyhand.training.checkpoint import Run

    times = Times(out / "times.json")
    times.seconds["loading"] = time.perf_counter() - begun
    show(screen, "Two policies learn to drive around an obstacle. Left and right are both right.")
    planned = plan(out, quick=options.quick, seed=options.seed, device=options.device)
    with alone(out):
        if not planned.data.exists():
            with times.of("recording"):
                count, tell = planned.configs["diffusion"].demonstrations, partial(show, screen)
                recorded, _ = record(make_task("fork"), count, stage=stage, tell=tell)
                write_episodes(planned.data, recorded)
        if not all(_trained(Run(out / name), c, times) for name, c in planned.configs.items()):
            return None
        episodes = EpisodeOptions(episodes=planned.episodes, device=options.device)
        found: dict[str, Any] = {}
        for name in planned.configs:
            with times.of(f"evaluating {name}"):
                _, found[name] = evaluate_run(out / name, episodes, out=out / name / "evaluations")
    seconds = times.seconds
    policies = {name: load_policy(out / name) for name in planned.configs}
    demo = Demo(open_episodes(planned.data), policies, found, seconds)
    write_text(planned.page, demo_page(demo, machine=machine(options.device), folder=str(out)))
    show(
        results(as_json=options.json),
        "",
        _table(demo),
        "",
        summary(demo),
        "",
        f"In all this took {sum(seconds.values()):.0f} s: "
        f"{', '.join(f'{part} {spent:.0f} s' for part, spent in seconds.items())}.",
        f"Look at {planned.page} in a browser: it shows what happened, and what to try next.",
    )
    answer = {name: _answer(evaluation) for name, evaluation in found.items()}
    return {**answer, "report": str(planned.page), "seconds": seconds}


def _trained(run: Run, config: TrainConfig, times: Times) -> bool:
    """Train what is left to train; whether it was, to its end."""
    from steadyhand.studies.demo import left_to_train

    show(console(), "", f"{run.path.name}:")
    left = left_to_train(run, config)
    if left is None:
        show(console(), f"{run.path} is already trained.")
        return True
    try:
        with times.of(f"training {run.path.name}"):
            done = train_run(left, run.path, resume=run.exists)
    finally:
        times.save()
    return not done.get("interrupted")


def _table(demo: Any) -> Any:
    from steadyhand.reports.demo import SCORES, SEAM
    from steadyhand.reports.page import percent

    tried = demo.evaluations.values()
    count = next(iter(tried)).success.n
    rows = [(label, *(percent(f.scores[name]) for f in tried)) for name, label in SCORES.items()]
    rows.append((SEAM, *(found.smoothness.shortly() for found in tried)))
    return table(f"{count} episodes each, with 95 % intervals", ("", *demo.evaluations), rows)


def _answer(found: Any) -> dict[str, Any]:
    shares = {name: share.as_json() for name, share in found.scores.items()}
    return {
        "success": shares["success"],
        "modes": {"left": shares["left"], "right": shares["right"]},
        "collision": shares["collision"],
    }
