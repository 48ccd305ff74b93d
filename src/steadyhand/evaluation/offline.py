"""Judging without a simulator: predicted chunks against what was demonstrated, in robot units.

On episodes that were not trained on, beside two baselines that need no learning: hold the last
action, and do what was done in the nearest moment of the training episodes. A small error is no
success rate: where there are several ways to act, a good policy may take another than the one that
was demonstrated; the best of several samples says whether that one was among them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from steadyhand.actions import to_absolute, to_relative
from steadyhand.data import Episodes, make_windows
from steadyhand.data.frames import with_frames
from steadyhand.data.resize import resize_frames
from steadyhand.errors import DataError
from steadyhand.evaluation import metrics
from steadyhand.policy.policy import Policy
from steadyhand.runtime.card import Provenance
from steadyhand.runtime.predictor import chunk_noise
from steadyhand.spec import LAST_ACTION, PolicySpec

BATCH = 64
MOST_WINDOWS = 4096
"""Of more, so many are taken, evenly spread."""
THUMBNAIL = (12, 12)
"""Pictures are compared at this size to find the nearest moment."""
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Judgement:
    """Mean absolute errors of chunks, in robot units, over the held-out episodes.

    Per row of a chunk and dimension of the action they are arrays (horizon, action_size).
    """

    episodes: tuple[int, ...]
    """The numbers of the episodes in their data set."""
    windows: int
    samples: int
    names: tuple[str, ...]
    """What the dimensions of the action are called."""
    error: metrics.Interval
    """Of one sample; its interval is over episodes."""
    best: metrics.Interval
    """Of the best sample of each window."""
    spread: float
    """Standard deviation of the samples of a window, mean over all."""
    hold: metrics.Interval
    nearest: metrics.Interval | None
    """None where the episodes it was trained on are not at hand."""
    differences: dict[str, metrics.Difference]
    """ "hold" and "nearest" → the policy's error less theirs, paired over episodes."""
    parts: dict[str, Numbers] = field(repr=False)
    """ "policy", "hold" and "nearest" → errors (horizon, action_size)."""

    def as_json(self) -> dict[str, Any]:
        """What `steadyhand evaluate --offline --json` prints, less the path of the chart."""
        nearest = None if self.nearest is None else self.nearest.as_json()
        return {
            "episodes": len(self.episodes),
            "held_out": list(self.episodes),
            "windows": self.windows,
            "error": self.error.as_json(),
            "best_of": {"samples": self.samples, **self.best.as_json()},
            "spread": self.spread,
            "baselines": {"hold": self.hold.as_json(), "nearest": nearest},
            "differences": {name: found.as_json() for name, found in self.differences.items()},
            "per_dimension": [
                {"name": name, **{part: float(v[:, i].mean()) for part, v in self.parts.items()}}
                for i, name in enumerate(self.names)
            ],
            "per_step": {part: v.mean(1).tolist() for part, v in self.parts.items()},
        }


