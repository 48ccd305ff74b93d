"""Episodes that a policy was not trained on: which they are, and what it predicts along them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from steadyhand.data import Episodes, open_episodes
from steadyhand.data.hub import located
from steadyhand.data.pictures.frames import with_stores
from steadyhand.data.pictures.resize import resize_depth, resize_frames
from steadyhand.data.stages import Stage, Tell, unseen, untold
from steadyhand.errors import DataError, nothing_at
from steadyhand.policy.policy import Policy
from steadyhand.policy.windows import PolicyWindows
from steadyhand.runtime.card import Provenance
from steadyhand.runtime.predictor import chunk_noise
from steadyhand.spec import LAST_ACTION, PolicySpec

BATCH = 64
MOST_WINDOWS = 4096
"""Of more, so many are taken, evenly spread."""
THUMBNAIL = (12, 12)
"""Pictures are compared at this size to find the nearest moment."""
SPREAD = (0.02, 0.25, 0.5, 0.75, 0.98)
"""And clouds of points by these quantiles of each of their columns."""
Steps = NDArray[np.int64]
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Fresh:
    """Demonstrations that a policy can be judged by."""

    episodes: Episodes
    """All of them, also those that it was trained on."""
    places: dict[int, int]
    """Number → place of each episode that was not trained on."""
    library: Episodes | None
    """Episodes that it was trained on; None where they are not at hand."""

    @property
    def held_out(self) -> Episodes:
        return self.episodes.subset(list(self.places.values()))


def fresh_episodes(
    policy: Policy,
    origin: Provenance,
    data: Path | None = None,
    *,
    select: str = "",
    skip_broken: bool = False,
    stage: Stage = unseen,
    tell: Tell = untold,
) -> Fresh:
    """What `policy` can be judged by: of `data`, or of what it was trained on, the rest.

    `select` chooses episodes; of what it was trained on, those that were chosen then by default.
    Raises `DataError` where there is nothing.
    """
    path = data or (Path(origin.data) if origin.data else None)
    if path is None:
        raise DataError("This policy was trained on data in memory. Name demonstrations: --data.")
    path = located(path, fetch=data is not None)
    if not path.exists():
        raise DataError(f"{nothing_at('data', path)} Name where it is now with --data.")

    def opened(path: Path, select: str) -> Episodes:
        episodes = open_episodes(path, select=select, skip_broken_episodes=skip_broken)
        seen = [f for f in policy.spec.pictures if episodes.shapes.get(f.key) == f.recorded_shape]
        return with_stores(episodes, seen, skip_broken=skip_broken, stage=stage, tell=tell)

    episodes = opened(path, select or ("" if data else origin.select))
    if episodes.chosen:
        tell(f"{episodes.chosen}.")
    fresh, known = divide(episodes, origin, policy.spec)
    if not fresh:
        way = "train with --validation-share above 0"
        if len(episodes) == 1:
            way = "record more episodes and train on those: one cannot be divided"
        raise DataError(
            f"Every episode of {path} was trained on. Name other data with --data, or {way}."
        )
    library = episodes
    if not known and (own := own_data(origin)) is not None:
        library = opened(own, origin.select)
        known = divide(library, origin, policy.spec)[1]
    if not known:
        tell("The episodes it was trained on are not at hand: no nearest neighbour.")
    places = {episodes.number(place): place for place in fresh}
    return Fresh(episodes, places, library.subset(known) if known else None)


def own_data(origin: Provenance) -> Path | None:
    """Where the data that a policy was trained on lies, if it is at hand."""
    if not origin.data:
        return None
    try:
        found = located(Path(origin.data), fetch=False)
    except DataError:
        return None
    return found if found.exists() else None


class HeldOut:
    """Windows of some episodes as a policy takes them: what was seen, done before, and done."""

    def __init__(self, policy: Policy, episodes: Episodes) -> None:
        self.policy = policy
        self._windows = PolicyWindows(policy, episodes)
        self.episodes = self._windows.episodes
        self._ahead = slice(policy.spec.chunking.past_rows, None)
        self.actions = self.episodes.read(policy.spec.action).astype(np.float64)

    def done(self, steps: Steps) -> Numbers:
        """What was done from each step on, (windows, rows from now on, action_size)."""
        return self.actions[self._windows.places.action(steps)[:, self._ahead]]

    def counts(self, steps: Steps) -> NDArray[np.bool_]:
        """Which rows of the chunks of those steps lie in their episode, (windows, rows)."""
        return self._windows.counts(steps)[:, self._ahead]

    def usable(self) -> Steps:
        """The steps with an action before them, evenly spread where there are very many."""
        steps = np.setdiff1d(np.arange(self.episodes.steps), self.episodes.starts)
        if len(steps) <= MOST_WINDOWS:
            return steps
        return steps[np.linspace(0, len(steps) - 1, MOST_WINDOWS).astype(np.int64)]

    @torch.inference_mode()
    def predict(
        self,
        steps: Steps,
        samples: int,
        watch: Callable[[int], object] = lambda windows: None,
        *,
        together: int = 1,
    ) -> NDArray[np.floating]:
        """Chunks (samples, windows, rows from now on, action_size) in robot units.

        So many samples of a window are drawn `together`: where there are many, that is faster, and
        gives other last bits.
        """
        found = []
        for here in batches(steps):
            condition = self.policy.condition(self._windows.observation(here))
            reference = self._windows.reference(here)
            chunks = [
                self._samples(
                    here, range(first, min(first + together, samples)), condition, reference
                )
                for first in range(0, samples, together)
            ]
            found.append(torch.cat(chunks))
            watch(len(here))
        return torch.cat(found, 1)[:, :, self._ahead].numpy()

    def _samples(
        self,
        here: Steps,
        numbers: range,
        condition: tuple[Tensor, ...],
        reference: Tensor | None,
    ) -> Tensor:
        """Chunks (samples, windows, horizon, action_size) of those numbers."""
        policy, many = self.policy, len(numbers)
        shape = (policy.noise_rows, *policy.spec.noise_shape)
        drawn = np.stack([chunk_noise(int(step), n, shape) for n in numbers for step in here])
        noise = torch.from_numpy(drawn).to(policy.device)
        more = noise[:, 1:] if policy.noise_rows > 1 else None

        def each(part: Tensor) -> Tensor:
            return part if many == 1 else part.repeat(many, *[1] * (part.ndim - 1))

        seen = tuple(each(part) for part in condition)
        moved, task = (
            None if part is None else each(part) for part in (reference, self._windows.task(here))
        )
        chunks = policy.decode(seen, noise[:, 0], moved, more, task=task).cpu()
        return chunks.unflatten(0, (many, len(here)))

    def features(self, steps: Steps) -> NDArray[np.float32]:
        """What was seen at those steps, each observation of equal weight, (windows, numbers)."""
        states = {k: v.cpu().numpy() for k, v in self._windows.states(steps).items()}
        kinds = {f.name: f.kind for f in self.policy.spec.observations}
        small = {
            name: self._small(name, kinds[name], recorded[:, -1])
            for name, recorded in self._windows.pictures(steps).items()
        }
        flat = [v.reshape(len(steps), -1) for v in (*states.values(), *small.values())]
        equal = [part / np.sqrt(part.shape[1]) for part in flat]
        return np.concatenate(equal, 1).astype(np.float32)

    def _small(self, name: str, kind: str, seen: NDArray[Any]) -> NDArray[np.floating]:
        """A few numbers that stand for pictures or clouds (windows, …), of about size one."""
        if kind == "image":
            return np.stack([resize_frames(f, THUMBNAIL) for f in seen]) / 127.5 - 1
        if kind == "depth":
            seen = resize_depth(seen, THUMBNAIL)
        normal = self.policy.normaliser(name, torch.from_numpy(seen).to(self.policy.device))
        found = normal.cpu().numpy()
        if kind == "points":  # which have no order: where they begin, lie and end in each column
            found[np.isnan(found).all((1, 2))] = 0
            found = np.nanquantile(found, SPREAD, axis=1).swapaxes(0, 1)
        return found

    def reference(self, steps: Steps) -> Numbers | None:
        """What chunks of those steps are relative to, (windows, 1, action_size)."""
        found = self._windows.reference(steps)
        return None if found is None else found.double().cpu().numpy()


def batches(steps: Steps) -> Iterator[Steps]:
    """The steps, so many at a time."""
    for start in range(0, len(steps), BATCH):
        yield steps[start : start + BATCH]


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
