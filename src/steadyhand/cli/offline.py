"""`steadyhand evaluate --offline RUN`: against episodes that the policy was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from steadyhand.cli.frames import ready_frames
from steadyhand.cli.options import parse
from steadyhand.data import Episodes, open_episodes
from steadyhand.diffusion.sampling import SolverName
from steadyhand.disk import write_text
from steadyhand.errors import DataError, UsageError, nothing_at
from steadyhand.values import whole

if TYPE_CHECKING:
    from steadyhand.evaluation.offline import Judgement
    from steadyhand.policy.policy import Policy

MOST_SAMPLES = 1000


@dataclass(frozen=True, kw_only=True)
class Options:
    run: tyro.conf.Positional[Path]
    """A run (its last averaged weights) or one of its checkpoints."""
    data: Path | None = None
    """Demonstrations; what it was trained on unless named. Episodes trained on are left out."""
    samples: int = 8
    """Chunks predicted for each moment, from as many noises."""
    chart: tuple[int, ...] = ()
    """Episodes whose trajectories are drawn; the first two held out unless named."""
    solver: SolverName | None = None
    """Another solver than the policy's own, where its process allows it."""
    steps: int | None = None
    """Another number of network calls a chunk."""
    temperature: float | None = None
    """Another scale of the first noise."""
    skip_broken_episodes: bool = False
    """Leave out episodes that cannot be read, instead of stopping."""
    out: Path | None = None
    """Where the chart goes; RUN/evaluations/offline.html by default."""
    device: str = "auto"
    """cpu, cuda, mps, or auto."""
    json: bool = False
    """Print one JSON object on standard output."""


def run(arguments: Sequence[str]) -> dict[str, Any]:
    """Parse, judge, report."""
    options = parse(
        Options,
        arguments,
        verb="evaluate --offline",
        description="Compare predicted chunks with demonstrations that were not trained on.",
    )
    whole("--samples", options.samples, 1, MOST_SAMPLES)
    from steadyhand.cli.screen import console, progress, results, show, waiting

    with waiting("loading torch"):
        from steadyhand.evaluation.offline import divide, judge
        from steadyhand.policy.card import sampler_of
        from steadyhand.policy.device import choose_device
        from steadyhand.policy.storage import load_policy
        from steadyhand.reports.judgement import offline_page
        from steadyhand.reports.verdict import next_step, summary, verdict
        from steadyhand.runtime.card import read_provenance
        from steadyhand.runtime.folders import evaluations, find_policy

    folder = find_policy(options.run)
    origin = read_provenance(folder)
    sampler = sampler_of(folder, options.solver, options.steps, options.temperature)
    policy = load_policy(folder, sampler=sampler, device=choose_device(options.device))
    path = options.data or (Path(origin.data) if origin.data else None)
    if path is None:
        raise DataError("This policy was trained on data in memory. Name demonstrations: --data.")
    if not path.exists():
        raise DataError(f"{nothing_at('data', path)} Name where it is now with --data.")
    episodes = opened(path, policy, skip=options.skip_broken_episodes)
    fresh, known = divide(episodes, origin, policy.spec)
    if not fresh:
        way = "train with --validation-share above 0"
        if len(episodes) == 1:
            way = "record more episodes and train on those: one cannot be divided"
        raise DataError(
            f"Every episode of {path} was trained on. Name other data with --data, or {way}."
        )
    places = {episodes.number(place): place for place in fresh}
    wrong = [number for number in options.chart if number not in places]
    if wrong:
        raise UsageError(
            f"--chart names episode {wrong[0]}, which is not held out. Held out are: "
            f"{', '.join(str(number) for number in list(places)[:20])}."
        )
    library = episodes.subset(known) if known else None
    if library is None and origin.data and Path(origin.data).exists():
        before = opened(Path(origin.data), policy, skip=options.skip_broken_episodes)
        trained_on = divide(before, origin, policy.spec)[1]
        library = before.subset(trained_on) if trained_on else None
    if library is None:
        show(console(), "The episodes it was trained on are not at hand: no nearest neighbour.")
    held_out = episodes.subset(fresh)
    with progress("judging", held_out.steps - len(held_out)) as advance:
        found = judge(
            policy,
            held_out,
            numbers=list(places),
            training=library,
            samples=options.samples,
            watch=advance,
        )
    out = options.out or evaluations(options.run) / "offline.html"
    shown = [places[number] for number in options.chart] or fresh[:2]
    with waiting("drawing"):
        title = f"{options.run.resolve().name} against {path.name}"
        then = next_step(found, str(options.run), task=origin.task)
        text = offline_page(found, policy, episodes, shown, title=title, then=then)
        out.parent.mkdir(parents=True, exist_ok=True)
        write_text(out, text)
    screen = results(as_json=options.json)
    said = verdict(found)
    show(screen, table(found), summary(found), said, f"Chart: {out}", then)
    return {**found.as_json(), "verdict": said, "next": then, "chart": str(out)}


def opened(path: Path, policy: Policy, *, skip: bool) -> Episodes:
    """The demonstrations, their pictures in stores."""
    episodes = open_episodes(path, skip_broken_episodes=skip)
    images = [f for f in policy.spec.images if episodes.shapes.get(f.key) == f.recorded_shape]
    return ready_frames(episodes, images, skip_broken=skip)


def table(found: Judgement) -> Any:
    """The errors of policy and baselines, with their intervals."""
    from rich.table import Table

    made = Table(title="error of predicted actions, robot units", title_justify="left")
    for column in ("", "mean", "95 % over episodes", "of hold"):
        made.add_column(column)
    rows = {
        "policy, one sample": found.error,
        f"policy, best of {found.samples}": found.best,
        "hold the last action": found.hold,
        "nearest training moment": found.nearest,
    }
    for name, figure in rows.items():
        if figure is not None:
            interval = figure.bounds(".4g", "{} … {}")
            share = f"{figure.mean / found.hold.mean:.2f}" if found.hold.mean else ""
            made.add_row(name, f"{figure.mean:.4g}", interval, share)
    return made
