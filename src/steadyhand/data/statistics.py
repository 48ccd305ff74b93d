"""What the numbers of a feature look like: the basis of every normaliser."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.actions import to_relative
from steadyhand.data.episodes import Episodes
from steadyhand.data.windows import make_windows
from steadyhand.spec import Feature, PolicySpec

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Statistics:
    """Per-dimension figures of one feature, each of the feature's shape, in float64."""

    minimum: Numbers
    maximum: Numbers
    mean: Numbers
    deviation: Numbers
    low: Numbers
    """The 1 % quantile."""
    high: Numbers
    """The 99 % quantile."""

    @classmethod
    def of(cls, values: NDArray[Any]) -> "Statistics":
        """The statistics of values (count, …) over the first axis."""
        values = values.astype(np.float64)
        low, high = np.quantile(values, [0.01, 0.99], axis=0)
        return cls(values.min(0), values.max(0), values.mean(0), values.std(0), low, high)


def statistics(episodes: Episodes, features: Iterable[Feature]) -> dict[str, Statistics]:
    """The statistics of each state feature."""
    return {
        feature.name: Statistics.of(episodes.read(feature))
        for feature in features
        if feature.kind == "state"
    }


def policy_statistics(episodes: Episodes, spec: PolicySpec) -> dict[str, Statistics]:
    """What a policy's normaliser needs; relative actions are seen as the chunks they come in."""
    found = statistics(episodes, spec.features)
    if spec.reference is not None:
        windows = make_windows(episodes, spec.chunking)
        now = episodes.read(spec.reference)[windows.observation[:, -1:]]
        chunks = to_relative(episodes.read(spec.action)[windows.action], now)
        found[spec.action.name] = Statistics.of(chunks[~windows.padded])
    return found
