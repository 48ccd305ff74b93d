"""Batches of windows: numbers are gathered by index on the device, pictures from their stores.

Which windows make up a batch is a function of (seed, step), so that resuming needs no state.
"""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from steadyhand.actions import to_relative
from steadyhand.data import Episodes, make_windows, split_episodes
from steadyhand.data.lazy import take
from steadyhand.policy.policy import Policy
from steadyhand.spec import LAST_ACTION, Feature, parse_name
from steadyhand.tasks import prepare_episodes
from steadyhand.training.config import TrainConfig

Pictures = dict[str, NDArray[np.uint8]]
"""Camera → (B, obs_steps, height, width, channels)."""


@dataclass(frozen=True)
class Batch:
    """One training batch, normalised."""

    observation: dict[str, Tensor]
    """Feature name → (B, obs_steps, …)."""
    action: Tensor
    """(B, horizon, action_size)."""
    weight: Tensor | None
    """(B, horizon): 0 for padded actions; None where every action counts."""


class WindowLoader:
    """All windows of some episodes. Numbers are normalised once and kept on the device.

    Pictures stay on the disk, as uint8: one thread gathers those of the next batch meanwhile.
    """

    def __init__(
        self,
        policy: Policy,
        episodes: Episodes,
        *,
        mask_padding: bool,
        device: torch.device,
    ) -> None:
        spec, normaliser = policy.spec, policy.normaliser.to(device)
        self._windows = make_windows(episodes, spec.chunking)
        self._device = device

        def normalised(feature: Feature) -> Tensor:
            wide = normaliser.far(feature.name)
            return normaliser(feature.name, _exact(episodes, feature, wide=wide).to(device))

        states = [feature for feature in spec.observations if feature.kind == "state"]
        self._data = {feature.name: normalised(feature) for feature in states}
        self._frames = {f.name: episodes.arrays[f.key] for f in spec.images}
        self._normaliser = normaliser
        self._ahead: tuple[NDArray[np.int64], Future[Pictures]] | None = None
        self._worker = ThreadPoolExecutor(1) if self._frames else None
        self.waited = 0.0
        """Seconds in which nothing but the gathering of pictures went on."""
        # Chunks are made relative, if they are, when they are gathered: only then is now known.
        self._action, self._reference = spec.action.name, None
        if spec.reference is None:
            self._actions = normalised(spec.action)
        else:
            far, kind = normaliser.far(spec.reference.name), normaliser.dtype(spec.action.name)
            wide = far or normaliser.far(spec.action.name)
            actions, there = (
                _exact(episodes, feature, wide=wide) for feature in (spec.action, spec.reference)
            )
            # Far from zero both are moved nearer first, so that float32 holds what differs.
            offset = there.mean(0) if far else torch.zeros((), dtype=there.dtype)
            self._actions, self._reference = (
                (values - offset).to(device=device, dtype=kind) for values in (actions, there)
            )
        self._mask_padding = mask_padding

    def __len__(self) -> int:
        return len(self._windows)

    def batch(self, windows: NDArray[np.int64]) -> Batch:
        """The windows of those numbers."""
        seen = self._there(self._windows.observation(windows))
        observation = {name: values[seen] for name, values in self._data.items()}
        for name, pictures in self._pictures(windows).items():
            observation[name] = self._normaliser(name, self._there(pictures))
        actions = self._actions[self._there(self._windows.action(windows))]
        if self._reference is not None:
            relative = to_relative(actions, self._reference[seen[:, -1:]])
            actions = self._normaliser(self._action, relative)
        counts = ~self._windows.padded(windows) if self._mask_padding else None
        weight = None if counts is None else self._there(counts.astype(np.float32))
        return Batch(observation=observation, action=actions, weight=weight)

    def _there(self, values: NDArray[Any]) -> Tensor:
        return torch.from_numpy(values).to(self._device, non_blocking=True)

    def prepare(self, windows: NDArray[np.int64]) -> None:
        """Gather the pictures of a batch that will be asked for, while something else goes on."""
        if self._worker is not None:
            self._ahead = (windows, self._worker.submit(self._gather, windows))

    def _pictures(self, windows: NDArray[np.int64]) -> "Pictures":
        if self._worker is None:
            return {}
        begun = time.perf_counter()
        ahead, self._ahead = self._ahead, None
        if ahead is not None and np.array_equal(ahead[0], windows):
            found = ahead[1].result()
        else:
            found = self._gather(windows)
        self.waited += time.perf_counter() - begun
        return found

    def _gather(self, windows: NDArray[np.int64]) -> "Pictures":
        rows = self._windows.observation(windows)
        return {
            name: take(frames, rows.reshape(-1)).reshape(*rows.shape, *frames.shape[1:])
            for name, frames in self._frames.items()
        }

    def in_order(self, batch_size: int, at_most: int) -> Iterator[tuple[int, Batch]]:
        """(number, batch) over up to `at_most` windows, evenly spread: for the validation loss."""
        chosen = np.unique(np.linspace(0, len(self) - 1, min(at_most, len(self))).astype(np.int64))
        for number, start in enumerate(range(0, len(chosen), batch_size)):
            yield number, self.batch(chosen[start : start + batch_size])


def _exact(episodes: Episodes, feature: Feature, *, wide: bool) -> Tensor:
    """What was recorded, as exact as its numbers need to be."""
    return torch.from_numpy(episodes.read(feature).astype(np.float64 if wide else np.float32))


def shares(config: TrainConfig, episodes: Episodes) -> tuple[Episodes, Episodes | None]:
    """(training, held out) episodes, each prepared as the config asks; none may be held out.

    They are split before they are prepared, so that no episode's reflection is trained on while
    the episode itself is held out.
    """

    def prepared(part: NDArray[np.int64]) -> Episodes | None:
        if not len(part):
            return None
        ready = prepare_episodes(episodes.subset(part), config.prepare, task=config.task)
        named = (*config.observations, config.action_relative_to or "")
        wanted = any(name and parse_name(name)[0] == LAST_ACTION for name in named)
        return ready.with_last_action(parse_name(config.action)[0]) if wanted else ready

    training, held_out = (prepared(part) for part in split(config, episodes))
    assert training is not None, "a split always trains on at least one episode"
    return training, held_out


def split(config: TrainConfig, episodes: Episodes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    share, seed = config.validation_share, config.seed
    return split_episodes(len(episodes), validation_share=share, seed=seed)


def batch_windows(count: int, batch_size: int, seed: int, step: int) -> NDArray[np.int64]:
    """The window numbers of one step: every epoch visits each window once, in its own order."""
    places = np.arange(step * batch_size, (step + 1) * batch_size)
    epochs = places // count
    result = np.empty(batch_size, dtype=np.int64)
    for epoch in np.unique(epochs):
        inside = epochs == epoch
        result[inside] = _epoch_order(count, seed, int(epoch))[places[inside] % count]
    return result


@lru_cache(maxsize=2)
def _epoch_order(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, epoch, 0xBA7C4]).permutation(count)
