"""`steadyhand evaluate RUN`: closed loop in the task the policy was trained for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from steadyhand.cli.options import parse
from steadyhand.diffusion.sampling import SolverName
from steadyhand.errors import ConfigurationError, UsageError, library

if TYPE_CHECKING:
    from steadyhand.evaluation.evaluate import Evaluation


@dataclass(frozen=True, kw_only=True)
class EpisodeOptions:
    """What `evaluate` and `compare` share."""

    episodes: int = 50
    """Episodes, each with its own initial state."""
    seed_start: int | None = None
    """First seed; the task's own by default (100000 on Push-T)."""
    solver: SolverName | None = None
    """Another solver than the policy's own, where its process allows it."""
    steps: int | None = None
    """Another number of network calls a chunk."""
    temperature: float | None = None
    """Another scale of the first noise; below 1 chunks are likelier and less diverse."""
    execute: int | None = None
    """Another number of actions executed of each chunk."""
    parallel: int = 50
    """Environments stepped together; the results do not depend on it."""
    task: str | None = None
    """Another task than the one the policy was trained for."""
    device: str = "auto"
    """cpu, cuda, mps, or auto."""
    json: bool = False
    """Print one JSON object on standard output."""


@dataclass(frozen=True, kw_only=True)
class Options(EpisodeOptions):
    run: tyro.conf.Positional[Path]
    """A run (its last averaged weights) or one of its checkpoints."""
    video: int = 0
    """Film so many of the first episodes."""
    out: Path | None = None
    """Where episodes and videos go; RUN/evaluations by default."""


def run(arguments: Sequence[str]) -> dict[str, Any]:
    """Parse, evaluate, report."""
    if "--offline" in arguments:
        from steadyhand.cli.offline import run as run_offline

        return run_offline([word for word in arguments if word != "--offline"])
    options = parse(
        Options,
        arguments,
        verb="evaluate",
        description="Try a policy in the task it was trained for, with 95 % intervals. With "
        "--offline, against demonstrations that it was not trained on: evaluate --offline --help.",
    )
    if options.video < 0:
        raise UsageError(f"--video is {options.video}; it is a number of episodes.")
    from steadyhand.cli.screen import progress, results, scores_table, show
    from steadyhand.evaluation.video import write_video
    from steadyhand.runtime.folders import evaluations, find_policy
    from steadyhand.tasks import make_task

    find_policy(options.run)
    if options.video:
        library("av")
    out = options.out or evaluations(options.run)
    file, found = evaluate_run(options.run, options, video=options.video, out=out)
    filmed = [episode for episode in found.episodes if episode.frames]
    films = [str(out / f"{file.stem}-{episode.seed}.mp4") for episode in filmed]
    if filmed:
        with progress("writing films", len(films)) as advance:
            for path, episode in zip(films, filmed, strict=True):
                write_video(Path(path), episode.frames, make_task(found.task).rate_hz)
                advance(1)
    smooth, chunk = found.smoothness, found.chunk_ms
    coverage = "Coverage is told in units of the 0.95 that success needs, at most 1."
    show(
        results(as_json=options.json),
        scores_table(f"{options.run}: {len(found.episodes)} episodes", {"": found.scores}),
        *([coverage] if "max_coverage" in found.scores else []),
        f"One chunk takes {chunk['median']:.1f} ms (95 % under {chunk['p95']:.1f} ms).",
        f"From tick to tick the action moves {smooth.inner_step:.3g} robot units within a chunk, "
        f"{smooth.boundary_jump:.3g} where a new one begins: the nearer, the smoother.",
        f"Initial states: {found.initial_states}.",
        *(f"Video: {film}" for film in films),
        f"Episodes: {file}",
    )
    return {**found.as_json(), "episodes_file": str(file), "videos": films}


def evaluate_run(
    path: Path, options: EpisodeOptions, *, out: Path, video: int = 0
) -> tuple[Path, Evaluation]:
    """(the episodes' file in `out`, the outcome) for a run or checkpoint under these options."""
    from steadyhand.cli.screen import console, progress, show, waiting

    with waiting("loading torch"):
        from steadyhand.evaluation.evaluate import EpisodesFile, evaluate, seeds_of
        from steadyhand.policy.card import sampler_of
        from steadyhand.policy.device import choose_device
        from steadyhand.policy.storage import load_policy
        from steadyhand.runtime.card import read_provenance
        from steadyhand.runtime.folders import find_policy, run_of
        from steadyhand.tasks import make_task

    folder = find_policy(path)
    device = choose_device(options.device)
    origin = read_provenance(folder)
    name = options.task or origin.task
    if name is None:
        raise ConfigurationError(
            f"{path} was trained for no task that could be simulated. Try it on the robot "
            "(docs/robot.md), in a task of your own (evaluate(policy, task) in Python), or against "
            f"demonstrations: steadyhand evaluate --offline {path}"
        )
    task = make_task(name)
    sampler = sampler_of(folder, options.solver, options.steps, options.temperature)
    policy = load_policy(folder, sampler=sampler, device=device)
    execute = options.execute or policy.spec.chunking.execute
    first = seeds_of(task, options.episodes, options.seed_start)[0]
    heat = "" if sampler.temperature == 1 else f"-temperature{sampler.temperature:g}"
    label = (
        f"{task.name}-step{origin.step}-{sampler.solver}{sampler.steps}{heat}-execute{execute}"
        f"-seed{first}-{options.episodes}"
    )
    run = run_of(path).resolve()
    if out.resolve() != run / "evaluations":
        label = f"{run.name}-{label}"  # where several runs may be evaluated
    # Settings in a task's name have characters that not every file system takes.
    file = EpisodesFile(out / f"{re.sub('[:=,]', '-', label)}.jsonl")
    try:
        with file, progress(f"evaluating {path.name}", options.episodes) as advance:
            found = evaluate(
                policy,
                task,
                episodes=options.episodes,
                seed_start=first,
                execute=options.execute,
                parallel=options.parallel,
                film=range(first, first + video),
                watch=lambda episode: (file.append(episode), advance(1)),
            )
    except KeyboardInterrupt:
        if file.partial.exists():
            show(console(), f"The episodes that ended are in {file.partial}")
        raise
    return file.path, found
