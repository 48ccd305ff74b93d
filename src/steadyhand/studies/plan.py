"""What is to be done, as values: runs, what each is tried in, and the hashes they are known by."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from steadyhand.data import Episodes, open_episodes
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.errors import ConfigurationError
from steadyhand.policy.device import choose_device, choose_precision
from steadyhand.runtime.card import library_version
from steadyhand.runtime.codec import decode, encode
from steadyhand.training.config import TrainConfig


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One way to evaluate a policy that was trained."""

    sampler: SamplerConfig
    episodes: int = 100
    seed_start: int | None = None
    execute: int | None = None

    @property
    def key(self) -> str:
        return _hash(_canonical(Trial, self))


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """One policy to be trained, and all that it is to be tried in."""

    name: str
    """For people; the hash is what counts."""
    config: TrainConfig
    trials: tuple[Trial, ...] = ()
    distilled_from: "PlannedRun | None" = None
    """The run whose policy it learns from; that is done first."""

    def key(self, marks: "Marks") -> str:
        """The name of its folder.

        It is another for other data, on other threads and in another version of this library. Where
        the data lies and what the policy is tried in do not count: trials can be added later.
        """
        config = self.config
        device = choose_device(config.device)
        precision = choose_precision(config.precision, device)
        config = replace(
            config,
            data=None,
            teacher=None,
            device=device.type,
            precision=precision,
            threads=config.threads or 1,
            demonstrations=1,
        )
        teacher = None if self.distilled_from is None else self.distilled_from.key(marks)
        made_of = [_canonical(TrainConfig, config), marks.of(self.config), teacher]
        return f"{self.name}-{_hash([*made_of, library_version()])}"


class Marks:
    """The fingerprints of what runs are trained on, each set read once."""

    def __init__(self) -> None:
        self._known: dict[tuple[Path, bool], str] = {}

    def of(self, config: TrainConfig) -> str:
        """Of the data that a configuration names. Raises `ConfigurationError` where it has none."""
        if config.data is None:
            raise ConfigurationError("A planned run names its data.")
        asked = (config.data, config.skip_broken_episodes)
        if asked not in self._known:
            episodes = open_episodes(config.data, skip_broken_episodes=config.skip_broken_episodes)
            self._known[asked] = fingerprint(episodes)
        return self._known[asked]


def in_order(planned: Sequence[PlannedRun]) -> Iterator[PlannedRun]:
    """All runs, teachers before those who learn from them."""
    teachers = [run.distilled_from for run in planned if run.distilled_from is not None]
    yield from in_order(teachers) if teachers else ()
    yield from planned


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


def _hash(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:10]
