"""Windows: which recorded steps make one training example. Pure index arithmetic, no data."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.errors import DataError
from steadyhand.spec import Chunking


@dataclass(frozen=True)
class Windows:
    """One window for every step of every chosen episode, that step being "now".

    Steps outside the episode repeat its edge; `padded` marks the actions that do.
    """

    observation: NDArray[np.int64]
    """Shape (windows, obs_steps): the recorded step of each observation."""
    action: NDArray[np.int64]
    """Shape (windows, horizon): the recorded step of each action."""
    padded: NDArray[np.bool_]
    """Shape (windows, horizon): True where an action lies outside its episode."""

    def __len__(self) -> int:
        return len(self.observation)


def make_windows(episodes: Episodes, chosen: NDArray[np.int64], chunking: Chunking) -> Windows:
    """The windows of the `chosen` episode numbers, in their order."""
    if not len(chosen):
        raise DataError("No episode is left to make windows of; lower validation_share.")
    starts, ends = episodes.starts[chosen], episodes.ends[chosen]
    lengths = ends - starts
    now = np.concatenate([np.arange(a, b) for a, b in zip(starts, ends, strict=True)])
    first, last = np.repeat(starts, lengths)[:, None], np.repeat(ends - 1, lengths)[:, None]
    observation = now[:, None] + chunking.observation_offsets
    action = now[:, None] + chunking.action_offsets
    return Windows(
        observation=np.clip(observation, first, last),
        action=np.clip(action, first, last),
        padded=(action < first) | (action > last),
    )
