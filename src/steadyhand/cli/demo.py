"""`steadyhand demo`: regression and diffusion on `fork`, side by side, with a report.

It does what `record`, `train` and `evaluate` do, into one folder; started again with the same
folder, it goes on from where it was.
"""

import json
import os
import platform
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from steadyhand.cli.evaluate import EpisodeOptions, evaluate_run
from steadyhand.cli.options import parse
from steadyhand.cli.record import record
from steadyhand.cli.screen import console, results, show, waiting
from steadyhand.cli.train import train_run
from steadyhand.data import open_episodes, write_episodes
from steadyhand.disk import write_json, write_text
from steadyhand.errors import UsageError
from steadyhand.recipes import recipe
from steadyhand.tasks import Fork
from steadyhand.training.config import TrainConfig

KEPT = ("recording", "training")
"""What is done once; the rest is done, and timed, each time."""
METHODS = {"regression": "regression", "diffusion": "ddpm"}


@dataclass(frozen=True, kw_only=True)
class Options:
    out: Path | None = None
    """Where everything goes; runs/demo by default. What is trained there is not trained again."""
    quick: bool = False
    """Two fifths of the training and half of the episodes."""
    seed: int = 0
    """Of the training."""
    device: str = "auto"
    """cpu, cuda, mps, or auto."""
    json: bool = False
    """Print one JSON object on standard output."""


def run(arguments: Sequence[str]) -> dict[str, Any]:
    """Parse, then record, train twice, evaluate twice and write the report."""
    options = parse(
        Options,
        arguments,
        verb="demo",
        description="Teach two policies to drive around an obstacle, and see what they make of it.",
    )
    out = options.out or Path("runs") / ("demo-quick" if options.quick else "demo")
    try:
        found = _demo(options, out)
    except KeyboardInterrupt:
        found = None
    if found is None:
        words = ["steadyhand", "demo", *(["--quick"] if options.quick else []), "--out", str(out)]
        words += ["--seed", str(options.seed)] if options.seed else []
        show(console(), f"Stopped; what was saved is kept. Continue: {shlex.join(words)}")
        return {"out": str(out), "interrupted": True}
    return found


def _demo(options: Options, out: Path) -> dict[str, Any] | None:
    """What the verb answers; None where training was stopped."""
    screen, seconds = console(), _read_times(out)
    with waiting("loading torch"), _timed(seconds, "loading"):
        from steadyhand.policy.device import choose_device
        from steadyhand.policy.storage import load_policy
        from steadyhand.studies.demo import Demo, report, summary
        from steadyhand.studies.runs import alone

    choose_device(options.device)  # refused now, and not after the recording
    show(screen, "Two policies learn to drive around an obstacle. Left and right are both right.")
    configs = {name: _config(options, method, out) for name, method in METHODS.items()}
    _require_free(out)
    for name, config in configs.items():
        _require_same(out / name, config)
    with alone(out):
        data = out / "demonstrations.npz"
        if not data.exists():
            with _timed(seconds, "recording"):
                write_episodes(data, record(Fork(), configs["diffusion"].demonstrations)[0])
        for name, config in configs.items():
            show(screen, f"\n{name}:")
            try:
                stopped = _train(out / name, config, seconds)
            finally:
                write_json(out / "times.json", seconds)
            if stopped:
                return None
        episodes = EpisodeOptions(episodes=50 if options.quick else 100, device=options.device)
        found: dict[str, Any] = {}
        for name in configs:
            with _timed(seconds, f"evaluating {name}"):
                _, found[name] = evaluate_run(out / name, episodes, out=out / name / "evaluations")
    policies = {name: load_policy(out / name) for name in configs}
    demo = Demo(open_episodes(data), policies, found, seconds)
    page = out / "report.html"
    write_text(page, report(demo, machine=_machine(options.device), folder=str(out)))
    times = ", ".join(f"{part} {spent:.0f} s" for part, spent in seconds.items())
    show(
        results(as_json=options.json),
        "",
        _table(demo),
        "",
        summary(demo),
        "",
        f"In all this took {sum(seconds.values()):.0f} s: {times}.",
        f"Look at {page} in a browser: it shows what happened, and what to try next.",
    )
    answer = {name: _answer(evaluation) for name, evaluation in found.items()}
    return {**answer, "report": str(page), "seconds": seconds}


