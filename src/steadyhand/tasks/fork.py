"""Fork: drive a disc around an obstacle to the goal behind it. Left and right are both right.

The smallest task that behaviour cloning cannot do: the mean of the two ways is the obstacle. It
needs no simulator; `fork_expert.py` is who demonstrates it, `fork_picture.py` draws it,
`fork_sight.py` sees it from above and `fork_shift.py` disturbs it. Units are metres and seconds, y
points from the start to the goal.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from steadyhand.runtime.predictor import Observation
from steadyhand.sizes import Kind, within
from steadyhand.spec import LAST_ACTION
from steadyhand.tasks.fork_expert import ForkExpert
from steadyhand.tasks.fork_picture import draw
from steadyhand.tasks.fork_shift import Shift, shift_of
from steadyhand.tasks.fork_sight import depth_from_above, points_from_above
from steadyhand.tasks.task import Scores, spelled
from steadyhand.values import at_least, checked
from steadyhand.values import seed as a_seed

TOP_SPEED = 0.6
ROBOT_RADIUS = 0.03
GOAL_RADIUS = 0.05
GOAL = np.array([0.0, 1.0])
GOAL_SPREAD = 0.38
"""How far from there, sideways, it is at most, where it is somewhere else in each episode."""
FAR_SIDE = 0.98
"""From this y on there is no way back to look for a goal that is somewhere else."""
START_SPREAD = 0.012
"""Standard deviation of the start from (0, 0), in x and y."""
OBSTACLE_HALF_WIDTH = 0.12
OBSTACLE_FRONT, OBSTACLE_BACK = 0.4, 0.6
ARENA = (-0.5, 0.5, -0.1, 1.1)
"""x from, x to, y from, y to: the robot cannot leave it."""
GOLDEN = (5**0.5 - 1) / 2
CUE_TICKS = 2
"""How long the way to go is shown, where it is shown at the start."""


@checked
@dataclass(frozen=True, kw_only=True)
class Fork:
    """The task. Its settings are what the studies turn.

    Raises `ConfigurationError` for settings with which the expert could not pass.
    """

    gap: Annotated[float, within(0.1, 0.35)] = 0.2
    """Width of the passage on either side of the obstacle, metres, 0.1 to 0.35."""
    left_share: Annotated[float, within(0, 1)] = 0.5
    """Share of the demonstrations that pass on the left, 0 to 1."""
    commit: Annotated[float, within(0, 0.7)] = 0.0
    """Share of the way to the obstacle that is driven before turning to a side, 0 to 0.7."""
    cue: Literal["none", "start", "always"] = "none"
    """When `cue` (-1 left, 1 right) is shown. Where it is, only that way is success."""
    shift: Annotated[float, within(0, 0.15)] = 0.0
    """How far obstacle and passages move sideways at most, metres, before the robot in every other
    episode, 0 to 0.15. Where it is above 0, `shift` is seen, too: how far they have moved."""
    goal: Literal["fixed", "depth", "points"] = "fixed"
    """Where the goal is: straight ahead, or anywhere along the far side, which nothing shows but a
    picture from above, `depth` in metres, or `cloud`, points of it. Who comes to the far side
    anywhere else has missed it."""
    max_steps: Annotated[int, at_least(50)] = 80
    """After how many ticks an episode ends; the expert needs up to 50."""

    kind: ClassVar[str] = "fork"
    modes: ClassVar[tuple[str, ...]] = ("left", "right")
    rate_hz: ClassVar[float] = 10.0
    first_seed: ClassVar[int] = 100_000
    initial_states: ClassVar[str] = "(0, 0), moved by some 12 mm at random; the seed decides"

    @property
    def name(self) -> str:
        """fork, and the settings that are not the usual ones."""
        return spelled(self)

    @property
    def settings_show(self) -> tuple[str, ...]:
        """What is observed because of these settings, beside what always is."""
        shown = {"cue": self.cue != "none", "shift": self.shift > 0}
        shown |= {"depth": self.goal == "depth", "cloud": self.goal == "points"}
        return tuple(name for name, is_shown in shown.items() if is_shown)

    @property
    def kinds(self) -> dict[str, Kind]:
        """What is observed that no shape says."""
        found: dict[str, dict[str, Kind]] = {
            "depth": {"depth": "depth"},
            "points": {"cloud": "points"},
        }
        return found.get(self.goal, {})

    @property
    def blocks(self) -> NDArray[np.float64]:
        """What the robot must not touch, (3, 4): x from, x to, y from, y to of each rectangle."""
        return self.blocks_at(0.0)

    def blocks_at(self, offset: float) -> NDArray[np.float64]:
        """The same when obstacle and passages have moved so far to the right."""
        inner, outer = OBSTACLE_HALF_WIDTH, OBSTACLE_HALF_WIDTH + self.gap
        spans = [
            (offset - inner, offset + inner),
            (ARENA[0], offset - outer),
            (offset + outer, ARENA[1]),
        ]
        return np.array([(*span, OBSTACLE_FRONT, OBSTACLE_BACK) for span in spans])

    def goes_left(self, seed: int) -> bool:
        """The way of the demonstration `seed`, and the one shown where a cue is.

        A golden-ratio sequence: any run of seeds has `left_share` to within a few seeds.
        """
        return (seed + 0.5) * GOLDEN % 1 < self.left_share

    def shifted(self, seed: int) -> Shift:
        """How episode `seed` is disturbed."""
        return shift_of(seed, self.shift)

    def start(self, seed: int) -> NDArray[np.float64]:
        """Where episode `seed` begins, (2,)."""
        return START_SPREAD * np.random.default_rng([seed, 0]).standard_normal(2)

    def goal_of(self, seed: int) -> NDArray[np.float64]:
        """Where the goal of episode `seed` is, (2,)."""
        if self.goal == "fixed":
            return GOAL
        aside = np.random.default_rng([seed, 3]).uniform(-GOAL_SPREAD, GOAL_SPREAD)
        return GOAL + np.array([aside, 0.0])

    def make(self) -> "ForkEnvironment":
        return ForkEnvironment(self)

    def expert(self, seed: int) -> ForkExpert:
        """The demonstrator of episode `seed`."""
        return ForkExpert(
            start=self.start(seed),
            goal=self.goal_of(seed),
            side=(-1 if self.goes_left(seed) else 1) * (OBSTACLE_HALF_WIDTH + self.gap / 2),
            room=self.gap / 2 - ROBOT_RADIUS,
            turn=(self.commit * OBSTACLE_FRONT, OBSTACLE_FRONT - ROBOT_RADIUS),
            back=OBSTACLE_BACK + ROBOT_RADIUS,
            rate_hz=self.rate_hz,
            random=np.random.default_rng([seed, 2]),
        )


class ForkEnvironment:
    """One world. Actions are absolute targets (2,), reached within the tick if they are near."""

    def __init__(self, task: Fork) -> None:
        self._task = task

    def reset(self, seed: int) -> Observation:
        self._seed = a_seed("seed", seed)
        self._trail, self._goal = [self._task.start(seed)], self._task.goal_of(seed)
        self._shift, self._offset = self._task.shifted(seed), 0.0
        self._way: Literal["left", "right"] | None = None
        self._collided = self._arrived = self._missed = False
        return {**self._observe(), LAST_ACTION: self._trail[0].astype(np.float32)}

    def step(self, action: NDArray[Any]) -> tuple[Observation, bool]:
        here, reach = self._trail[-1], TOP_SPEED / self._task.rate_hz
        move = np.asarray(action, dtype=np.float64) - here
        move *= min(1.0, reach / max(float(np.linalg.norm(move)), 1e-12))
        for share in (0.25, 0.5, 0.75, 1.0):  # a corner could be cut between two ticks
            place = np.clip(here + share * move, ARENA[::2], ARENA[1::2])
            if self._touches(place):
                self._collided = True
                break
        self._trail.append(place)
        passed = place[1] > (OBSTACLE_FRONT + OBSTACLE_BACK) / 2
        if passed and self._way is None and not self._collided:
            self._way = "left" if place[0] < self._offset else "right"
        near = bool(np.linalg.norm(place - self._goal) < GOAL_RADIUS)
        self._arrived = near and not self._collided
        hidden = self._task.goal != "fixed"
        self._missed = hidden and place[1] > FAR_SIDE and not self._arrived
        if place[1] >= self._shift.y:
            self._offset = self._shift.offset
        return self._observe(), self._collided or self._arrived or self._missed

    def _touches(self, place: NDArray[np.float64]) -> bool:
        x_from, x_to, y_from, y_to = self._task.blocks_at(self._offset).T
        beside = np.maximum(np.maximum(x_from - place[0], place[0] - x_to), 0)
        beyond = np.maximum(np.maximum(y_from - place[1], place[1] - y_to), 0)
        return bool(np.any(np.hypot(beside, beyond) < ROBOT_RADIUS))

    def _observe(self) -> Observation:
        seen = {"state": self._trail[-1].astype(np.float32)}
        if self._task.cue != "none":
            shown = self._task.cue == "always" or len(self._trail) <= CUE_TICKS
            way = -1.0 if self._task.goes_left(self._seed) else 1.0
            seen["cue"] = np.array([way if shown else 0.0], dtype=np.float32)
        if self._task.shift > 0:
            seen["shift"] = np.array([self._offset], dtype=np.float32)
        if self._task.goal == "fixed":
            return seen
        random = np.random.default_rng([self._seed, 4, len(self._trail)])
        blocks = self._task.blocks_at(self._offset)
        discs = (self._goal, GOAL_RADIUS), (self._trail[-1], ROBOT_RADIUS)
        if self._task.goal == "depth":
            return {**seen, "depth": depth_from_above(ARENA, blocks, *discs, random)}
        return {**seen, "cloud": points_from_above(blocks, *discs, random)}

    def scores(self) -> Scores:
        """Success, collision, and which way was taken: the side on which the obstacle was passed.

        Where a way was shown, the other one is no success. Where the scene may move, `disturbed`
        says whether it does in this episode.
        """
        shown = "left" if self._task.goes_left(self._seed) else "right"
        allowed = self._task.cue == "none" or self._way == shown
        return {
            "success": self._arrived and allowed,
            "collision": self._collided,
            "left": self._way == "left",
            "right": self._way == "right",
            **({"disturbed": self._shift.happens} if self._task.shift > 0 else {}),
        }

    def state(self) -> list[float]:
        """Where the robot is, and where they may differ, how far the scene has moved and where the
        goal is."""
        moved = [self._offset] if self._task.shift > 0 else []
        goal = [] if self._task.goal == "fixed" else self._goal.tolist()
        return self._trail[-1].tolist() + moved + goal

    def render(self) -> NDArray[np.uint8]:
        """The scene with the robot and where it has been, (360, 300, 3)."""
        return draw(
            arena=ARENA,
            blocks=self._task.blocks_at(self._offset),
            goal=(*self._goal, GOAL_RADIUS),
            robot=ROBOT_RADIUS,
            trail=np.array(self._trail),
        )
