"""Meta-World: a Sawyer arm and its 50 manipulation tasks (Yu et al. 2019), by name.

The simulator is the `metaworld` package on MuJoCo; its scripted experts demonstrate. The seed of an
episode draws its initial state from the whole range that Meta-World defines. The expert is
`metaworld_expert.py`, what each task is in words `metaworld_words.py`.
"""

from copy import copy
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError, library, unknown
from steadyhand.runtime.predictor import Observation
from steadyhand.sizes import SMALLEST_IMAGE
from steadyhand.spec import LAST_ACTION, TASK
from steadyhand.tasks.metaworld_expert import MetaWorldExpert
from steadyhand.tasks.metaworld_words import WORDS
from steadyhand.tasks.offscreen import Camera, draw_without_screen
from steadyhand.tasks.task import Scores, spelled
from steadyhand.values import Bound, at_least, at_most, checked
from steadyhand.values import seed as a_seed

CAMERAS = ("corner", "corner2", "corner3", "corner4", "topview", "behindGripper", "gripperPOV")
LONGEST = 500
"""Ticks after which Meta-World ends an episode."""
VIEW = Bound(
    f"0, or {SMALLEST_IMAGE} to 480 pixels", lambda view: view == 0 or SMALLEST_IMAGE <= view <= 480
)
UPSIDE_DOWN = ("corner", "corner2", "corner3")
"""Cameras that Meta-World hung the wrong way up: their pictures are turned round."""


@checked
@dataclass(frozen=True, kw_only=True)
class MetaWorld:
    """One of the tasks, `metaworld/reach-v3`. Raises `ConfigurationError` for a name that is none.

    An episode ends with success, which is what the simulator's own measure says at any tick.
    """

    env: str
    """Which of the 50, as Meta-World calls it."""
    goal: Literal["shown", "hidden"] = "shown"
    """Whether `state` ends with where the goal is; hidden, there are zeros."""
    control: Literal["move", "position"] = "move"
    """Actions are moves of the hand, in hundredths of a metre, or the place it is to be, in metres;
    the fourth number closes the gripper, -1 to 1."""
    view: Annotated[int, VIEW] = 0
    """Height and width of the picture `img` that is observed, too; 0 for none."""
    camera: str = "corner2"
    """Which of the simulator's cameras takes pictures."""
    max_steps: Annotated[int, at_least(1), at_most(LONGEST)] = LONGEST

    family: ClassVar[str] = "metaworld"
    rate_hz: ClassVar[float] = 80.0
    first_seed: ClassVar[int] = 100_000
    initial_states: ClassVar[str] = "drawn by the seed from the range that Meta-World defines"

    def __post_init__(self) -> None:
        if self.env not in WORDS:
            raise ConfigurationError(unknown("task of Meta-World", self.env, WORDS))
        if self.camera not in CAMERAS:
            raise ConfigurationError(unknown("camera", self.camera, CAMERAS))

    @property
    def kind(self) -> str:
        """metaworld/ and the name."""
        return f"{self.family}/{self.env}"

    @property
    def name(self) -> str:
        """The kind, and the settings that are not the usual ones."""
        return spelled(self)

    @property
    def instruction(self) -> str:
        """What is to be done, in words."""
        return WORDS[self.env]

    @property
    def settings_show(self) -> tuple[str, ...]:
        """What is observed because of these settings, beside what always is."""
        return ("img",) if self.view else ()

    def make(self) -> "MetaWorldEnvironment":
        """Raises `MissingExtraError` where Meta-World is not installed."""
        return MetaWorldEnvironment(self)

    def expert(self, seed: int) -> MetaWorldExpert:
        """Meta-World's own script for this task; it knows where the goal is."""
        return MetaWorldExpert(self.env)


class MetaWorldEnvironment:
    """One world. It shows `state` (39: hand, gripper, objects, the same a tick ago, the goal),
    `task` in words and, where asked for, `img`."""

    def __init__(self, task: MetaWorld) -> None:
        draw_without_screen()
        self._task = task
        self._world = world = _simulator(task.env)()
        # What is hidden is hidden here: the expert sees the goal. Bounds are worked out anew.
        world._partially_observable = False
        world.__dict__.pop("sawyer_observation_space", None)
        world._freeze_rand_vec, world.seeded_rand_vec = False, True
        world._set_task_called = True
        self._camera = Camera(world.model, task.camera, turned=task.camera in UPSIDE_DOWN)
        self._told = np.array(task.instruction)
        self._seen = np.zeros(39)
        self._success = False

    def reset(self, seed: int) -> Observation:
        self._world.seed(a_seed("seed", seed))
        self._world._prev_obs = np.zeros(18)
        self._seen, _ = self._world.reset()
        self._success = False
        here = np.append(self.hand_target if self._task.control == "position" else [0, 0, 0], -1)
        return {**self._observation(), LAST_ACTION: here.astype(np.float32)}

    def step(self, action: NDArray[Any]) -> tuple[Observation, bool]:
        told = np.array(action, dtype=np.float64)
        if self._task.control == "position":
            told[:3] = (told[:3] - self.hand_target) / self._world.action_scale
        self._seen, _, _, ended, info = self._world.step(np.clip(told, -1, 1))
        self._success |= bool(info["success"])
        return self._observation(), self._success or bool(ended)

    def hold(self, told: NDArray[Any]) -> NDArray[Any]:
        """Where the hand is told to be, it stays; else a displacement of nothing."""
        position = self._task.control == "position"
        return told if position else np.append(np.zeros(3, told.dtype), told[3:])

    @property
    def full_state(self) -> NDArray[np.float64]:
        """The whole observation, the goal with it."""
        return self._seen

    @property
    def hand_target(self) -> NDArray[np.float64]:
        """Where the hand is told to be, (3,) in metres."""
        return np.array(self._world.data.mocap_pos[0])

    def commanded(self, move: NDArray[Any]) -> NDArray[np.float64]:
        """What to tell the arm for a move of the expert's, in this task's way of control."""
        told = np.clip(np.asarray(move, dtype=np.float64), -1, 1)
        if self._task.control == "position":
            world = self._world
            place = self.hand_target + told[:3] * world.action_scale
            told[:3] = np.clip(place, world.mocap_low, world.mocap_high)
        return told

    def _observation(self) -> Observation:
        state = self._seen.astype(np.float32)
        if self._task.goal == "hidden":
            state[-3:] = 0
        seen = {"state": state, TASK: self._told}
        return {**seen, "img": self.view(self._task.view)} if self._task.view else seen

    def view(self, size: int) -> NDArray[np.uint8]:
        """What the camera sees, (size, size, 3)."""
        return self._camera.take(self._world.data, size)

    def scores(self) -> Scores:
        return {"success": self._success}

    def state(self) -> list[float]:
        return [*self._seen[:18].tolist(), *self._seen[-3:].tolist()]

    def render(self) -> NDArray[np.uint8]:
        return self.view(480)


@cache
def _simulator(env: str) -> type[Any]:
    """Meta-World's class of that name, which reads its model once: a copy takes a thirtieth of the
    tenth of a second."""
    kind: Any = library("metaworld.env_dict").ALL_V3_ENVIRONMENTS[env]
    data_of = library("mujoco").MjData
    read: list[Any] = []

    def initialize(world: Any) -> tuple[Any, Any]:
        if not read:
            read.append(kind._initialize_simulation(world)[0])
        model = copy(read[0])  # worlds change theirs
        return model, data_of(model)

    return type(kind.__name__, (kind,), {"_initialize_simulation": initialize})
