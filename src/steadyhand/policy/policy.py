"""The policy: one pure module from raw observations and noise to actions in robot units.

It is the unit that is saved, exported and run. It holds no state of an episode, draws no random
numbers, and everything in it can be a user's own object.
"""

from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn.functional import interpolate

from steadyhand.actions.arrays import placed
from steadyhand.diffusion.shapes import Chunk, Noises, Overlap
from steadyhand.errors import ConfigurationError
from steadyhand.nets.resampling import nearest
from steadyhand.policy.normaliser import Normaliser
from steadyhand.spec import TASK, Feature, PolicySpec
from steadyhand.values import named

Told = Float[Tensor, "batch rows told"]
"""Actions in robot units."""


def resized(
    pictures: UInt8[Tensor, "batch steps height width channels"], size: tuple[int, ...]
) -> Float[Tensor, "batch steps rows columns channels"]:
    """The pictures of one camera at the size that the policy sees, in whole numbers.

    Antialiased, as the frame store does it: `data.pictures.resize` says how closely they agree.
    """
    seen = pictures.flatten(0, 1).movedim(-1, 1)
    # Only a CPU resizes whole numbers as such: ten times as fast, and rounded as by Pillow.
    seen = seen if seen.device.type == "cpu" else seen.float()
    smaller = interpolate(seen, list(size), mode="bilinear", antialias=True).float()
    return smaller.movedim(1, -1).unflatten(0, pictures.shape[:2]).round().clamp(0, 255)


@named
class Policy(nn.Module):
    """Resize and normalise, encode, sample, un-normalise.

    `encoder` takes a dict of normalised tensors (B, T_o, …) and gives a condition (B, N, D), or a
    pair of it and a mask (B, N). `sampler` is `(noise, condition, step_noise, previous) → actions`
    and has a `loss` (`diffusion.loss.SamplerModule`). `config` is what all of it was built from, a
    `PolicyConfig` for the file; None for a policy of a user's own parts. `resize` makes pictures as
    small as the policy sees them; depth takes the nearest pixel.
    """

    def __init__(
        self,
        spec: PolicySpec,
        encoder: nn.Module,
        sampler: Any,
        normaliser: Normaliser,
        *,
        config: Any = None,
        resize: Callable[[Tensor, tuple[int, ...]], Tensor] = resized,
    ) -> None:
        super().__init__()
        if not hasattr(sampler, "loss"):
            raise ConfigurationError(
                f"{type(sampler).__name__} is no sampler: it has no loss. The order is "
                "Policy(spec, encoder, sampler, normaliser)."
            )
        self.config = config
        self.spec = spec
        self.encoder = encoder
        self.sampler = sampler
        self.normaliser = normaliser
        self.resize = resize
        table = np.zeros((0, 0), np.float32) if spec.tasks is None else spec.tasks.array
        self.register_buffer("_tasks", torch.from_numpy(table), persistent=False)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        tensors = chain(self.parameters(), self.buffers())
        return next((tensor.device for tensor in tensors), torch.device("cpu"))

    def forward(
        self,
        observation: Mapping[str, Tensor],
        noise: Chunk,
        step_noise: Noises = None,
        previous: Told | Overlap | None = None,
    ) -> Told:
        """Raw observations, each (B, T_o, …), and noise (B, H, N) → actions (B, H, A).

        N numbers are what the network has for an action, `spec.network_size`, A in most policies.
        `observation` holds what was recorded, by key; `step_noise` is (B, S, H, N) for stochastic
        solvers. `previous` is for samplers that continue the last chunk: what is left of it, in
        robot units, as an `Overlap`; for a user's own sampler also (B, R, A).
        Numbers that lie far from zero for their range are float64, in and out; others float32.
        """
        condition, task = self.condition(self.normalise(observation)), self.task(observation)
        reference = self.reference(observation)
        return self.decode(condition, noise, reference, step_noise, previous, task)

    def decode(
        self,
        condition: tuple[Tensor, ...],
        noise: Chunk,
        reference: Tensor | None = None,
        step_noise: Noises = None,
        previous: Told | Overlap | None = None,
        task: Tensor | None = None,
    ) -> Told:
        """What `condition` and noise become: `forward` from there on, for several noises."""
        name, transform = self.spec.network_action.name, self.spec.transform
        if previous is not None:
            rows = previous[0] if isinstance(previous, tuple) else previous
            rows = self.normaliser(name, transform.to_network(rows, reference), task)
            previous = Overlap(rows, previous[1]) if isinstance(previous, tuple) else rows
        actions = self.sampler(noise, *condition[:1], step_noise, previous, *condition[1:])
        return transform.to_robot(self.normaliser.inverse(name, actions, task), reference)

    @property
    def noise_rows(self) -> int:
        """Chunks of noise that one chunk takes: the first, and one a step where noise is added."""
        steps: int = getattr(self.sampler, "steps", 0)
        return 1 + steps if getattr(self.sampler, "stochastic", False) else 1

    def reference(self, observation: Mapping[str, Tensor]) -> Tensor | None:
        """What chunks refer to, (B, 1, A) in robot units; None where they refer to nothing."""
        found: list[tuple[slice, Tensor]] = []
        for columns, feature in self.spec.references:
            kind = torch.float64 if self.exact(feature) else torch.float32
            found.append((columns, _pick(observation, feature)[:, -1:].to(kind)))
        return placed(found, self.spec.action_size) if found else None

    def exact(self, reference: Feature) -> bool:
        """Whether what chunks refer to is read in float64."""
        same = [f.name for f in self.spec.observations if f.key == reference.key]
        named = [reference.name] if reference.name in same else same
        return any(map(self.normaliser.far, named))

    def task(self, observation: Mapping[str, Tensor]) -> Tensor | None:
        """Which of its tasks the policy is told, (B,), by the nearest vector; None where all tasks
        are normalised together."""
        if not self.normaliser.tasks:
            return None
        table = self.get_buffer("_tasks")
        return (observation[TASK][:, -1, None] - table).square().sum(-1).argmin(-1)

    def normalise(self, observation: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What the encoder takes: every feature of the specification, its columns picked."""
        picked = {f.name: _pick(observation, f) for f in self.spec.observations}
        for feature in self.spec.pictures:
            if feature.camera is not None:
                resize = nearest if feature.kind == "depth" else self.resize
                picked[feature.name] = resize(picked[feature.name], feature.shape[:2])
        task = self.task(observation)
        return {name: self.normaliser(name, values, task) for name, values in picked.items()}

    def condition(self, normalised: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        """(condition,) or (condition, mask), whichever the encoder gives."""
        encoded = self.encoder(normalised)
        return encoded if isinstance(encoded, tuple) else (encoded,)


def require_policy(who: str, given: object) -> None:
    """Raise `ConfigurationError` where a policy is needed and something else is given."""
    if not isinstance(given, Policy):
        raise ConfigurationError(
            f"{who} needs a policy, not a {type(given).__name__}: load_policy('RUN')."
        )


def _pick(observation: Mapping[str, Tensor], feature: Feature) -> Tensor:
    values = observation[feature.key]
    return values if feature.columns == slice(None) else values[..., feature.columns]
