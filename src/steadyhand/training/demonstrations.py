"""What is trained on, found or made: data that is named, or what the task's own expert records.

No torch here. Dividing and preparing is `material.py`.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

from steadyhand.data import Episodes, open_episodes
from steadyhand.data.hub import hub_name, is_on_hub, located
from steadyhand.data.stages import Stage, Tell, unseen, untold
from steadyhand.errors import ConfigurationError, DataError, nothing_at
from steadyhand.tasks import Demonstrated, Scores, Task, make_task, record_episodes
from steadyhand.training.config import TrainConfig

Check = Callable[[TrainConfig, Episodes], object]
"""Refuses what could not be trained on such demonstrations."""


def demonstrations(
    config: TrainConfig, out: Path, check: Check, stage: Stage = unseen, tell: Tell = untold
) -> tuple[TrainConfig, Episodes]:
    """What is trained on: the data named, or else what the task's expert does.

    Before any is recorded, `check` is given a few demonstrations. A run that was moved finds its
    own recording again; one that was killed before that was on disk records the same again.
    """
    path = out.resolve() / "demonstrations.npz"
    if config.data is not None and is_on_hub(config.data):
        goes_on = (out / "config.json").exists()  # its own file fetches nothing
        place = located(config.data, fetch=not goes_on)
        config, episodes = demonstrations(replace(config, data=place), out, check, stage, tell)
        return replace(config, data=Path(hub_name(place) or place)), episodes
    if config.data is not None and not config.data.exists() and path.exists():
        config = replace(config, data=path)
    moved = config.data is not None and config.data != path and not config.data.exists()
    if moved and (out / "config.json").exists():
        raise DataError(
            f"{nothing_at('data', cast(Path, config.data))} It is what this run was trained on: "
            "name where it is now with --data."
        )
    if config.data is not None and (config.data != path or path.exists()):
        skip = config.skip_broken_episodes
        episodes = open_episodes(config.data, select=config.select, skip_broken_episodes=skip)
        return replace(config, data=config.data.resolve()), episodes
    require_all(config)
    check(config, sample(config))
    recorded_here = recorded(config, stage, tell)
    return replace(config, data=path), replace(recorded_here, path=path)


def require_all(config: TrainConfig) -> None:
    """Raise `ConfigurationError` where some of what is only going to be recorded are chosen."""
    if config.select:
        raise ConfigurationError(
            f"select is '{config.select}', and no data is named to choose from. Name it with "
            "--data; how many are recorded is said with --demonstrations."
        )


def recorded(config: TrainConfig, stage: Stage = unseen, tell: Tell = untold) -> Episodes:
    """All the demonstrations that a configuration asks of its task's expert."""
    return record(_demonstrated(config), config.demonstrations, stage=stage, tell=tell)[0]


def record(
    task: Task,
    count: int,
    *,
    first_seed: int = 0,
    noise: float = 0.0,
    only_successful: bool = False,
    stage: Stage = unseen,
    tell: Tell = untold,
) -> tuple[Episodes, list[bool]]:
    """(demonstrations of the task's expert, whether each succeeds, where that is a score)."""
    outcomes: list[bool] = []
    with stage(f"recording {task.name}", max(count, 1)) as advance:

        def watch(scores: Scores) -> None:
            if "success" in scores:  # which a task of one's own need not have
                outcomes.append(bool(scores["success"]))
            advance(1)

        episodes = record_episodes(
            task,
            count,
            first_seed=first_seed,
            noise=noise,
            only_successful=only_successful,
            watch=watch,
        )
    succeed = f"; {sum(outcomes) / len(outcomes):.0%} succeed" if outcomes else ""
    tell(
        f"Recorded {len(episodes)} demonstrations of {task.name}, {episodes.steps} steps at "
        f"{episodes.rate_hz:g} Hz{succeed}."
    )
    return episodes, outcomes


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
