"""Recorded windows as a policy takes them: normalised, on its device, worked out when asked for.

Numbers are normalised once and gathered by index; pictures and clouds of points stay where they
are, as recorded, and one thread gathers those of the next windows meanwhile. Training and the
offline judge both look here.
"""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from steadyhand.actions.arrays import placed
from steadyhand.data import Episodes, make_windows
from steadyhand.data.lazy import LazyArray, damage_told, take
from steadyhand.data.pictures.frames import with_frames
from steadyhand.data.tasks import task_places
from steadyhand.diffusion.loss import sent
from steadyhand.nets.vlm_encoder import PRECOMPUTED
from steadyhand.policy.policy import Policy
from steadyhand.policy.precomputed import Precomputed, Watch, precomputes
from steadyhand.spec import LAST_ACTION, TASK, Feature

Steps = NDArray[np.int64]
"""(windows,): a window is known by the step that is its now."""
Pictures = dict[str, NDArray[Any]]
"""Camera → (windows, obs_steps, height, width, channels); cloud → (windows, obs_steps, points,
columns)."""
HELD = 1 << 30
"""Bytes of a cloud up to which all of it is held in memory: formats read single steps slowly."""


class PolicyWindows:
    """The windows of some episodes, one for every step.

    `last_action` is worked out where it is seen and was not recorded. Stores of pictures that are
    not there are built. With `precompute`, what a frozen part of the encoder makes of each step is
    worked out once, and taken in place of pictures.
    """

    def __init__(self, policy: Policy, episodes: Episodes, *, precompute: bool = False) -> None:
        spec = policy.spec
        if any(feature.key == LAST_ACTION for feature in spec.observations):
            episodes = episodes.with_last_action(spec.action.key)
        self.episodes = with_frames(episodes, spec.pictures)
        self.places = make_windows(episodes, spec.chunking)
        self.waited = 0.0
        """Seconds in which nothing but the gathering of pictures went on."""
        self._device, self._action = policy.device, spec.network_action.name
        self._normaliser = policy.normaliser
        far = self._normaliser.far
        states = [feature for feature in spec.observations if feature.kind == "state"]
        self.tasks = None if spec.tasks is None else task_places(episodes, spec.tasks)
        """Which task of the policy's each step has."""
        self._states = {
            f.name: self._normaliser(
                f.name, self._read(f, far(f.name)), self.task(np.arange(episodes.steps))
            )
            for f in states
        }
        self._vectors = spec.tasks and torch.from_numpy(spec.tasks.array).to(self._device)
        self._frames = {f.name: self.episodes.arrays[f.key] for f in spec.pictures}
        self._frames |= {f.name: self._cloud(f) for f in spec.points}
        # Chunks become what the network sees when they are gathered: only then is now known.
        self._transform = spec.transform
        wide = any([far(self._action), *(policy.exact(f) for _, f in spec.references)])
        self._told = self._read(spec.action, wide)
        seen = [(columns, self._read(feature, wide)) for columns, feature in spec.references]
        self._reference = placed(seen, spec.action_size) if seen else None
        self._ahead: tuple[Steps, Future[dict[str, NDArray[Any]]]] | None = None
        self._worker = ThreadPoolExecutor(1) if self._frames else None
        self._known = None
        if precompute and precomputes(encoder := policy.encoder):
            self._known = Precomputed(encoder, self._raw(encoder), self._now, self.episodes.ends)

    def __len__(self) -> int:
        return len(self.places)

    def observation(self, steps: Steps, ahead: Steps | None = None) -> dict[str, Tensor]:
        """Feature name → (windows, obs_steps, …), normalised.

        The pictures of `ahead`, which will be asked for next, are gathered while something else
        goes on.
        """
        observation = self.states(steps)
        for name, found in self._gathered(steps, ahead).items():
            values, task = sent(found, self._device), self.task(steps)
            known = name == PRECOMPUTED
            observation[name] = values if known else self._normaliser(name, values, task)
        return observation

    def precompute(self, watch: Watch = lambda steps: None) -> None:
        """Work out what a frozen part of the encoder makes of each step, if there is such a part.

        Otherwise it is done when windows are asked for. `watch` is told of the steps that are done.
        """
        if self._known is not None:
            self._known.build(watch)

    def states(self, steps: Steps) -> dict[str, Tensor]:
        """The same without pictures and points."""
        seen = sent(self.places.observation(steps), self._device)
        found = {name: values[seen] for name, values in self._states.items()}
        if self.tasks is not None and self._vectors is not None:
            places = self.tasks[self.places.observation(steps)]
            found[TASK] = self._vectors[sent(places, self._device)]
        return found

    def task(self, steps: Steps) -> Tensor | None:
        """Which task of the policy's those steps have, where each is normalised by itself."""
        if self.tasks is None or not self._normaliser.tasks:
            return None
        return sent(self.tasks[steps], self._device)

    def reference(self, steps: Steps) -> Tensor | None:
        """What chunks refer to, (windows, 1, action_size) in robot units, if to anything."""
        if self._reference is None:
            return None
        return self._reference[sent(steps, self._device)][:, None]

    def actions(self, steps: Steps) -> Tensor:
        """(windows, horizon, network_size), normalised; past the end of an episode, its last."""
        told = self._told[sent(self.places.action(steps), self._device)]
        seen = self._transform.to_network(told, self.reference(steps))
        return self._normaliser(self._action, seen, self.task(steps))

    def counts(self, steps: Steps) -> NDArray[np.bool_]:
        """Which of those rows lie in their episode, (windows, horizon)."""
        return ~self.places.padded(steps)

    def weight(self, steps: Steps) -> Tensor:
        """The same as numbers, on the device: 0 for padded actions."""
        return sent(self.counts(steps).astype(np.float32), self._device)

    def pictures(self, steps: Steps) -> Pictures:
        """What the cameras saw, at the size that the policy sees, and clouds as recorded."""
        rows = self.places.observation(steps)
        return {
            name: take(frames, rows.reshape(-1)).reshape(*rows.shape, *frames.shape[1:])
            for name, frames in self._frames.items()
        }

    def _gather(self, steps: Steps) -> dict[str, NDArray[Any]]:
        return self.pictures(steps) if self._known is None else {PRECOMPUTED: self._known[steps]}

    def _raw(self, encoder: Any) -> dict[str, LazyArray]:
        """What the frozen part of the encoder looks at, as recorded: (steps, …) by name."""
        names: list[str] = list(encoder.precomputed_from)
        found = {name: self._frames[name] for name in names if name in self._frames}
        if TASK in names and self.tasks is not None and self._vectors is not None:
            found[TASK] = self._vectors.cpu().numpy()[self.tasks]
        return found

    def _now(self, steps: Steps) -> dict[str, Tensor]:
        """What was seen at each step alone, (n, 1, …), normalised."""
        found = {name: values[:, -1:] for name, values in self.states(steps).items()}
        for name, frames in self._frames.items():
            now = sent(take(frames, steps)[:, None], self._device)
            found[name] = self._normaliser(name, now, self.task(steps))
        return found

    def _gathered(self, steps: Steps, ahead: Steps | None) -> dict[str, NDArray[Any]]:
        if self._worker is None:
            return {}
        begun = time.perf_counter()
        known = self._ahead is not None and np.array_equal(self._ahead[0], steps)
        found = self._ahead[1].result() if self._ahead and known else self._gather(steps)
        self._ahead = None
        if ahead is not None:
            self._ahead = (ahead, self._worker.submit(self._gather, ahead))
        self.waited += time.perf_counter() - begun
        return found

    def _cloud(self, feature: Feature) -> LazyArray:
        """A cloud as recorded, read once where that is little; else when it is asked for."""
        array = self.episodes.arrays[feature.key]
        few = prod(array.shape) * np.dtype(array.dtype).itemsize <= HELD
        with damage_told(self.episodes.path, feature.key):
            return np.asarray(array[:]) if few else array

    def _read(self, feature: Feature, wide: bool) -> Tensor:
        """What was recorded, in float64 where float32 would round how it moves."""
        kind = np.float64 if wide else np.float32
        return torch.from_numpy(self.episodes.read(feature).astype(kind)).to(self._device)
