"""`steadyhand evaluate --offline RUN`: against episodes that the policy was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from steadyhand.cli.options import OnDevice, Printed, Sampled, flags, parse
from steadyhand.cli.screen import console, progress, results, show, stage, table, waiting
from steadyhand.disk import write_text
from steadyhand.errors import UsageError
from steadyhand.values import whole

if TYPE_CHECKING:
    from steadyhand.evaluation.offline import Judgement

MOST_SAMPLES = 1000


@flags
class Options(Sampled, OnDevice, Printed):
    """Compare predicted chunks with demonstrations that were not trained on."""

    run: tyro.conf.Positional[Path]
    """A run (its last averaged weights) or one of its checkpoints."""
    data: Path | None = None
    """Demonstrations; what it was trained on unless named. Episodes trained on are left out."""
    select: str = ""
    """Which of them, as 0:50, mask=valid or success+length>=20; of what it was trained on, those
    chosen for training by default."""
    samples: int = 8
    """Chunks predicted for each moment, from as many noises."""
    chart: tuple[int, ...] = ()
    """Episodes whose trajectories are drawn; the first two held out unless named."""
    skip_broken_episodes: bool = False
    """Leave out episodes that cannot be read, instead of stopping."""
    out: Path | None = None
    """Where the chart goes; RUN/evaluations/offline.html by default."""


def run(arguments: Sequence[str]) -> dict[str, Any]:
    options = parse(Options, "evaluate --offline", arguments)
    whole("--samples", options.samples, 1, MOST_SAMPLES)
    with waiting("loading torch"):
        from steadyhand.evaluation.held_out import fresh_episodes
        from steadyhand.evaluation.offline import judge
        from steadyhand.policy.card import sampler_of
        from steadyhand.policy.device import choose_device
        from steadyhand.policy.storage import load_policy
        from steadyhand.reports.judgement import offline_page
        from steadyhand.reports.seams import seams_told
        from steadyhand.reports.verdict import next_step, summary, verdict
        from steadyhand.runtime.card import read_provenance
        from steadyhand.runtime.folders import evaluations, find_policy

    folder = find_policy(options.run)
    origin = read_provenance(folder)
    sampler = sampler_of(folder, options.solver, options.steps, options.temperature)
    policy = load_policy(folder, sampler=sampler, device=choose_device(options.device))
    skip, tell = options.skip_broken_episodes, partial(show, console())
    fresh = fresh_episodes(
        policy,
        origin,
        options.data,
        select=options.select,
        skip_broken=skip,
        stage=stage,
        tell=tell,
    )
    wrong = [number for number in options.chart if number not in fresh.places]
    if wrong:
        raise UsageError(
            f"--chart names episode {wrong[0]}, which is not held out. Held out are: "
            f"{', '.join(str(number) for number in list(fresh.places)[:20])}."
        )
    held_out = fresh.held_out
    with progress("judging", held_out.steps - len(held_out)) as advance:
        found = judge(
            policy,
            held_out,
            numbers=list(fresh.places),
            training=fresh.library,
            samples=options.samples,
            watch=advance,
        )
    out = options.out or evaluations(options.run) / "offline.html"
    shown = [fresh.places[n] for n in options.chart or list(fresh.places)[:2]]
    with waiting("drawing"):
        path = options.data or Path(str(origin.data))
        title = f"{options.run.resolve().name} against {path.name}"
        then = next_step(found, str(options.run), task=origin.task)
        text = offline_page(found, policy, fresh.episodes, shown, title=title, then=then)
        out.parent.mkdir(parents=True, exist_ok=True)
        write_text(out, text)
    said = verdict(found)
    screen = results(as_json=options.json)
    seams = seams_told(found.seams)
    told = [line for line in (summary(found), said, seams) if line]
    show(screen, errors_table(found), *told, f"Chart: {out}", then)
    return {**found.as_json(), "verdict": said, "next": then, "chart": str(out)}


def errors_table(found: Judgement) -> Any:
    """The errors of policy and baselines, with their intervals."""
    rows = {
        "policy, one sample": found.error,
        f"policy, best of {found.samples}": found.best,
        "hold the last action": found.hold,
        "nearest training moment": found.nearest,
    }
    hold = found.hold.mean
    lines = (
        (name, f"{e.mean:.4g}", e.bounds(".4g", "{} … {}"), f"{e.mean / hold:.2f}" if hold else "")
        for name, e in rows.items()
        if e is not None
    )
    header = ("", "mean", "95 % over episodes", "of hold")
    return table("error of predicted actions, robot units", header, lines)
