"""A row of a study that is to come: a policy, trained once a seed, and how it is tried.

From rows to runs: on which demonstrations each is trained, recorded once where none are named.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from steadyhand.data import Episodes, write_episodes
from steadyhand.data.hub import is_on_hub, located
from steadyhand.data.stages import Stage, Tell, unseen, untold
from steadyhand.errors import UsageError
from steadyhand.evaluation.evaluate import seeds_of
from steadyhand.studies.asked import method_name, network_name
from steadyhand.studies.folder import RunFolder
from steadyhand.studies.plan import PlannedRun, Trial, demonstrations, fingerprint
from steadyhand.studies.runs import alone
from steadyhand.tasks import make_task
from steadyhand.tasks.own import file_word, mark_of
from steadyhand.training.begin import check_task
from steadyhand.training.config import TrainConfig
from steadyhand.training.demonstrations import recorded, require_all, sample
from steadyhand.training.train import build_policy


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One row that is to come."""

    factors: Mapping[str, Any]
    """What tells it from the others, as it stands in the table: {"solver": "ddim", "steps": 5}."""
    config: TrainConfig
    """Of every seed, but for the seed; and for the data where none is named."""
    trial: Trial
    teacher: TrainConfig | None = None
    """What each learns from, where it is distilled."""
    subset: int | None = None
    """So many of the demonstrations, others a seed; all where none is said."""

    @property
    def label(self) -> str:
        """Its factors in a line."""
        return ", ".join(f"{name} {value}" for name, value in self.factors.items())

    @property
    def of_chosen(self) -> "Cell":
        """The same, where its data holds no others than those chosen."""
        config, teacher = replace(self.config, select=""), self.teacher
        teacher = None if teacher is None else replace(teacher, select="")
        return replace(self, config=config, teacher=teacher)

    @property
    def task(self) -> str:
        """Where it is tried."""
        return self.trial.task or self.config.task or ""

    def runs(self, seeds: int, data: Sequence[Path], marks: Mapping[Path, str]) -> list[PlannedRun]:
        """One a seed, on the demonstrations at `data`, one path a seed, of such fingerprints."""
        found: list[PlannedRun] = []
        for seed, path in zip(range(seeds), data, strict=True):
            run = _run(replace(self.config, seed=seed, data=path), marks[path])
            if self.teacher is not None:
                teacher = replace(self.teacher, seed=seed, data=path)
                run = replace(run, distilled_from=_run(teacher, marks[path]))
            found.append(replace(run, trials=(self.trial,)))
        return found


def _run(config: TrainConfig, mark: str) -> PlannedRun:
    """A run that has the same name in whatever study asks for it: what was trained is shared."""
    task = file_word(make_task(config.task or "").name)[:60]
    seen, rows = config.chunking.obs_steps, config.chunking.horizon
    name = f"{task}-{method_name(config)}-{network_name(config)}-{seen}to{rows}-{config.seed}"
    return PlannedRun(name=name, config=config, fingerprint=mark)


def runs_of(
    cells: Sequence[Cell],
    seeds: int,
    folder: Path,
    stage: Stage = unseen,
    tell: Tell = untold,
) -> list[list[PlannedRun]]:
    """The runs of each cell, one a seed. Demonstrations that are recorded or divided go into
    `folder`.

    What can be refused is, before any are recorded. Raises all that any part of it does.
    """
    checked: list[TrainConfig] = []
    for cell in cells:
        if cell.config.data is None:
            require_all(cell.config)
        task = make_task(cell.trial.task or cell.config.task or "")
        seeds_of(task, cell.trial.episodes, cell.trial.seed_start)
        if cell.config not in checked:
            check([cell.config], _sample(cell.config), tell if not checked else untold)
            checked.append(cell.config)
    marks: dict[Path, str] = {}
    found: list[list[PlannedRun]] = []
    for cell in cells:
        pool = cell.config.data
        if pool is None:
            pool = folder / f"{_slug(cell.config)}.npz"
            recorded_once(cell.config, pool, stage, tell)
        pool = located(pool).absolute() if is_on_hub(pool) else pool.resolve()
        data = [pool] * seeds
        if cell.subset is not None:
            data = [_part(cell, pool, folder, seed) for seed in range(seeds)]
        if pool not in data:
            cell = cell.of_chosen
        for path in data:
            if path not in marks:
                marks[path] = fingerprint(demonstrations(replace(cell.config, data=path)))
        found.append(cell.runs(seeds, data, marks))
    return found


def longest_demonstration(config: TrainConfig) -> int:
    """Steps; of an expert's, in a few of them."""
    return int(_sample(config).lengths.max())


def _sample(config: TrainConfig) -> Episodes:
    return sample(config) if config.data is None else demonstrations(config)


def check(configs: Sequence[TrainConfig], episodes: Episodes, tell: Tell = untold) -> None:
    """Raise where one of them cannot be trained on `episodes`, or not tried after that."""
    specs = [build_policy(config, episodes).spec for config in configs]
    check_task(make_task(configs[0].task or ""), specs[0], tell)


def recorded_once(
    config: TrainConfig, path: Path, stage: Stage = unseen, tell: Tell = untold
) -> None:
    """The demonstrations of the task's expert at `path`, recorded now or another time.

    Raises `UsageError` where those that are there are of another task.
    """
    said = {"task": config.task, "episodes": config.demonstrations}
    if (mark := mark_of(config.task)) is not None:
        said["mark"] = mark
    folder, card = RunFolder(path.parent), path.with_suffix(".json").name
    with alone(path.parent):
        if not path.exists():
            folder.write(card, said)
            write_episodes(path, recorded(config, stage, tell))
    if folder.read(card) != said:
        raise UsageError(
            f"{path} was not recorded of {config.task} as it is now, and is left alone. "
            "Choose another --out, or name it with --data."
        )


def _slug(config: TrainConfig) -> str:
    return f"{file_word(make_task(config.task or '').name)}-{config.demonstrations}"


def _part(cell: Cell, pool: Path, folder: Path, seed: int) -> Path:
    """So many of the demonstrations, chosen by the seed: more of them hold those of fewer."""
    count, config = cell.subset, replace(cell.config, data=pool)
    episodes = demonstrations(config)
    if count == len(episodes):
        return pool
    path = folder.resolve() / f"{_slug(config)}-{fingerprint(episodes)}-{count}-{seed}.npz"
    if not path.exists():
        order = np.random.default_rng([seed, 17]).permutation(len(episodes))
        folder.mkdir(parents=True, exist_ok=True)
        write_episodes(path, episodes.subset(np.sort(order[:count])))
    return path
