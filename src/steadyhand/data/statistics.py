"""What the numbers of a feature look like: the basis of every normaliser."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.spec import Feature

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Statistics:
    """Per-dimension figures of one feature, each of the feature's shape, in float64."""

    minimum: Numbers
    maximum: Numbers
    mean: Numbers
    deviation: Numbers


def statistics(
    episodes: Episodes, features: Iterable[Feature], chosen: NDArray[np.int64] | None = None
) -> dict[str, Statistics]:
    """The statistics of each state feature over the chosen episodes (all of them by default)."""
    if chosen is None:
        chosen = np.arange(len(episodes))
    spans = [slice(episodes.starts[i], episodes.ends[i]) for i in chosen]
    result: dict[str, Statistics] = {}
    for feature in features:
        if feature.kind == "image":
            continue
        values = episodes.read(feature).astype(np.float64)
        values = np.concatenate([values[span] for span in spans])
        result[feature.name] = Statistics(
            minimum=values.min(0), maximum=values.max(0), mean=values.mean(0), deviation=values.std(0)
        )
    return result
