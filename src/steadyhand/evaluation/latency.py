"""How long an answer is on its way, in a simulation: the same in every run, wherever it is played.

Numpy only, as `episode.py`.
"""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from steadyhand.sizes import Share, within
from steadyhand.values import at_least, checked

KEY = 0x1A7E
"""Tells these draws from those of a chunk's noise."""
ROUNDING = 1e-6
"""Ticks: what is later by less comes in time."""


@checked
@dataclass(frozen=True, kw_only=True)
class Latency:
    """Seconds from an observation to the chunk that is predicted from it; the world goes on."""

    seconds: Annotated[float, within(0, 3600)] = 0.0
    """That of an answer, on average."""
    jitter: Annotated[float, at_least(0)] = 0.0
    """It lies anywhere up to so many seconds below or above that, and never below 0."""
    drop: Share = 0.0
    """Share of the answers that never come. That is noticed when they would have come."""

    def __bool__(self) -> bool:
        """Whether there is any."""
        return self != NONE

    def of(self, seed: int, number: int, rate_hz: float) -> tuple[int, bool]:
        """(ticks, whether it comes): of the answer to request `number` of the episode `seed`.

        It is there in the first tick that begins when so many seconds have passed.
        """
        if not self:
            return 0, True
        late, lost = np.random.default_rng([seed, number, KEY]).random(2)
        seconds = max(0.0, self.seconds + (2 * late - 1) * self.jitter)
        return math.ceil(seconds * rate_hz - ROUNDING), bool(lost >= self.drop)


NONE = Latency()
"""Answers are there at once."""
