"""How `fork` is disturbed: obstacle and passages move sideways before the robot, in every other
episode. Who sees it in time can still drive around; who drives as planned before collides.
"""

from dataclasses import dataclass

import numpy as np

from steadyhand.tasks.disturbance import disturbed

SHARES = (0.6, 1.0)
"""How far they move, as shares of the furthest."""
WHEN = (0.14, 0.27)
"""Where the robot is then: y, metres. A tick later it still has 4 cm to swing out in."""


@dataclass(frozen=True)
class Shift:
    """What happens in one episode."""

    offset: float = 0.0
    """How far they move, metres, to the right; 0 where nothing happens."""
    y: float = float("inf")
    """They have moved when the robot has come so far."""

    @property
    def happens(self) -> bool:
        return self.offset != 0


def shift_of(seed: int, furthest: float) -> Shift:
    """That of the episode `seed`; `furthest` is the most that they may move.

    To which side is a sequence as `disturbed`'s: any run of seeds has about half of each, on either
    way.
    """
    if furthest == 0 or not disturbed(seed):
        return Shift()
    side = -1 if (seed + 0.5) * 3**0.5 % 1 < 0.5 else 1
    random = np.random.default_rng([seed, 3])
    return Shift(side * furthest * random.uniform(*SHARES), random.uniform(*WHEN))
