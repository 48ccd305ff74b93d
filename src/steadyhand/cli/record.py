"""`steadyhand record`: an expert's demonstrations of a task, to train on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

from steadyhand.cli.options import parse
from steadyhand.cli.screen import console, progress, show
from steadyhand.data import Episodes, open_episodes
from steadyhand.data.formats import require_free, write_episodes
from steadyhand.errors import DataError, nothing_at
from steadyhand.evaluation.metrics import Interval, rate
from steadyhand.tasks import Demonstrated, Scores, Task, make_task, record_episodes
from steadyhand.training.config import TrainConfig

Check = Callable[[TrainConfig, Episodes], object]
"""Refuses what could not be trained on such demonstrations."""


@dataclass(frozen=True, kw_only=True)
class Options:
    out: Path
    """Where they go; it must be new."""
    task: str = "fork"
    """What is demonstrated, with settings as fork:gap=0.1,commit=0.5."""
    episodes: int = 200
    """How many demonstrations."""
    format: Literal["npz", "zarr"] | None = None
    """How they are written; by the ending of --out unless named."""
    seed: int = 0
    """First seed: each demonstration has its own, counted from here."""
    json: bool = False
    """Print one JSON object on standard output."""


def run(arguments: Sequence[str]) -> dict[str, Any]:
    """Parse, record, write."""
    options = parse(
        Options,
        arguments,
        verb="record",
        description="Write the demonstrations of a task's own expert.",
    )
    require_free(options.out, options.format)
    task = make_task(options.task)
    episodes, success = record(task, options.episodes, first_seed=options.seed)
    write_episodes(options.out, episodes, options.format)
    show(console(), f"Written to {options.out}")
    return {
        "episodes": len(episodes),
        "steps": episodes.steps,
        "success": success.as_json(),
        "path": str(options.out),
    }


def record(task: Task, count: int, *, first_seed: int = 0) -> tuple[Episodes, Interval]:
    """(demonstrations of the task's expert, how many succeed), with a progress bar."""
    outcomes: list[bool] = []
    with progress(f"recording {task.name}", max(count, 1)) as advance:

        def watch(scores: Scores) -> None:
            outcomes.append(bool(scores["success"]))
            advance(1)

        episodes = record_episodes(task, count, first_seed=first_seed, watch=watch)
    success = rate(outcomes)
    show(
        console(),
        f"Recorded {len(episodes)} demonstrations of {task.name}, {episodes.steps} steps at "
        f"{episodes.rate_hz:g} Hz; {success.mean:.0%} succeed.",
    )
    return episodes, success


def demonstrations(config: TrainConfig, out: Path, check: Check) -> tuple[TrainConfig, Episodes]:
    """What is trained on: the data named, or else what the task's expert does.

    Before any is recorded, `check` is given a few demonstrations. A run that was moved finds its
    own recording again; one that was killed before that was on disk records the same again.
    """
    path = out.resolve() / "demonstrations.npz"
    if config.data is not None and not config.data.exists() and path.exists():
        config = replace(config, data=path)
    moved = config.data is not None and config.data != path and not config.data.exists()
    if moved and (out / "config.json").exists():
        raise DataError(
            f"{nothing_at('data', cast(Path, config.data))} It is what this run was trained on: "
            "name where it is now with --data."
        )
    if config.data is not None and (config.data != path or path.exists()):
        return replace(config, data=config.data.resolve()), open_episodes(
            config.data, skip_broken_episodes=config.skip_broken_episodes
        )
    check(config, sample(config))
    return replace(config, data=path), replace(recorded(config), path=path)


def recorded(config: TrainConfig) -> Episodes:
    """All the demonstrations that a configuration asks of its task's expert."""
    return record(_demonstrated(config), config.demonstrations)[0]


def sample(config: TrainConfig) -> Episodes:
    """A few of the demonstrations that are going to be recorded. Raises `DataError` for none."""
    few = record_episodes(_demonstrated(config), min(8, config.demonstrations))
    longest = int(few.lengths.max())
    if longest < config.chunking.horizon < 1.5 * longest:
        # One of all may be long enough: with them as one episode, all else can be checked.
        return replace(few, ends=few.ends[-1:])
    return few


def _demonstrated(config: TrainConfig) -> Task:
    task = make_task(config.task) if config.task else None
    if not isinstance(task, Demonstrated):
        raise DataError(
            "Name the demonstrations with --data PATH: a LeRobot data set, .hdf5, .zarr or .npz."
        )
    return task
