"""Windows: which recorded steps make one training example. Pure arithmetic on indices, no data."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.spec import Chunking

Steps = NDArray[np.int64]


@dataclass(frozen=True)
class Windows:
    """One window for every step of every episode, that step being "now".

    Steps outside the episode repeat its edge. Nothing is kept of a window: each is worked out
    when it is asked for, from the ends of the episodes.
    """

    ends: Steps
    """Shape (episodes,): the step after the last one of each episode."""
    chunking: Chunking

    def __len__(self) -> int:
        return int(self.ends[-1])

    def observation(self, now: Steps) -> Steps:
        """The recorded step of each observation, (windows,) → (windows, obs_steps)."""
        return np.clip(now[:, None] + self.chunking.observation_offsets, *self._edges(now))

    def action(self, now: Steps) -> Steps:
        """The recorded step of each action, (windows,) → (windows, horizon)."""
        return np.clip(now[:, None] + self.chunking.action_offsets, *self._edges(now))

    def padded(self, now: Steps) -> NDArray[np.bool_]:
        """Where an action lies outside its episode, (windows,) → (windows, horizon)."""
        meant, (first, last) = now[:, None] + self.chunking.action_offsets, self._edges(now)
        return (meant < first) | (meant > last)

    def _edges(self, now: Steps) -> tuple[Steps, Steps]:
        """First and last step of the episode that each window lies in, (windows, 1) each."""
        episode = np.searchsorted(self.ends, now, side="right")
        first = np.concatenate([[0], self.ends[:-1]])[episode]
        return first[:, None], self.ends[episode][:, None] - 1


def make_windows(episodes: Episodes, chunking: Chunking) -> Windows:
    """The windows of all episodes; the number of a window is the step that is its "now"."""
    return Windows(episodes.ends, chunking)
