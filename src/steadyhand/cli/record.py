"""`steadyhand record`: an expert's demonstrations of a task, to train on."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from steadyhand.cli.options import Printed, flags, parse
from steadyhand.cli.screen import console, show, stage
from steadyhand.data.formats import require_free, write_episodes
from steadyhand.evaluation.metrics import rate
from steadyhand.tasks import make_task, register_task
from steadyhand.training.demonstrations import record


@flags
class Options(Printed):
    """Write the demonstrations of a task's own expert."""

    out: Path
    """Where they go; it must be new."""
    task: str = "fork"
    """What is demonstrated: fork, intercept, metaworld/reach-v3, with settings as fork:gap=0.1;
    several with a plus between; your own as FILE.py:function."""
    episodes: int = 200
    """How many demonstrations."""
    format: Literal["npz", "zarr", "lerobot"] | None = None
    """How they are written; by the ending of --out unless named."""
    seed: int = 0
    """First seed: each demonstration has its own, counted from here."""
    noise: float = 0.0
    """Standard deviation of what is added to actions as they are executed, in their own units, and
    not to what is recorded: so the data shows how to recover."""
    only_successful: bool = False
    """Leave out episodes in which the expert fails; others take their place."""


def run(arguments: Sequence[str]) -> dict[str, Any]:
    options = parse(Options, "record", arguments)
    require_free(options.out, options.format)
    task, screen = make_task(register_task(options.task)), console()
    episodes, outcomes = record(
        task,
        options.episodes,
        first_seed=options.seed,
        noise=options.noise,
        only_successful=options.only_successful,
        stage=stage,
        tell=partial(show, screen),
    )
    write_episodes(options.out, episodes, options.format)
    show(screen, f"Written to {options.out}")
    return {
        "episodes": len(episodes),
        "steps": episodes.steps,
        "success": rate(outcomes).as_json() if outcomes else None,
        "path": str(options.out),
    }
