"""What latency did to episodes: ticks without a plan, and how old it is what actions knew of."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from steadyhand.evaluation.episode import Episode


@dataclass(frozen=True)
class Waiting:
    """What answers that are on their way did to some episodes."""

    held: float = 0.0
    """Share of the ticks in which the robot had nothing to do."""
    reaction_ms: float = math.nan
    """From a change in the world to the first action that knew of it, on average."""
    lost: int = 0
    """How many answers never came."""

    def as_json(self) -> dict[str, float | None]:
        """Each by name; null where nothing was to be reacted to."""
        known = not math.isnan(self.reaction_ms)
        return {**vars(self), "reaction_ms": self.reaction_ms if known else None}


def waiting(episodes: Sequence[Episode], rate_hz: float) -> Waiting:
    """Of episodes of so many ticks a second."""
    reactions = np.array([episode.reaction for episode in episodes])
    known = reactions[np.isfinite(reactions)]
    ticks = sum(len(episode.actions) for episode in episodes)
    return Waiting(
        held=sum(episode.held for episode in episodes) / ticks,
        reaction_ms=1000 * float(known.mean()) / rate_hz if len(known) else math.nan,
        lost=sum(episode.lost for episode in episodes),
    )
