"""`steadyhand evaluate RUN`: closed loop in the task the policy was trained for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import tyro

from steadyhand.cli.acting import Acted
from steadyhand.cli.options import Opened, Printed, flags, parse
from steadyhand.cli.screen import console, progress, results, scores_table, show, stage, waiting
from steadyhand.errors import UsageError, library
from steadyhand.policy.named import is_address
from steadyhand.runtime.exported import is_export
from steadyhand.runtime.folders import evaluations, find_policy
from steadyhand.tasks import make_task, register_task

if TYPE_CHECKING:
    from steadyhand.evaluation.evaluate import Evaluation

MOST_LOST = 8
"""Lost episodes that are shown one by one."""


@flags
class EpisodeOptions(Opened, Acted):
    """What `evaluate` and `compare` share, and hand on as it is."""

    episodes: int = 50
    """Episodes, each with its own initial state; of several tasks, so many of each."""
    seed_start: int | None = None
    """First seed; the task's own by default (100000 on Push-T)."""
    execute: int | None = None
    """Another number of actions executed of each chunk."""
    parallel: int = 50
    """Environments stepped side by side, at most; the results do not depend on it."""
    processes: int | None = None
    """Processes that step them, 0 for none but this one; as many as are worth it by default, one a
    core at most. The results do not depend on it."""
    world_timeout: float = 60.0
    """Seconds for one tick, after which an environment in a process of its own is given up."""
    task: str | None = None
    """Another task than the one the policy was trained for; your own as FILE.py:function, which is
    run only where it is named."""
    instruction: str | None = None
    """What the policy is told to do, in other words than the task's own."""
    text_model: str | None = None
    """The text model by which the policy knows what words mean, where it has to be fetched."""

    @property
    def with_task(self) -> Self:
        """The options with the task known by its name: a file of the user's is run for it."""
        return self if self.task is None else replace(self, task=register_task(self.task))


@flags
class Options(EpisodeOptions, Printed):
    """Try a policy in the task it was trained for, with 95 % intervals. With --offline, against
    demonstrations that it was not trained on: evaluate --offline --help."""

    run: tyro.conf.Positional[str]
    """A run (its last averaged weights), one of its checkpoints, an export, or the address of a
    server, ws://HOST:PORT/POLICY."""
    video: int = 0
    """Film so many of the first episodes."""
    out: Path | None = None
    """Where episodes and videos go; RUN/evaluations by default."""


def run(arguments: Sequence[str]) -> dict[str, Any]:
    if "--offline" in arguments:
        from steadyhand.cli.offline import run as run_offline

        return run_offline([word for word in arguments if word != "--offline"])
    options = parse(Options, "evaluate", arguments).with_task
    if options.video < 0:
        raise UsageError(f"--video is {options.video}; it is a number of episodes.")
    found_at(options.run)
    options.opening.refuse_unused(options.run)
    if options.video:
        library("av")
    out = options.out or place_of(options.run)
    file, found = evaluate_run(options.run, options, video=options.video, out=out)
    filmed = {f"{file.stem}-{e.seed}.mp4": e.frames for e in found.episodes if e.frames}
    films = [str(out / name) for name in filmed]
    if filmed:
        from steadyhand.evaluation.video import write_video

        with progress("writing films", len(films)) as advance:
            for name, frames in filmed.items():
                write_video(out / name, frames, make_task(found.task).rate_hz)
                advance(1)
    smooth, chunk = found.smoothness, found.chunk_ms
    coverage = "Coverage is told in units of the 0.95 that success needs, at most 1."
    show(
        results(as_json=options.json),
        scores_table(f"{options.run}: {len(found.episodes)} episodes", _tables(found), of="task"),
        *([coverage] if "max_coverage" in found.scores else []),
        f"One chunk takes {chunk['median']:.1f} ms (95 % under {chunk['p95']:.1f} ms).",
        f"Smoothness: {smooth.in_words()} ({smooth.boundary_jump:.3g} and {smooth.inner_step:.3g} "
        "robot units from tick to tick).",
        *latency_lines(found, options),
        f"Initial states: {found.initial_states}.",
        stepped_in(found.processes),
        *lost_lines(found),
        *(f"Video: {film}" for film in films),
        f"Episodes: {file}",
    )
    return {**found.as_json(), "episodes_file": str(file), "videos": films}


def latency_lines(found: Evaluation, options: EpisodeOptions) -> list[str]:
    """What latency did, where there was any."""
    acting, waiting = options.acting, found.waiting
    if not acting.latency:
        return []
    late = acting.latency
    jitter = f" ± {1000 * late.jitter:g}" if late.jitter else ""
    lost = f"; {waiting.lost} answers were lost" if late.drop else ""
    return [
        f"Chunks were {1000 * late.seconds:g}{jitter} ms late: by {acting.controller} the robot "
        f"had nothing to do in {100 * waiting.held:.1f} % of the ticks, and knew of a change "
        f"{waiting.reaction_ms:.0f} ms later{lost}."
    ]


def _tables(found: Evaluation) -> dict[str, Any]:
    """The scores of all episodes, and of each task where there are several."""
    return {"all": found.scores, **found.tasks} if found.tasks else {"": found.scores}


def stepped_in(processes: int) -> str:
    """Where environments were stepped, in words."""
    many = f"{processes} processes" if processes > 1 else "a process of their own"
    return f"Environments were stepped in {many if processes else 'this process'}."


def lost_lines(found: Evaluation, of: str = "") -> list[str]:
    """What is said of episodes that were lost: how many, and why each of the first."""
    if not found.lost:
        return []
    shown = [f"  seed {one.seed}: {one.why}" for one in found.lost[:MOST_LOST]]
    rest = len(found.lost) - len(shown)
    more = [f"  and {rest} more, in the episodes' file"] if rest else []
    count = len(found.lost)
    return [f"Episodes lost{of} with their worlds, and not counted: {count}.", *shown, *more]


def found_at(name: str) -> str | Path:
    """Where the policy that is named is, the same however it is named.

    Raises `CheckpointError` where none is.
    """
    if is_address(name):
        return name
    return Path(name).resolve() if is_export(name) else find_policy(name).resolve()


def place_of(name: str) -> Path:
    """Where what is found out about a policy goes unless it is said; of a server's, into here."""
    return Path("evaluations") if is_address(name) else evaluations(Path(name))


def evaluate_run(
    path: str | Path, options: EpisodeOptions, *, out: Path, video: int = 0
) -> tuple[Path, Evaluation]:
    """(the episodes' file in `out`, the outcome) for what is named under these options."""
    with waiting("loading torch"):
        from steadyhand.evaluation.attempt import attempt

    acting = options.acting
    shared = {field.name for kind in (Acted, Opened) for field in fields(kind)}
    names = {field.name for field in fields(EpisodeOptions)} - shared
    asked = {name: getattr(options, name) for name in names}
    tell = partial(show, console())
    how = options.opening
    return attempt(
        path, out, opening=how, films=video, acting=acting, stage=stage, tell=tell, **asked
    )
