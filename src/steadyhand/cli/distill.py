"""`steadyhand distill RUN`: a policy of one or a few network calls, from one of many."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import tyro

from steadyhand.cli.options import OnDevice, Printed, flags, parse
from steadyhand.cli.screen import waiting
from steadyhand.cli.train import tell, train_run
from steadyhand.data.hub import located
from steadyhand.errors import UsageError
from steadyhand.tasks import register_task
from steadyhand.values import whole


@flags
class Options(OnDevice, Printed):
    """Teach a policy to do in one network call what another does in many."""

    run: tyro.conf.Positional[Path]
    """The run whose policy is the teacher (trained with --method flow or ddpm), or a checkpoint."""
    out: Path | None = None
    """The run's folder; it must be new. RUN-distilled by default."""
    minutes: float | None = None
    """Train for about so long; half of the teacher's steps by default."""
    steps: int | None = None
    """Optimiser steps, instead of minutes."""
    levels: int = 10
    """Times between noise and the clean end at which neighbours are made to agree."""
    data: Path | None = None
    """Where the teacher's demonstrations are now, if they were moved."""
    task: str | None = None
    """The task once more where it is your own: FILE.py:function, which is run only where named."""


def run(arguments: Sequence[str]) -> dict[str, Any]:
    options = parse(Options, "distill", arguments)
    if options.minutes is not None and options.steps is not None:
        raise UsageError("Give --steps or --minutes, not both: minutes fix a number of steps.")
    for name in ("steps", "levels"):
        if (value := getattr(options, name)) is not None:
            whole(f"--{name}", value)
    with waiting("loading torch"):
        from steadyhand.policy.card import read_config
        from steadyhand.runtime.folders import find_policy, run_of
        from steadyhand.training.checkpoint import Run
        from steadyhand.training.teacher import student_config, student_training

    folder = find_policy(options.run)
    run = run_of(options.run).resolve()
    begun = Run(run).read_config()
    recorded = run / "demonstrations.npz"
    moved = begun.data is not None and not begun.data.exists() and recorded.exists()
    policy = student_config(read_config(folder))
    process = replace(policy.process, levels=options.levels)  # type: ignore[type-var]
    config = replace(
        student_training(begun, replace(policy, process=process)),
        teacher=folder.resolve(),
        data=options.data or (recorded if moved else _where(begun.data)),
        task=begun.task if options.task is None else register_task(options.task),
        device=options.device,
        minutes=options.minutes,
        steps=max(1, begun.steps // 2) if options.steps is None else options.steps,
    )
    out = options.out or run.with_name(f"{run.name}-distilled")
    return tell(train_run(config, out, resume=False), config)


def _where(data: Path | None) -> Path | None:
    """Where a run says that its data lies; nothing is fetched for that."""
    return None if data is None else located(data, fetch=False)
