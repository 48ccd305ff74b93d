"""A grid of methods and networks on one task: which runs it takes, and on which demonstrations."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from steadyhand.data import Episodes, write_episodes
from steadyhand.data.stages import Stage, Tell, unseen, untold
from steadyhand.errors import ConfigurationError, UsageError, unknown
from steadyhand.evaluation.evaluate import seeds_of
from steadyhand.methods.choices import Consistency
from steadyhand.recipes import recipe
from steadyhand.recipes.methods import METHODS, NETWORKS
from steadyhand.runtime.own_file import own_name
from steadyhand.studies.folder import RunFolder
from steadyhand.studies.plan import PlannedRun, Trial, demonstrations, fingerprint
from steadyhand.studies.runs import alone
from steadyhand.tasks import make_task
from steadyhand.tasks.own import family_of, mark_of
from steadyhand.training.begin import check_task
from steadyhand.training.config import TrainConfig
from steadyhand.training.demonstrations import recorded, sample
from steadyhand.training.teacher import student_config, student_training
from steadyhand.training.train import build_policy

RECIPES = {"fork": "fork", "pusht": "pusht_state"}
"""What a task's policies are trained by, unless said otherwise."""
OWN_RECIPE = "state"
"""Those of a task in a user's own file."""
TEACHER = "flow"
"""What a distilled method learns from, within the same time: half of it is the teacher's."""


@dataclass(frozen=True)
class Method:
    """A method as it is named on the command line: `flow`, or `flow:1` for one network call."""

    name: str
    calls: int | None = None

    @classmethod
    def parse(cls, text: str) -> "Method":
        """Raises `ConfigurationError` with the nearest name for a typo."""
        name, colon, calls = text.partition(":")
        if name not in METHODS:
            raise ConfigurationError(unknown("method", name, METHODS))
        if colon and not (calls.isdecimal() and int(calls) > 0):
            raise ConfigurationError(
                f"'{text}' is no method: network calls are a whole number, as in {name}:1."
            )
        return cls(name, int(calls) if colon else None)

    @property
    def label(self) -> str:
        return self.name if self.calls is None else f"{self.name}:{self.calls}"


@dataclass(frozen=True)
class Entry:
    """One row that is to come: a method with a network, trained once a seed and tried once."""

    method: Method
    network: str
    trial: Trial
    configs: tuple[TrainConfig, ...]
    """One a seed."""
    teacher: TrainConfig | None
    """What each of them learns from, trained with the same seed."""

    def runs(self, data: Path, mark: str) -> list[PlannedRun]:
        """On the demonstrations at `data`, whose fingerprint is `mark`."""
        found: list[PlannedRun] = []
        for config in self.configs:
            name = f"{self.method.name}-{self.network}-{config.seed}"
            run = PlannedRun(
                name=name,
                config=replace(config, data=data),
                fingerprint=mark,
                trials=(self.trial,),
            )
            if self.teacher is not None:
                taught = replace(self.teacher, seed=config.seed, data=data)
                teacher = PlannedRun(name=f"teacher-{name}", config=taught, fingerprint=mark)
                run = replace(run, distilled_from=teacher)
            found.append(run)
        return found


def declare(
    task: str,
    methods: Sequence[Method],
    trial: Trial,
    *,
    networks: Sequence[str | None] = (None,),
    seeds: int = 1,
    recipe_name: str | None = None,
    **changes: Any,
) -> list[Entry]:
    """The rows that are asked for. Raises `ConfigurationError` for what cannot be trained or tried.

    `changes` are fields of the recipe's `TrainConfig`: minutes, steps, device, threads. A method
    that is distilled shares minutes or steps with its teacher. Rows of one method and network
    differ in their calls and share their runs.
    """
    kind = family_of(task)
    seeds_of(make_task(task), trial.episodes, trial.seed_start)
    name = recipe_name or RECIPES.get(kind) or (OWN_RECIPE if own_name(task) else None)
    if name is None:
        raise ConfigurationError(unknown("task with a recipe:", kind, RECIPES))
    entries: list[Entry] = []
    for network in networks:
        for method in methods:
            base = recipe(name, method=method.name, network=network)
            base = replace(base, task=_task(task, base), **changes)
            # All of it said, and refused where the method cannot do it, before anything is trained.
            calls = {} if method.calls is None else {"steps": method.calls}
            sampler = replace(base.policy.sampler, **calls).settled(base.policy.process)
            sampled = replace(trial, sampler=sampler)
            config, teacher = _in_halves(base, name, network)
            configs = tuple(replace(config, seed=seed) for seed in range(seeds))
            entries.append(Entry(method, network or _name_of(base), sampled, configs, teacher))
    return entries


def _task(asked: str, config: TrainConfig) -> str:
    """The task asked for; as the recipe has it where nothing is asked of its settings."""
    own = config.task or ""
    return make_task(own if own and family_of(own) == asked else asked).name


def _name_of(config: TrainConfig) -> str:
    """What the recipe's own network is called."""
    kind = type(config.policy.denoiser)
    return next(name for name, known in NETWORKS.items() if type(known) is kind)


def _in_halves(
    config: TrainConfig, recipe_name: str, network: str | None
) -> tuple[TrainConfig, TrainConfig | None]:
    """(what is trained, its teacher): of a method that is distilled, each in half of the time."""
    if not isinstance(config.policy.process, Consistency):
        return config, None
    if config.minutes is not None:
        half = replace(config, minutes=config.minutes / 2)
    else:
        half = replace(config, steps=max(1, config.steps // 2))
    policy = recipe(recipe_name, method=TEACHER, network=network).policy
    return student_training(half, student_config(policy)), replace(half, policy=policy)


def recorded_once(
    entries: Sequence[Entry], out: Path, stage: Stage = unseen, tell: Tell = untold
) -> Path:
    """Where the demonstrations of the task's expert lie in `out`, recorded now or another time.

    A few are checked before. Raises `UsageError` where those that are there are of another task.
    """
    config = entries[0].configs[0]
    check(entries, sample(config), tell)
    path, card = out.resolve() / "demonstrations.npz", "demonstrations.json"
    folder, said = RunFolder(out), {"task": config.task, "episodes": config.demonstrations}
    if (mark := mark_of(config.task)) is not None:
        said["mark"] = mark
    with alone(out):
        if not path.exists():
            folder.write(card, said)
            write_episodes(path, recorded(config, stage, tell))
    if folder.read(card) != said:
        raise UsageError(
            f"{path} was not recorded of {config.task} as it is now for this benchmark, and is "
            "left alone. Choose another --out, or name it with --data."
        )
    return path


def check(entries: Sequence[Entry], episodes: Episodes, tell: Tell = untold) -> None:
    """Raise where one of them cannot be trained on `episodes`, or not tried after that."""
    specs = [build_policy(entry.configs[0], episodes).spec for entry in entries]
    check_task(make_task(entries[0].configs[0].task or ""), specs[0], tell)


def runs_on(data: Path, entries: Sequence[Entry]) -> list[PlannedRun]:
    """All runs of all entries, in their order, on the demonstrations at `data`."""
    mark = fingerprint(demonstrations(replace(entries[0].configs[0], data=data)))
    return [run for entry in entries for run in entry.runs(data, mark)]
