"""Many methods on one task: which runs that takes, and what comes of them as rows of one table."""

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.errors import ConfigurationError, unknown
from steadyhand.evaluation.evaluate import one_thread, seeds_of
from steadyhand.evaluation.metrics import Interval, over_seeds
from steadyhand.policy.config import build_sampler
from steadyhand.policy.device import choose_device
from steadyhand.policy.predictor import TorchPredictor
from steadyhand.policy.storage import load_policy
from steadyhand.recipes import recipe
from steadyhand.recipes.methods import METHODS
from steadyhand.runtime import RecedingHorizon
from steadyhand.studies.plan import PlannedRun, Trial
from steadyhand.studies.runs import Outcome
from steadyhand.tasks import make_task
from steadyhand.training.config import TrainConfig
from steadyhand.training.teacher import student_config, student_training

RECIPES = {"fork": "fork", "pusht": "pusht_state"}
"""What a task's policies are trained by, unless said otherwise."""
TEACHER = "flow"
"""What `consistency` is distilled from, within the same time: half of it is the teacher's."""
SCORES = ("success", "max_coverage")
TIMED_CHUNKS = 30


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
    """One row that is to come: a method with a network, and the runs it takes, one a seed."""

    method: Method
    network: str
    runs: tuple[PlannedRun, ...]
    trial: Trial


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    method: str
    denoiser: str
    calls: int
    scores: Mapping[str, Interval]
    """Over episodes and seeds."""
    parameters: int
    chunk_ms: float
    """One chunk alone on the device, of the CPU on one thread: the median, in turns."""
    train_minutes: float
    """Of one seed, on average; a teacher's among them."""
    seeds: int


def declare(
    task: str,
    methods: Sequence[Method],
    *,
    networks: Sequence[str | None] = (None,),
    seeds: int = 1,
    minutes: float | None = None,
    steps: int | None = None,
    episodes: int = 100,
    seed_start: int | None = None,
    data: Path | None = None,
    device: str = "auto",
    threads: int = 1,
    recipe_name: str | None = None,
) -> list[Entry]:
    """The rows that are asked for, with all runs that they take.

    Rows of one method and network differ in their calls and share their runs. Each run trains for
    `minutes`, or for `steps`; that of `consistency` in two halves, its teacher's and its own.
    """
    kind = task.partition(":")[0]
    seeds_of(make_task(task), episodes, seed_start)
    name = recipe_name or RECIPES.get(kind)
    if name is None:
        raise ConfigurationError(unknown("task with a recipe:", kind, RECIPES))
    entries = []
    for network in networks:
        for method in methods:
            base = recipe(name, method=method.name, network=network)
            base = replace(base, task=_task(task, base), data=data, minutes=minutes)
            base = replace(base, device=device, threads=threads)
            base = base if steps is None else replace(base, steps=steps, minutes=None)
            trial = Trial(sampler=_sampler(base, method), episodes=episodes, seed_start=seed_start)
            label = f"{method.name}-{network or _network_of(base)}"
            runs = tuple(
                _planned(replace(base, seed=seed), f"{label}-{seed}", name, network, trial)
                for seed in range(seeds)
            )
            entries.append(Entry(method, network or _network_of(base), runs, trial))
    return entries


def _task(asked: str, config: TrainConfig) -> str:
    """The task asked for; as the recipe has it where nothing is asked of its settings."""
    own = config.task or ""
    return make_task(own if own.partition(":")[0] == asked else asked).name


def _sampler(config: TrainConfig, method: Method) -> SamplerConfig:
    sampler = config.policy.sampler
    if method.calls is not None:
        sampler = replace(sampler, steps=method.calls)
    # Refuses what the method cannot do, before anything is trained.
    build_sampler(sampler, config.policy.process, nn.Identity(), (1, 1))
    return sampler


def _network_of(config: TrainConfig) -> str:
    return type(config.policy.denoiser).__name__.removesuffix("Config").lower()


def _planned(
    config: TrainConfig, label: str, recipe_name: str, network: str | None, trial: Trial
) -> PlannedRun:
    if not label.startswith("consistency"):
        return PlannedRun(name=label, config=config, trials=(trial,))
    policy = recipe(recipe_name, method=TEACHER, network=network).policy
    half = _halved(config)
    teacher = PlannedRun(name=f"teacher-{label}", config=replace(half, policy=policy))
    student = student_training(half, student_config(policy))
    return PlannedRun(name=label, config=student, trials=(trial,), distilled_from=teacher)


def _halved(config: TrainConfig) -> TrainConfig:
    if config.minutes is not None:
        return replace(config, minutes=config.minutes / 2)
    return replace(config, steps=max(1, config.steps // 2))


def rows(entries: Sequence[Entry], outcomes: Sequence[Outcome]) -> list[Row]:
    """The table, from what came of all runs of all entries, in their order.

    Chunks are timed now, all rows in turns.
    """
    left = iter(outcomes)
    of_entry = [[next(left) for _ in entry.runs] for entry in entries]
    task = entries[0].runs[0].config.task or ""
    firsts = [done[0].policy for done in of_entry]
    samplers = [entry.trial.sampler for entry in entries]
    times = chunk_times(firsts, samplers, task, choose_device(entries[0].runs[0].config.device))
    found = []
    for entry, done, chunk_ms in zip(entries, of_entry, times, strict=True):
        results = [one.trials[entry.trial.key]["scores"] for one in done]
        scores = {
            score: over_seeds(np.array([result[score] for result in results]), share=True)
            for score in SCORES
            if score in results[0]
        }
        found.append(
            Row(
                method=entry.method.label,
                denoiser=entry.network,
                calls=_calls(done[0].policy, entry.trial.sampler),
                scores=scores,
                parameters=done[0].parameters,
                chunk_ms=chunk_ms,
                train_minutes=statistics.mean(one.minutes for one in done),
                seeds=len(done),
            )
        )
    return found


def _calls(policy: Path, sampler: SamplerConfig) -> int:
    return int(getattr(load_policy(policy, sampler=sampler).sampler, "steps", 1))


def chunk_times(
    policies: Sequence[Path], samplers: Sequence[SamplerConfig], task: str, device: torch.device
) -> list[float]:
    """Milliseconds for one chunk of each, on one thread of the CPU or on another device.

    They are medians, measured in turns.
    """
    world = make_task(task)
    seen = world.make().reset(world.first_seed)
    predictors = [
        TorchPredictor(load_policy(path, sampler=sampler, device=device))
        for path, sampler in zip(policies, samplers, strict=True)
    ]
    requests = [RecedingHorizon(predictor.spec).request(seen) for predictor in predictors]
    spent: list[list[float]] = [[] for _ in predictors]
    with one_thread():
        for number in range(TIMED_CHUNKS + 3):
            for each, predictor, request in zip(spent, predictors, requests, strict=True):
                assert request is not None, "a new controller asks for a chunk"
                begun = time.perf_counter()
                predictor.predict([request])
                if number >= 3:
                    each.append(1000 * (time.perf_counter() - begun))
    return [statistics.median(each) for each in spent]
