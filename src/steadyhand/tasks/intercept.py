"""Intercept: meet a goal that moves and turns, and stay with it for a while before it is gone.

Who stands still to think falls behind, and who acts on what it saw long ago is where the goal no
longer is. A pillar stands between, and is passed on either side. It needs no simulator;
`intercept_course.py` is how the goal moves, `intercept_expert.py` who demonstrates, and
`intercept_picture.py` draws. Units are metres and seconds, y points from the start to the goal.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from steadyhand.runtime.predictor import Observation
from steadyhand.sizes import within
from steadyhand.spec import LAST_ACTION
from steadyhand.tasks.intercept_course import ARENA, course
from steadyhand.tasks.intercept_expert import InterceptExpert
from steadyhand.tasks.intercept_picture import draw
from steadyhand.tasks.task import Scores, spelled
from steadyhand.values import at_least, checked
from steadyhand.values import seed as a_seed

TOP_SPEED = 0.5
ROBOT_RADIUS = 0.03
REACH = 0.07
"""So near to the middle of the goal is with it."""
PILLAR = (0.0, 0.4)
PILLAR_RADIUS = 0.06
START_SPREAD = 0.012
"""Standard deviation of the start from (0, 0), in x and y."""
GOLDEN = (5**0.5 - 1) / 2


@checked
@dataclass(frozen=True, kw_only=True)
class Intercept:
    """The task."""

    speed: Annotated[float, within(0.1, 0.3)] = 0.26
    """Of the goal, metres a second, 0.1 to 0.3; who demonstrates drives up to 0.44."""
    bend: Annotated[float, within(0, 60)] = 30.0
    """By how much its course bends at most, degrees, 0 to 60; by half of it at least."""
    stay: Annotated[float, within(0.1, 1.5)] = 1.0
    """How long to stay with it without a break, seconds, 0.1 to 1.5."""
    max_steps: Annotated[int, at_least(120)] = 160
    """After how many ticks an episode ends; it ends earlier where the goal is gone."""

    kind: ClassVar[str] = "intercept"
    modes: ClassVar[tuple[str, ...]] = ("left", "right")
    rate_hz: ClassVar[float] = 20.0
    first_seed: ClassVar[int] = 100_000
    initial_states: ClassVar[str] = (
        "the robot at (0, 0), moved by some 12 mm at random, the goal at the left or right edge; "
        "the seed decides, and when and where the goal turns"
    )

    @property
    def name(self) -> str:
        """intercept, and the settings that are not the usual ones."""
        return spelled(self)

    def goes_left(self, seed: int) -> bool:
        """On which side the demonstration `seed` passes the pillar.

        A golden-ratio sequence: any run of seeds has as many of either to within a few.
        """
        return (seed + 0.5) * GOLDEN % 1 < 0.5

    def start(self, seed: int) -> NDArray[np.float64]:
        """Where the robot of episode `seed` begins, (2,)."""
        return START_SPREAD * np.random.default_rng([seed, 0]).standard_normal(2)

    def course(self, seed: int) -> NDArray[np.float64]:
        """Where the goal is at each tick of episode `seed`, (ticks, 2), until it is gone."""
        bend = math.radians(self.bend)
        random = np.random.default_rng([seed, 1])
        return course(random, self.speed / self.rate_hz, bend, self.rate_hz)[: self.max_steps + 1]

    def make(self) -> "InterceptEnvironment":
        return InterceptEnvironment(self)

    def expert(self, seed: int) -> InterceptExpert:
        """The demonstrator of episode `seed`."""
        return InterceptExpert(
            side=-1 if self.goes_left(seed) else 1,
            pillar=(*PILLAR, PILLAR_RADIUS + ROBOT_RADIUS),
            rate_hz=self.rate_hz,
            random=np.random.default_rng([seed, 2]),
        )


class InterceptEnvironment:
    """One world. Actions are absolute targets (2,), reached within the tick if they are near."""

    def __init__(self, task: Intercept) -> None:
        self._task = task
        self._needed = round(task.stay * task.rate_hz)

    def reset(self, seed: int) -> Observation:
        self._course = self._task.course(a_seed("seed", seed))
        moves = np.diff(self._course, axis=0, append=2 * self._course[-1:] - self._course[-2:-1])
        seen = [self._course, moves * self._task.rate_hz]
        self._seen = np.concatenate(seen, axis=1, dtype=np.float32)
        x, y = self._task.start(seed)
        self._trail: list[tuple[float, float]] = [(float(x), float(y))]
        self._with, self._longest = 0, 0
        self._way: Literal["left", "right"] | None = None
        self._collided = False
        return {**self._observe(), LAST_ACTION: np.array(self._trail[0], dtype=np.float32)}

    def step(self, action: NDArray[Any]) -> tuple[Observation, bool]:
        (x, y), reach = self._trail[-1], TOP_SPEED / self._task.rate_hz
        along, up = float(action[0]) - x, float(action[1]) - y
        share = min(1.0, reach / max(math.hypot(along, up), 1e-12))
        x = min(max(x + share * along, ARENA[0]), ARENA[1])
        y = min(max(y + share * up, ARENA[2]), ARENA[3])
        self._trail.append((x, y))
        self._collided = _far((x, y), PILLAR) < PILLAR_RADIUS + ROBOT_RADIUS
        if y > PILLAR[1] and self._way is None and not self._collided:
            self._way = "left" if x < PILLAR[0] else "right"
        together = not self._collided and _far((x, y), self._goal) < REACH
        self._with = self._with + 1 if together else 0
        self._longest = max(self._longest, self._with)
        return self._observe(), self._collided or self._gone

    @property
    def _goal(self) -> tuple[float, float]:
        x, y = self._course[min(len(self._trail), len(self._course)) - 1]
        return float(x), float(y)

    @property
    def _arrived(self) -> bool:
        return self._longest >= self._needed

    @property
    def _gone(self) -> bool:
        return len(self._trail) >= len(self._course)

    def _observe(self) -> Observation:
        return {
            "state": np.array(self._trail[-1], dtype=np.float32),
            "goal": self._seen[min(len(self._trail), len(self._seen)) - 1],
        }

    def scores(self) -> Scores:
        """Success, collision, how many seconds the robot was with the goal without a break at best,
        and on which side the pillar was passed."""
        return {
            "success": self._arrived,
            "collision": self._collided,
            "together": self._longest / self._task.rate_hz,
            "left": self._way == "left",
            "right": self._way == "right",
        }

    def state(self) -> list[float]:
        """Where the robot is, and where the goal: x, y, x, y."""
        return [*self._trail[-1], *self._goal]

    def render(self) -> NDArray[np.uint8]:
        """The scene, with where both have been, (360, 420, 3)."""
        seen = self._seen[: len(self._trail)].astype(np.float64)
        return draw(
            arena=ARENA,
            pillar=(*PILLAR, PILLAR_RADIUS),
            goal=(seen[:, :2], seen[-1, 2:]),
            reach=REACH,
            robot=ROBOT_RADIUS,
            trail=self._trail,
        )


def _far(one: tuple[float, float], other: tuple[float, float]) -> float:
    return math.hypot(one[0] - other[0], one[1] - other[1])