class HeldOut:
    """Windows of some episodes as a policy takes them: what was seen, done before, and done."""

    def __init__(self, policy: Policy, episodes: Episodes) -> None:
        spec = policy.spec
        if any(feature.key == LAST_ACTION for feature in spec.observations):
            episodes = episodes.with_last_action(spec.action.key)
        self.policy, self.episodes = policy, episodes
        self._device = next(iter((*policy.parameters(), *policy.buffers()))).device
        stored = with_frames(episodes, spec.images)
        kinds = {True: np.float64, False: np.float32}
        self._arrays = {
            feature.name: stored.arrays[feature.key]
            if feature.kind == "image"
            else episodes.read(feature).astype(kinds[policy.normaliser.far(feature.name)])
            for feature in spec.observations
        }
        self._windows = make_windows(episodes, spec.chunking)
        self._ahead = slice(spec.chunking.past_rows, None)
        self.actions = episodes.read(spec.action).astype(np.float64)

    def done(self, steps: NDArray[np.int64]) -> Numbers:
        """What was done from each step on, (windows, rows from now on, action_size)."""
        return self.actions[self._windows.action(steps)[:, self._ahead]]

    def counts(self, steps: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which rows of the chunks of those steps lie in their episode, (windows, rows)."""
        return ~self._windows.padded(steps)[:, self._ahead]

    def usable(self) -> NDArray[np.int64]:
        """The steps with an action before them, evenly spread where there are very many."""
        steps = np.setdiff1d(np.arange(self.episodes.steps), self.episodes.starts)
        if len(steps) <= MOST_WINDOWS:
            return steps
        return steps[np.linspace(0, len(steps) - 1, MOST_WINDOWS).astype(np.int64)]

    @torch.inference_mode()
    def predict(
        self,
        steps: NDArray[np.int64],
        samples: int,
        watch: Callable[[int], object] = lambda windows: None,
    ) -> NDArray[np.floating]:
        """Chunks (samples, windows, rows from now on, action_size) in robot units."""
        policy = self.policy
        device = self._device
        stochastic = bool(getattr(policy.sampler, "stochastic", False))
        noises = 1 + int(getattr(policy.sampler, "steps", 0)) * stochastic
        found = []
        for start in range(0, len(steps), BATCH):
            here = steps[start : start + BATCH]
            seen = self._windows.observation(here)
            raw = {k: torch.from_numpy(v[seen]).to(device) for k, v in self._arrays.items()}
            condition = policy.condition({k: policy.normaliser(k, v) for k, v in raw.items()})
            named = policy.spec.action_relative_to
            reference = None if named is None else raw[named][:, -1:]
            chunks = []
            for sample in range(samples):
                shape = (noises, *policy.spec.chunk_shape)
                drawn = np.stack([chunk_noise(int(step), sample, shape) for step in here])
                noise = torch.from_numpy(drawn).to(device)
                more = noise[:, 1:] if stochastic else None
                chunks.append(policy.decode(condition, noise[:, 0], reference, more).cpu())
            found.append(torch.stack(chunks))
            watch(len(here))
        return torch.cat(found, 1)[:, :, self._ahead].numpy()

    def features(self, steps: NDArray[np.int64]) -> NDArray[np.float32]:
        """What was seen at those steps, each observation of equal weight, (windows, numbers)."""
        parts = []
        for feature in self.policy.spec.observations:
            values = self._arrays[feature.name][self._windows.observation(steps)]
            if feature.kind == "image":
                values = np.stack([resize_frames(f, THUMBNAIL) for f in values[:, -1]]) / 127.5 - 1
            else:
                tensor = torch.from_numpy(values).to(self._device)
                values = self.policy.normaliser(feature.name, tensor).cpu().numpy()
            flat = values.reshape(len(steps), -1)
            parts.append(flat / np.sqrt(flat.shape[1]))
        return np.concatenate(parts, 1).astype(np.float32)

    def reference(self, steps: NDArray[np.int64]) -> NDArray[np.floating] | None:
        """What chunks of those steps are relative to, (windows, 1, action_size)."""
        named = self.policy.spec.action_relative_to
        return None if named is None else np.asarray(self._arrays[named][steps])[:, None]


def divide(episodes: Episodes, origin: Provenance, spec: PolicySpec) -> tuple[list[int], list[int]]:
    """(places of the episodes that were not trained on, of those that were), by their actions.

    So a copy of the data, a part of it or another format of it is divided alike. Raises
    `DataError` where the data does not fit the policy.
    """
    for feature in spec.features:
        shape = episodes.shapes.get(feature.key)
        derived = feature.key == LAST_ACTION and shape is None
        if shape != feature.recorded_shape and not derived:
            why = episodes.left_out.get(feature.key)
            none = "none" if why is None else f"none: {why}"
            has = none if shape is None else f"one of shape {shape}"
            raise DataError(
                f"{episodes.path} does not fit this policy, which needs '{feature.key}' of shape "
                f"{feature.recorded_shape}, and it has {has}. Name other data with --data."
            )
    trained_on = set(origin.details.get("trained_on", ()))
    if trained_on:
        # Older runs have kept those of rounded numbers.
        both = (episodes.fingerprints(spec.action.key, rounded=old) for old in (False, True))
        marks = [bool(trained_on & {*pair}) for pair in zip(*both, strict=True)]
    else:  # a policy of before these were kept
        marks = [i not in origin.validation_episodes for i in range(len(episodes))]
    fresh = [place for place, mark in enumerate(marks) if not mark]
    return fresh, [place for place, mark in enumerate(marks) if mark]


def judge(
    policy: Policy,
    held_out: Episodes,
    *,
    numbers: Sequence[int],
    training: Episodes | None = None,
    samples: int = 8,
    watch: Callable[[int], object] = lambda windows: None,
) -> Judgement:
    """Compare what `policy` predicts for each step of the held-out episodes with what was done.

    `numbers` are theirs in their data set; `training` are episodes it was trained on, for the
    nearest-neighbour baseline. Raises `DataError` where all episodes are of one step.
    """
    data = HeldOut(policy.eval(), held_out)
    steps = data.usable()
    if not len(steps):
        raise DataError("The held-out episodes have one step each; there is nothing to predict.")
    truth, counts = data.done(steps), data.counts(steps)
    predicted = data.predict(steps, samples, watch)
    errors = np.abs(predicted - truth)
    owners = np.searchsorted(held_out.ends, steps, side="right")
    held = np.abs(data.actions[steps - 1][:, None] - truth)
    parts = {"policy": errors.mean(0), "hold": held}
    if training is not None:
        parts["nearest"] = np.abs(_nearest(data, steps, HeldOut(policy, training)) - truth)
    chosen = _of_windows(errors, counts).argmin(0)
    best = errors[chosen, np.arange(len(steps))]

    def by_episode(part: NDArray[Any]) -> list[float]:
        windows = _of_windows(part, counts)
        return [float(windows[owners == i].mean()) for i in np.unique(owners)]

    scores = {name: by_episode(part) for name, part in parts.items()}
    overall = {name: metrics.mean(values, share=False) for name, values in scores.items()}
    action = policy.spec.action
    return Judgement(
        episodes=tuple(int(number) for number in numbers),
        windows=len(steps),
        samples=samples,
        names=held_out.called(action.key)[action.columns],
        error=overall["policy"],
        best=metrics.mean(by_episode(best), share=False),
        spread=float(predicted.std(0)[counts].mean()) if samples > 1 else 0.0,
        hold=overall["hold"],
        nearest=overall.get("nearest"),
        differences={
            name: metrics.paired_difference(scores["policy"], values, share=False)
            for name, values in scores.items()
            if name != "policy"
        },
        parts={name: _by_row(part, counts) for name, part in parts.items()},
    )


def _nearest(data: HeldOut, steps: NDArray[np.int64], library: HeldOut) -> Numbers:
    """The chunks done at the nearest moments, moved along where chunks are relative."""
    known = library.usable()
    there = np.concatenate([library.features(part) for part in _batches(known)])
    places = []
    for part in _batches(steps):
        here = data.features(part)
        distance = (there**2).sum(1) - 2 * here @ there.T
        places.append(known[distance.argmin(1)])
    found = np.concatenate(places)
    chunks = library.done(found)
    then, now = library.reference(found), data.reference(steps)
    if then is None or now is None:
        return chunks
    return to_absolute(to_relative(chunks, then.astype(np.float64)), now.astype(np.float64))


def _batches(steps: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(steps), BATCH):
        yield steps[start : start + BATCH]


def _of_windows(part: NDArray[Any], counts: NDArray[np.bool_]) -> Numbers:
    """Errors (…, windows, rows, size) to those of whole windows, (…, windows)."""
    return (part.mean(-1) * counts).sum(-1) / counts.sum(-1)


def _by_row(part: NDArray[Any], counts: NDArray[np.bool_]) -> Numbers:
    weight = counts[..., None].astype(np.float64)
    return (part * weight).sum(0) / np.maximum(weight.sum(0), 1)
