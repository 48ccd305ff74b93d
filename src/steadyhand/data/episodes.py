"""Demonstrations, read lazily: named arrays with time first, cut into episodes. No torch."""

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.lazy import LazyArray, Rows, damage_told
from steadyhand.data.problem import Problem
from steadyhand.errors import ConfigurationError, DataError, NotFiniteError, unknown
from steadyhand.sizes import Kind, kind_of
from steadyhand.spec import LAST_ACTION, Feature, parse_name
from steadyhand.values import named, shown
from steadyhand.values import seed as a_seed

SKIP = "--skip-broken-episodes"
"""The flag that goes on without what cannot be read."""


@named
@dataclass(frozen=True)
class Episodes:
    """A set of demonstrations: `arrays[key]` is (steps, …), `ends` are cumulative episode ends.

    Raises `DataError` where ends and arrays contradict each other.
    """

    arrays: Mapping[str, LazyArray]
    ends: NDArray[np.int64]
    """Shape (episodes,): the step after the last one of each episode."""
    rate_hz: float = 10.0
    """Steps a second."""
    path: Path | None = None
    format: str = "memory"
    version: str = ""
    rate_assumed: bool = False
    """Whether the file says no rate, and `rate_hz` is a guess."""
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What the numbers of a flat feature are called, where the file says: joints, axes."""
    numbers: tuple[int, ...] = ()
    """What the file calls its episodes, where it numbers them itself."""
    tasks: tuple[str, ...] = ()
    """What was to be done, in words; the feature `task_index` counts in it."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Features that the file speaks of and that are not among the arrays, and why."""
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    """What features are whose shape does not say it. Depth is read in metres, (steps, height,
    width, 1), float32, 0 where nothing was measured; points (steps, count, columns)."""
    success: tuple[bool | None, ...] = ()
    """Whether each episode was marked as a success, None where it was not marked."""
    masks: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Named choices of episodes by their places, as the file has them: train, valid, …"""
    remarks: tuple[Problem, ...] = ()
    """What was read otherwise than the file says of itself, for people to know."""
    chosen: str = ""
    """Which of a larger set these are and why, in words, where they were chosen."""

    def __post_init__(self) -> None:
        ends = np.asarray(self.ends)
        if (why := self._contradiction(ends)) is not None:
            raise DataError(f"{self.path}: {why}" if self.path else why)
        object.__setattr__(self, "ends", ends.astype(np.int64))

    def _contradiction(self, ends: NDArray[Any]) -> str | None:
        """Why ends, arrays and what is said of them cannot all be true, and what to do."""
        if ends.ndim != 1 or not len(ends) or not np.issubdtype(ends.dtype, np.integer):
            return (
                f"episode_ends must be whole numbers, one an episode, and are {ends.dtype} of "
                f"shape {ends.shape}. Save them as a list of integers."
            )
        if (given := len(self.numbers)) not in (0, len(ends)):
            what = f"{given} numbers are given for {len(ends)} episodes"
            return f"{what}. Give each its own, or none."
        if (given := len(self.success)) not in (0, len(ends)):
            return f"{given} episodes are marked as a success or not, and there are {len(ends)}."
        if (backwards := np.diff(ends, prepend=0) <= 0).any():
            bad = int(np.argmax(backwards))
            return (
                f"episode {self.number(bad)} ends at step {ends[bad]}, not after the one before "
                "it. Episode ends are cumulative and increasing."
            )
        if not (np.isfinite(self.rate_hz) and self.rate_hz > 0):
            return f"rate_hz is {self.rate_hz}; it must be a positive number."
        if not isinstance(self.arrays, Mapping):
            return f"arrays is {shown(self.arrays)}; it maps names to arrays."
        for key, array in self.arrays.items():
            if not hasattr(array, "shape"):
                kind = type(array).__name__
                return f"'{key}' is a {kind}; numpy arrays are taken here: np.asarray(…)."
            if not array.shape:
                return f"'{key}' is a single value, not a series with time first. Leave it out."
            if array.shape[0] < ends[-1]:
                return (
                    f"'{key}' has shape {tuple(array.shape)}, so {array.shape[0]} steps, but the "
                    f"last episode ends at step {ends[-1]}. Arrays are time first, all episodes "
                    "one after the other; if the recording was cut short, end the episodes where "
                    "it does."
                )
        return None

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def steps(self) -> int:
        """Time steps in all episodes together."""
        return int(self.ends[-1])

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Time steps of each episode."""
        return np.diff(self.ends, prepend=0)

    @property
    def starts(self) -> NDArray[np.int64]:
        """First step of each episode."""
        return self.ends - self.lengths

    def number(self, episode: int) -> int:
        """What the file calls an episode, which people are told; its place where it says none."""
        return self.numbers[episode] if self.numbers else episode

    def owner(self, steps: Any) -> Any:
        """The place of the episode in which each of these steps is."""
        return np.searchsorted(self.ends, steps, side="right")

    def at(self, step: int) -> tuple[int, int]:
        """(the step inside its episode, the number of that episode), for people to find it."""
        episode = int(self.owner(step))
        return step - int(self.starts[episode]), self.number(episode)

    @property
    def said(self) -> list[str]:
        """What people should know before they use it: what was chosen, left out, read otherwise."""
        chosen = [f"{self.chosen}."] if self.chosen else []
        left_out = [f"Left out: {name}: {why}" for name, why in self.left_out.items()]
        return [*chosen, *left_out, *(f"Note: {remark.message}" for remark in self.remarks)]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each recorded feature at one time step."""
        return {key: tuple(array.shape[1:]) for key, array in self.arrays.items()}

    def kind(self, key: str) -> Kind:
        """What a feature is."""
        return self.kinds.get(key) or kind_of(self.shapes[key])

    def called(self, key: str) -> tuple[str, ...]:
        """What the numbers of a feature are called: by the file, or else as they are typed."""
        names, width = self.names.get(key, ()), math.prod(self.shapes[key])
        return names if len(names) == width else tuple(f"{key}[{i}]" for i in range(width))

    def read(self, feature: Feature | str, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Steps `start…stop` of a feature, as recorded (its columns picked), in memory.

        Raises `DataError` for what cannot be read and for numbers that are not finite, naming the
        episode.
        """
        self.require(feature if isinstance(feature, str) else feature.name)
        if isinstance(feature, str):
            feature = Feature.select(feature, self.shapes, kinds=self.kinds)
        stop = self.steps if stop is None else stop
        where = f"{self.path or 'the data'}: '{feature.key}'"
        with damage_told(self.path, feature.key):
            values = np.asarray(self.arrays[feature.key][start:stop])
        if values.dtype.kind not in "biuf":
            raise DataError(
                f"{where} holds {values.dtype}, not numbers. Store real numbers, or leave it out "
                "of --observations."
            )
        if len(values) != stop - start:
            raise DataError(f"{where} is truncated.")
        if feature.columns != slice(None):
            values = values[:, feature.columns]
        if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
            flat = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
            step = start + int(np.argmax(flat))
            inside, episode = self.at(step)
            raise NotFiniteError(
                f"{self.path or 'the data'}: '{feature.name}' is not a finite number at step "
                f"{inside} of episode {episode} ({int(flat.sum())} such steps in all). Repair "
                f"those episodes, or leave them out: {SKIP}.",
                episode=episode,
            )
        return values

    def require(self, name: str) -> None:
        """Raise `ConfigurationError` where there is no such feature, and why there is none."""
        key = parse_name(name)[0]
        if key in self.arrays:
            return
        if key in self.left_out:
            raise ConfigurationError(
                f"'{key}' is left out of {self.path or 'the data'}: {self.left_out[key]}. "
                f"Available: {', '.join(sorted(self.arrays)) or 'none'}."
            )
        raise ConfigurationError(unknown("feature", key, self.arrays))

    def fingerprints(self, key: str, *, rounded: bool = False) -> list[int]:
        """A number for each episode that is another where its `key` differs, in any format.

        `rounded` ones are of the numbers in float32, as they were kept in older runs.
        """
        values = self.read(key)
        spans = zip(self.starts, self.ends, strict=True)
        return [_sum(values[start:end], rounded) for start, end in spans]

    def with_last_action(self, action: str) -> "Episodes":
        """With the observation `last_action`, unless it was recorded: `action` of the step before.

        In the first step of an episode it is that step's own, as if the robot had been told so.
        """
        if LAST_ACTION in self.arrays or action not in self.arrays:
            return self
        before = np.arange(self.steps) - 1
        before[self.starts] += 1
        shifted = Rows(self.arrays[action], before)
        return replace(self, arrays={**self.arrays, LAST_ACTION: shifted})

    def subset(self, episodes: Sequence[int] | NDArray[np.int64]) -> "Episodes":
        """Some of the episodes, in the order given; still read when they are asked for."""
        if not len(episodes):
            raise ConfigurationError("A part of a data set needs at least one episode.")
        rows = np.concatenate([np.arange(self.starts[i], self.ends[i]) for i in episodes])
        arrays = {key: Rows(array, rows) for key, array in self.arrays.items()}
        numbers = tuple(self.number(int(i)) for i in episodes)
        ends = np.cumsum(self.lengths[list(episodes)])
        success = tuple(self.success[int(i)] for i in episodes) if self.success else ()
        places = {int(old): new for new, old in enumerate(episodes)}
        masks = {
            name: tuple(places[i] for i in chosen if i in places)
            for name, chosen in self.masks.items()
        }
        return replace(
            self, arrays=arrays, ends=ends, numbers=numbers, success=success, masks=masks
        )


def _sum(values: NDArray[Any], rounded: bool) -> int:
    """A checksum of numbers in the narrowest of these kinds that holds them, however stored."""
    with np.errstate(over="ignore", invalid="ignore"):
        for kind in (np.float32, np.float64):
            kept = np.ascontiguousarray(values, dtype=kind)
            if rounded or np.array_equal(kept.astype(values.dtype), values):
                return zlib.crc32(kept.data)
    return zlib.crc32(np.ascontiguousarray(values).data)


def split_episodes(
    count: int, *, validation_share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(training, validation) episode numbers, each sorted; a function of its arguments alone.

    Where the share is above 0, at least one episode is held out, of eight or more at least two; and
    at least one is trained on.
    """
    if not 0 <= validation_share < 1:
        raise ConfigurationError(
            f"validation_share is {validation_share}; it must be in [0, 1), as 0.05."
        )
    a_seed("seed", seed)
    held_out = round(count * validation_share)
    if validation_share > 0:
        held_out = min(max(held_out, 2 if count >= 8 else 1), count - 1)
    order = np.random.default_rng([seed, 0x5EED]).permutation(count)
    return np.sort(order[held_out:]), np.sort(order[:held_out])