def _train(folder: Path, config: TrainConfig, seconds: dict[str, float]) -> bool:
    """Train what is left to train; whether it was stopped. The time of several sittings adds up."""
    from steadyhand.training.checkpoint import Run

    run, part = Run(folder), f"training {folder.name}"
    if run.exists and run.resume_step() == config.steps:
        show(console(), f"{folder} is already trained.")
        seconds.setdefault(part, 0.0)
        return False
    if run.exists:
        config = replace(config, threads=run.read_config().threads)
    with _timed(seconds, part):
        done = train_run(config, folder, resume=run.exists)
    return bool(done.get("interrupted"))


def _read_times(out: Path) -> dict[str, float]:
    """How long the parts took that were done before."""
    try:
        found = json.loads((out / "times.json").read_text())
        return {part: float(spent) for part, spent in found.items() if part.startswith(KEPT)}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _config(options: Options, method: str, out: Path) -> TrainConfig:
    config = recipe("fork", method=method)
    return replace(
        config,
        steps=config.steps * 2 // 5 if options.quick else config.steps,
        seed=options.seed,
        device=options.device,
        data=(out / "demonstrations.npz").resolve(),
    )


def _require_free(out: Path) -> None:
    """Raise `UsageError` where the folder holds anything that is not a demo's."""
    known = {"demonstrations.npz", "report.html", "times.json", *METHODS}
    held = [p.name for p in out.iterdir()] if out.is_dir() else [out.name] if out.exists() else []
    foreign = [name for name in held if name not in known and not name.startswith(".")]
    if foreign:
        raise UsageError(
            f"{out} holds something else already ({', '.join(sorted(foreign)[:3])}), and is left "
            "as it is. Choose another --out."
        )


def _require_same(run: Path, config: TrainConfig) -> None:
    """Raise `UsageError` where the folder holds a demo that was started with other settings."""
    from steadyhand.training.checkpoint import Run

    if not (run / "config.json").exists():
        return
    there = Run(run).read_config()
    free = ("device", "precision", "threads", "data")
    if replace(there, **{name: getattr(config, name) for name in free}) != config:
        raise UsageError(
            f"{run.parent} holds a demo with other settings (another --seed or --quick, or another "
            "version of steadyhand). Choose another --out."
        )


@contextmanager
def _timed(seconds: dict[str, float], part: str) -> Iterator[None]:
    begun = time.perf_counter()
    try:
        yield
    finally:
        seconds[part] = seconds.get(part, 0.0) + time.perf_counter() - begun


def _machine(device: str) -> str:
    import torch

    from steadyhand.policy.device import choose_device

    return (
        f"On {choose_device(device)}; {os.cpu_count()} CPU cores, {platform.machine()}, "
        f"{platform.system()}; Python {platform.python_version()}, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads"
    )


def _table(demo: Any) -> Any:
    from rich.table import Table

    from steadyhand.evaluation.report import percent
    from steadyhand.studies.demo import SCORES

    count = next(iter(demo.evaluations.values())).success.n
    table = Table(title=f"{count} episodes each, with 95 % intervals", title_justify="left")
    table.add_column("")
    for name in demo.evaluations:
        table.add_column(name)
    for score, label in SCORES.items():
        table.add_row(label, *(percent(found.scores[score]) for found in demo.evaluations.values()))
    return table


def _answer(found: Any) -> dict[str, Any]:
    shares = {name: share.as_json() for name, share in found.scores.items()}
    return {
        "success": shares["success"],
        "modes": {"left": shares["left"], "right": shares["right"]},
        "collision": shares["collision"],
    }
