"""What is to be done, as values: runs, what each is tried in, and the hashes they are known by."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from steadyhand.data import Episodes, open_episodes
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.errors import ConfigurationError
from steadyhand.evaluation.acting import Acting
from steadyhand.policy.device import choose_device, choose_precision
from steadyhand.runtime.card import library_version
from steadyhand.runtime.codec import decode, encode
from steadyhand.tasks.own import mark_of
from steadyhand.training.config import TrainConfig


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One way to evaluate a policy that was trained."""

    sampler: SamplerConfig | None = None
    """How it is sampled; as its configuration says unless named."""
    task: str | None = None
    """Where it is tried; the run's own task unless named."""
    device: str | None = None
    """What it runs on there; the run's own unless named."""
    acting: Acting = field(default_factory=Acting)
    """What acts on its chunks, and how late they are."""
    episodes: int = 100
    """Initial states."""
    seed_start: int | None = None
    execute: int | None = None
    repeats: int = 1
    """How often each initial state is played, with other noise each time."""
    perturb_history: float = 0.0
    """Noise on what was seen before now, in standard deviations."""
    before_last: int = 0
    """Which checkpoint: so many before the last."""
    paths: int = 0
    """Of so many episodes, where the world stood at each tick is kept: its first two numbers."""
    samples: int = 0
    """Chunks drawn at each of 16 moments of the demonstrations, and kept."""

    @property
    def key(self) -> str:
        """What its results are known by."""
        return _hash(_canonical(Trial, self), mark_of(self.task))

    @property
    def file(self) -> str:
        """Where in a run's folder they are kept."""
        return f"{self.key}.json"

    @property
    def drawn(self) -> str:
        """Where the chunks that were drawn are."""
        return f"{self.key}.npy"


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """One policy to be trained, and all that it is to be tried in; `planned` makes one."""

    name: str
    """For people; the hash is what counts."""
    config: TrainConfig
    fingerprint: str
    """Of the demonstrations that it is trained on: `fingerprint` of them."""
    trials: tuple[Trial, ...] = ()
    distilled_from: "PlannedRun | None" = None
    """The run whose policy it learns from; that is done first."""

    def __post_init__(self) -> None:
        if self.config.task is None and any(trial.task is None for trial in self.trials):
            raise ConfigurationError("A planned run that is tried names its task.")

    @cached_property
    def key(self) -> str:
        """The name of its folder.

        It is another for other data, on other threads, in another version of this library, and
        where a task in a user's file was edited. Where the data lies, how it was chosen (the
        fingerprint is of what was) and what the policy is tried in do not count: trials can be
        added later.
        """
        device = choose_device(self.config.device)
        config = replace(
            self.config,
            data=None,
            select="",
            teacher=None,
            device=device.type,
            precision=choose_precision(self.config.precision, device),
            threads=self.threads,
            demonstrations=1,
        )
        teacher = None if self.distilled_from is None else self.distilled_from.key
        made_of = [_canonical(TrainConfig, config), self.fingerprint, teacher]
        mark = mark_of(self.config.task)
        return f"{self.name}-{_hash([*made_of, library_version()], mark)}"

    @property
    def threads(self) -> int:
        """Of the CPU: one unless named."""
        return self.config.threads or 1


def planned(
    name: str,
    config: TrainConfig,
    trials: Sequence[Trial] = (),
    *,
    distilled_from: PlannedRun | None = None,
) -> PlannedRun:
    """A run on the demonstrations that `config` names, which are read once for their fingerprint.

    Raises `ConfigurationError` where it names none.
    """
    made = PlannedRun(name=name, config=config, fingerprint=fingerprint(demonstrations(config)))
    return replace(made, trials=tuple(trials), distilled_from=distilled_from)


def demonstrations(config: TrainConfig) -> Episodes:
    """What a planned run is trained on. Raises `ConfigurationError` where it names none."""
    if config.data is None:
        raise ConfigurationError("A planned run names its data.")
    skip = config.skip_broken_episodes
    return open_episodes(config.data, select=config.select, skip_broken_episodes=skip)


def in_order(runs: Sequence[PlannedRun]) -> Iterator[PlannedRun]:
    """All runs, teachers before those who learn from them."""
    teachers = [run.distilled_from for run in runs if run.distilled_from is not None]
    yield from in_order(teachers) if teachers else ()
    yield from runs


def fingerprint(episodes: Episodes) -> str:
    """Another for other demonstrations, wherever they lie and in whatever format."""
    marks = {key: _mark(episodes, key) for key in sorted(episodes.arrays)}
    shapes = {key: list(shape) for key, shape in sorted(episodes.shapes.items())}
    return _hash([marks, shapes, episodes.ends.tolist(), episodes.rate_hz])


def _mark(episodes: Episodes, key: str) -> Any:
    """Of pictures, what their files say; of all else, what is recorded, to the last bit."""
    array = episodes.arrays[key]
    said = getattr(array, "fingerprint", None)
    if said is not None and len(episodes.shapes[key]) == 3:
        return str(said())
    values = np.asarray(array[: episodes.steps], dtype=np.float64)
    return hashlib.sha256(values.tobytes()).hexdigest()


def _canonical(kind: type[Any], value: Any) -> Any:
    """The same values for the same thing: a 2 that should be a number with a point is 2.0."""
    return encode(decode(kind, encode(value)))


def _hash(content: Any, mark: str | None = None) -> str:
    """Of some content; with the mark of a user's file, where there is one."""
    content = content if mark is None else [content, mark]
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:10]
