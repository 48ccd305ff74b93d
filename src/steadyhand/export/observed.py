"""What an export is tried on: moments of demonstrations, or observations that are made up."""

import numpy as np
from numpy.typing import NDArray

from steadyhand.data import Episodes, make_windows
from steadyhand.data.lazy import take
from steadyhand.data.tasks import task_places
from steadyhand.policy.policy import Policy
from steadyhand.runtime.predictor import ChunkRequest
from steadyhand.spec import LAST_ACTION, TASK, Feature, PolicySpec

UNMEASURED = 0.05
"""Share of made-up pixels of depth, and of points, where nothing was measured."""


def recorded_moments(spec: PolicySpec, episodes: Episodes, count: int) -> list[ChunkRequest]:
    """What is asked at so many moments of `episodes`, evenly spread, as a robot would ask it.

    Raises `DataError` for what cannot be read.
    """
    keys = dict.fromkeys(feature.key for feature in spec.observations)
    if LAST_ACTION in keys:
        episodes = episodes.with_last_action(spec.action.key)
    steps = np.unique(np.linspace(0, episodes.steps - 1, count).astype(np.int64))
    rows = make_windows(episodes, spec.chunking).observation(steps)
    seen: dict[str, NDArray[np.generic]] = {}
    for key in keys:
        if key == TASK and spec.tasks is not None:
            seen[key] = spec.tasks.array[task_places(episodes, spec.tasks)[rows]]
        else:
            values = take(episodes.arrays[key], rows.reshape(-1))
            seen[key] = values.reshape(*rows.shape, *values.shape[1:])
    return _asked(seen, len(steps))


def made_up_moments(policy: Policy, count: int) -> list[ChunkRequest]:
    """So many random observations, numbers within the range of those that were recorded."""
    spec, random = policy.spec, np.random.default_rng(0)
    lead = (count, spec.chunking.obs_steps)
    seen: dict[str, NDArray[np.generic]] = {}
    for feature in spec.observations:
        shape = (*lead, *feature.recorded_shape)
        if feature.kind == "image":
            seen[feature.key] = random.integers(0, 256, shape, dtype=np.uint8)
        elif feature.range is not None:
            metres = random.uniform(0, feature.range[1], shape)
            metres[random.random(shape) < UNMEASURED] = np.nan
            seen[feature.key] = metres.astype(np.float32)
        elif feature.kind == "task" and spec.tasks is not None:
            which = random.integers(len(spec.tasks.texts), size=count)
            seen[feature.key] = np.repeat(spec.tasks.array[which][:, None], lead[1], axis=1)
        else:
            low, high = _range(policy, feature)
            if feature.kind == "points":
                places = random.uniform(low, high, shape)
                places[random.random(shape[:-1]) < UNMEASURED] = np.nan
                seen[feature.key] = places.astype(np.float32)
                continue
            values = seen.setdefault(feature.key, np.zeros(shape))
            values[..., feature.columns] = random.uniform(low, high, (*lead, *feature.shape))
    return _asked(seen, count)


def _range(policy: Policy, feature: Feature) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    found = policy.normaliser.statistics[feature.name]
    low, high = found.minimum, found.maximum
    by_task = low.ndim > len(feature.figures_shape)
    return (low.min(0), high.max(0)) if by_task else (low, high)


def _asked(seen: dict[str, NDArray[np.generic]], count: int) -> list[ChunkRequest]:
    each = ({key: values[place] for key, values in seen.items()} for place in range(count))
    return [ChunkRequest(observation=one, seed=place) for place, one in enumerate(each)]
