"""Windows: which recorded steps make one training example. Pure index arithmetic, no data."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.spec import Chunking


@dataclass(frozen=True)
class Windows:
    """One window for every step of every episode, that step being "now".

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


def make_windows(episodes: Episodes, chunking: Chunking) -> Windows:
    """The windows of all episodes, step by step."""
    now = np.arange(episodes.steps)
    lengths = episodes.lengths
    first = np.repeat(episodes.starts, lengths)[:, None]
    last = np.repeat(episodes.ends - 1, lengths)[:, None]
    observation = now[:, None] + chunking.observation_offsets
    action = now[:, None] + chunking.action_offsets
    return Windows(
        observation=np.clip(observation, first, last),
        action=np.clip(action, first, last),
        padded=(action < first) | (action > last),
    )
