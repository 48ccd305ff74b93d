"""How much a policy leans on the past: what it saw before now is blurred, what it sees now is not.

A policy that copies what was done before, instead of looking (causal confusion: de Haan, Jayaraman
and Levine 2019), falls with it; one that looks does not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.runtime import ChunkRequest, Predictor
from steadyhand.runtime.statistics import Statistics
from steadyhand.spec import PolicySpec
from steadyhand.values import at_least, taken

STREAM = 3
"""Tells this noise from all other that is drawn for the same episode."""
PICTURE = 64.0
"""The deviation taken for a picture's numbers, 0 to 255; depth's is as large for its range."""


class PerturbedHistory:
    """A predictor that is shown a past with Gaussian noise of `scale` deviations.

    `stds` goes from a recorded key to the deviation of each of its numbers; what it lacks, and what
    is observed now, stays as it is. The noise of a request depends on its seed and number alone.
    """

    def __init__(
        self, predictor: Predictor, scale: float, stds: Mapping[str, NDArray[np.floating]]
    ) -> None:
        self.predictor = predictor
        self.scale = taken("scale", scale, float, at_least(0))
        self.stds = dict(stds)

    @property
    def spec(self) -> PolicySpec:
        return self.predictor.spec

    def predict(self, requests: Sequence[ChunkRequest]) -> NDArray[np.floating]:
        return self.predictor.predict([self._perturbed(request) for request in requests])

    def _perturbed(self, request: ChunkRequest) -> ChunkRequest:
        random = np.random.default_rng([request.seed, request.number, STREAM])
        seen = dict(request.observation)
        for key in sorted(self.stds.keys() & seen.keys()):
            if len(seen[key]) > 1:
                seen[key] = self._blurred(seen[key], self.stds[key], random)
        return replace(request, observation=seen)

    def _blurred(
        self, seen: NDArray[Any], std: NDArray[np.floating], random: np.random.Generator
    ) -> NDArray[Any]:
        """Observations (obs_steps, …), all but the last with noise, of the type they had."""
        past = seen[:-1] + self.scale * std * random.standard_normal(seen[:-1].shape)
        if seen.dtype.kind in "iu":
            ends = np.iinfo(seen.dtype)
            past = np.clip(past.round(), ends.min, ends.max)
        return np.concatenate([past.astype(seen.dtype), seen[-1:]])


def deviations(
    spec: PolicySpec, statistics: Mapping[str, Statistics]
) -> dict[str, NDArray[np.float64]]:
    """Recorded key → the deviation of each of its numbers: 0 of one that never moves, or that the
    policy does not see."""
    found: dict[str, NDArray[np.float64]] = {}
    for feature in spec.observations:
        if feature.kind == "task":  # which is the same all the while
            continue
        if feature.kind == "image":
            found[feature.key] = np.full(feature.recorded_shape, PICTURE)
            continue
        if feature.range is not None:
            near, farthest = feature.range
            spread = (farthest - near) * PICTURE / 256
            found[feature.key] = np.full(feature.recorded_shape, spread)
            continue
        known = statistics[feature.name]
        whole = found.setdefault(feature.key, np.zeros(feature.recorded_shape))
        moving = np.where(known.constant, 0.0, known.deviation)
        # Of several tasks, each with its own figures, as in the one in which it moves most.
        alike = moving.ndim == len(feature.figures_shape)
        whole[feature.columns] = moving if alike else moving.max(0)
    return found
