"""What a policy sees, and what its actions are relative to, where the config leaves that open."""

import numpy as np

from steadyhand.data import Episodes
from steadyhand.errors import ConfigurationError
from steadyhand.spec import PolicySpec
from steadyhand.training.config import TrainConfig

NEAR = 0.5
"""Actions are near an observation if their distance from it varies by less than this share."""


def specification(config: TrainConfig, episodes: Episodes) -> PolicySpec:
    """The specification of a policy for these episodes.

    Raises `ConfigurationError` for features that were not recorded or do not fit together.
    """
    longest = int(episodes.lengths.max())
    if config.chunking.horizon > longest:
        raise ConfigurationError(
            f"A chunk of {config.chunking.horizon} actions is longer than every episode (the "
            f"longest has {longest} steps), so its end would never be learned. Choose "
            f"--chunking.horizon and --chunking.execute of at most {longest}."
        )
    observations = config.observations or _observations(episodes)
    relative_to = config.action_relative_to
    if relative_to == "auto":
        relative_to = _nearest(episodes, observations, config.action)
    return PolicySpec.select(
        episodes.shapes,
        observations=observations,
        action=config.action,
        chunking=config.chunking,
        rate_hz=episodes.rate_hz,
        action_relative_to=relative_to,
        image_size=config.image_size,
    )


def _observations(episodes: Episodes) -> tuple[str, ...]:
    """What a data set itself calls observations, the numbers first."""
    found = [key for key in episodes.arrays if key.startswith("observation")]
    if not found:
        raise ConfigurationError(
            f"Nothing in {episodes.path or 'the data'} is called 'observation.…'. Name what the "
            f"policy sees with --observations: {', '.join(episodes.arrays)}."
        )
    return tuple(sorted(found, key=lambda key: (len(episodes.shapes[key]), key)))


def _nearest(episodes: Episodes, observations: tuple[str, ...], action: str) -> str | None:
    """The observation that actions stay nearest to, if there is one of their shape and names."""
    spec = PolicySpec.select(episodes.shapes, observations=observations, action=action)
    actions = episodes.read(spec.action).astype(np.float64)
    spread = np.maximum(actions.std(0), 1e-9)
    best, found = NEAR, None
    for feature in spec.observations:
        names = (episodes.names.get(feature.key), episodes.names.get(spec.action.key))
        if feature.shape != spec.action.shape or (all(names) and names[0] != names[1]):
            continue
        off = (actions - episodes.read(feature)).std(0) / spread
        if float(np.median(off)) < best:
            best, found = float(np.median(off)), feature.name
    return found
