"""Adroit: a hand of 28 joints that unlatches and opens a door (Rajeswaran et al. 2018).

The simulator is Gymnasium-Robotics' on MuJoCo. Its 39 numbers are those of the published human
demonstrations, in the same order and units, and its 28 actions theirs: what each joint's motor is
told, as a share of its range (tests/tasks/test_adroit.py holds them against each other).
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError, library, unknown
from steadyhand.runtime.predictor import Observation
from steadyhand.sizes import SMALLEST_IMAGE
from steadyhand.spec import LAST_ACTION
from steadyhand.tasks.gymnasium_registry import quietly
from steadyhand.tasks.gymnasium_world import GymEnvironment
from steadyhand.tasks.task import Scores, spelled
from steadyhand.values import Bound, at_least, checked

WORLDS = {"door": "AdroitHandDoor-v1"}
VIEW = Bound(
    f"0, or {SMALLEST_IMAGE} to 480 pixels", lambda view: view == 0 or SMALLEST_IMAGE <= view <= 480
)
ANGLE = 28
"""The door's angle in the observation, radians."""
OPEN = 1.0
"""Radians beyond which the observation calls the door open. Success is 1.35."""
HUMAN_ARM = np.array([-0.0477, -0.0564, -0.0310, 0.3611, 0.1441, -0.1853])
"""Arm and wrist as people's were when the published demonstrations began, mean of all 25."""
HUMAN_SPREAD = np.array([0.0163, 0.0364, 0.0217, 0.0790, 0.0042, 0.0814])
"""Standard deviations; radians, but for the first, metres. Fingers were straight."""


@checked
@dataclass(frozen=True, kw_only=True)
class Adroit:
    """The task `adroit/door`. The frame of the door is somewhere else in every episode."""

    env: str
    """door, the only one with demonstrations here."""
    start: Literal["rest", "human"] = "rest"
    """Where the hand begins: at rest, as the simulator has it, or about where people's were."""
    max_steps: Annotated[int, at_least(1)] = 300
    """Ticks of an episode; the simulator's own limit is 200, and people took 223 to 300."""
    view: Annotated[int, VIEW] = 0
    """Height and width of the picture `img` that is observed, too; 0 for none."""

    family: ClassVar[str] = "adroit"
    rate_hz: ClassVar[float] = 100.0
    first_seed: ClassVar[int] = 100_000

    def __post_init__(self) -> None:
        if self.env not in WORLDS:
            raise ConfigurationError(unknown("task of Adroit", self.env, WORLDS))

    @property
    def kind(self) -> str:
        """adroit/ and the name."""
        return f"{self.family}/{self.env}"

    @property
    def name(self) -> str:
        """The kind, and the settings that are not the usual ones."""
        return spelled(self)

    @property
    def initial_states(self) -> str:
        hand = {"rest": "the hand at rest", "human": "the hand about where people's were"}
        return f"the simulator's own reset(seed=seed) draws the door's place; {hand[self.start]}"

    @property
    def settings_show(self) -> tuple[str, ...]:
        """What is observed because of these settings, beside what always is."""
        return ("img",) if self.view else ()

    def make(self) -> "AdroitEnvironment":
        """Raises `MissingExtraError` where gymnasium-robotics is not installed."""
        return AdroitEnvironment(self)


class AdroitEnvironment:
    """One world: GymEnvironment's, with where the hand begins and how far the door was opened."""

    def __init__(self, task: Adroit) -> None:
        with quietly():
            library("gymnasium_robotics")
        self._task, world = task, WORLDS[task.env]
        self._world = GymEnvironment(world, said=task.kind, success="success", view=task.view)
        self._widest = 0.0

    def reset(self, seed: int) -> Observation:
        seen = self._world.reset(seed)
        if self._task.start == "human":
            drawn = np.random.default_rng([seed, 4]).normal(0, 1, HUMAN_ARM.size)
            arm = HUMAN_ARM + HUMAN_SPREAD * np.clip(drawn, -2, 2)
            seen = self.begin(np.concatenate([arm, np.zeros(self.bare.model.nq - arm.size)]))
        self._widest = 0.0
        return {**self._narrow(seen), LAST_ACTION: self._held()}

    @property
    def bare(self) -> Any:
        """The simulator itself."""
        return self._world.bare

    def begin(
        self, joints: NDArray[np.float64], door: NDArray[np.float64] | None = None
    ) -> Observation:
        """Begin again with joints (30,) at rest: 28 of the hand, door, latch; and the door's frame
        there (3,), in metres."""
        world = self.bare
        if door is not None:
            world.model.body_pos[world.door_body_id] = door
        world.set_state(np.asarray(joints, dtype=np.float64), np.zeros(world.model.nv))
        return self._world.look(world._get_obs())

    def step(self, action: NDArray[Any]) -> tuple[Observation, bool]:
        seen, over = self._world.step(action)
        self._widest = max(self._widest, float(seen["state"][ANGLE]))
        return self._narrow(seen), over

    def _narrow(self, seen: Observation) -> Observation:
        # In float32, as it was recorded.
        return {**seen, "state": seen["state"].astype(np.float32)}

    def _held(self) -> NDArray[np.float32]:
        """The action that asks every joint to stay where it is, but for its weight."""
        world, model = self.bare, self.bare.model
        # The arm's motors pull towards two and a half times what they are told.
        pull = model.actuator_gainprm[:, 0] / -model.actuator_biasprm[:, 1]
        told = world.data.qpos[: model.nu] / pull
        return ((told - world.act_mean) / world.act_rng).astype(np.float32)

    def scores(self) -> Scores:
        """Success as the simulator says it (1.35 radians at any tick), whether the door was opened
        by 1 radian, and its widest angle in radians."""
        success = self._world.scores()["success"]
        return {"success": success, "opened": self._widest > OPEN, "angle": self._widest}

    def state(self) -> list[float]:
        return self._world.state()

    def render(self) -> NDArray[np.uint8]:
        return self._world.render()
