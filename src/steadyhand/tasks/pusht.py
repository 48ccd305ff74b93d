"""Push-T: push a T-shaped block onto its goal with a round finger (Florence et al. 2021).

The simulator is gym-pusht; here it is given the paper's initial states, and its observation the
features of the published demonstrations: `state` (5) and `keypoint` (9, 2).
"""

import importlib
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.pictures.resize import resize_frames
from steadyhand.errors import library
from steadyhand.runtime.predictor import Observation
from steadyhand.sizes import SMALLEST_IMAGE
from steadyhand.spec import LAST_ACTION
from steadyhand.tasks.disturbance import disturbed
from steadyhand.tasks.pusht_disturbance import move_block
from steadyhand.tasks.task import Scores, spelled
from steadyhand.values import Bound, at_least, checked, whole
from steadyhand.values import seed as a_seed

SUCCESS_COVERAGE = 0.95
CANVAS = 512
"""Pixels of a side of the simulator's own picture."""
VIEW = Bound(
    f"0, or {SMALLEST_IMAGE} to {CANVAS} pixels; the published demonstrations have 96",
    lambda view: view == 0 or SMALLEST_IMAGE <= view <= CANVAS,
)
GOAL_POSE = (256.0, 256.0, np.pi / 4)

# The nine keypoints in the frame of the block (pixels), recovered from the published data, where
# they are this rigid function of the pose to 2e-5 pixels in half of the steps and 0.04 in 99 %.
# The rest, up to 2.2 pixels, are steps in which the block was being pressed and its pose was read
# a moment later.
KEYPOINTS = np.array(
    [
        [9.26979, 90.04097],
        [-60.98347, -1.18673],
        [60.91276, -1.39336],
        [-0.27050, 25.54363],
        [-14.06493, 122.81585],
        [39.00274, 32.85740],
        [-39.96641, 32.72966],
        [-16.82434, 62.86318],
        [23.54146, -1.70029],
    ]
)


def keypoints(pose: NDArray[Any]) -> NDArray[np.float64]:
    """The nine keypoints (…, 9, 2) of a block at pose (…, 3): x, y in pixels, angle in radians."""
    pose = np.asarray(pose, dtype=np.float64)
    return np.einsum("...ij,kj->...ki", rotation(pose[..., 2]), KEYPOINTS) + pose[..., None, :2]


def rotation(angle: NDArray[Any]) -> NDArray[np.float64]:
    """The matrices (…, 2, 2) that turn by angles (…) in radians."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)


def paper_state(seed: int) -> NDArray[np.float64]:
    """Initial state of the paper's evaluation: agent x y, block x y, block angle.

    Follows `PushTEnv.reset` of the Diffusion Policy code, which draws from `RandomState(seed)`.
    """
    whole("The paper's seed", seed, 0, 2**32 - 1)
    random = np.random.RandomState(seed)
    agent = [random.randint(50, 450), random.randint(50, 450)]
    block = [random.randint(100, 400), random.randint(100, 400)]
    return np.array([*agent, *block, random.randn() * 2 * np.pi - np.pi])


@checked
@dataclass(frozen=True, kw_only=True)
class PushT:
    """The task. `start` is whose initial states a seed stands for."""

    start: Literal["paper", "gym"] = "paper"
    max_steps: int = 300
    view: Annotated[int, VIEW] = 0
    """Height and width of the picture `img` that is observed, too; 0 for none."""
    disturb: Annotated[int, at_least(0)] = 0
    """After how many ticks the block is moved by 60 pixels, in every other episode; 0 for never."""

    kind: ClassVar[str] = "pusht"
    rate_hz: ClassVar[float] = 10.0
    first_seed: ClassVar[int] = 100_000

    @property
    def name(self) -> str:
        """pusht, and the settings that are not the usual ones."""
        return spelled(self)

    @property
    def initial_states(self) -> str:
        return {
            "paper": "numpy RandomState(seed), as in the Diffusion Policy paper's evaluation",
            "gym": "gym-pusht's own reset(seed=seed)",
        }[self.start]

    def make(self) -> "PushTEnvironment":
        """Raises `MissingExtraError` where gym-pusht is not installed."""
        return PushTEnvironment(self)


class PushTEnvironment:
    """One Push-T world. Actions are absolute targets of the finger, (2,), in pixels 0…512."""

    def __init__(self, task: PushT) -> None:
        module = library("gym_pusht.envs.pusht")
        self._task = task
        self._world = module.PushTEnv(obs_type="state", render_mode="rgb_array")
        self._to_shapely = module.pymunk_to_shapely
        self._pixels = importlib.import_module("pygame.surfarray").array3d
        # The simulator walks over a set of shapes, whose order depends on where they lie in
        # memory, and with it the last bit of the coverage: here they are taken in their order.
        self._world._get_coverage = self._measure_coverage
        self._coverage: list[float] = []
        self._seed = 0

    def reset(self, seed: int) -> Observation:
        if self._task.start == "paper":
            # The simulator sets the position, then the angle, which turns the block about its
            # centre of mass and so moves it: the paper's evaluation does the same.
            state, _ = self._world.reset(options={"reset_to_state": paper_state(seed)})
        else:
            state, _ = self._world.reset(seed=a_seed("seed", seed))
        self._coverage = []
        self._seed = seed
        return {**self._observation(state), LAST_ACTION: np.asarray(state[:2], dtype=np.float32)}

    def step(self, action: NDArray[Any]) -> tuple[Observation, bool]:
        state, _, over, _, info = self._world.step(np.asarray(action, dtype=np.float64))
        self._coverage.append(float(info["coverage"]))
        if self._disturbed and len(self._coverage) == self._task.disturb:
            move_block(self._world, self._seed)
            state = self._world.get_obs()
        return self._observation(state), bool(over)

    @property
    def _disturbed(self) -> bool:
        return self._task.disturb > 0 and disturbed(self._seed)

    def _observation(self, state: NDArray[Any]) -> Observation:
        # In float32, as it was recorded.
        seen = {
            "state": np.asarray(state, dtype=np.float32),
            "keypoint": keypoints(state[2:5]).astype(np.float32),
        }
        return {**seen, "img": self.view(self._task.view)} if self._task.view else seen

    def view(self, size: int) -> NDArray[np.uint8]:
        """The world as the published demonstrations show it, (size, size, 3).

        They were made smaller without antialiasing, by OpenCV's bilinear filter.
        """
        surface = self._world._draw()
        picture = np.asarray(self._pixels(surface)).swapaxes(0, 1)
        return resize_frames(picture, (size, size), antialias=False)

    def _measure_coverage(self) -> float:
        world = self._world
        goal = self._to_shapely(world.get_goal_pose_body(world.goal_pose), world._block_shapes)
        block = self._to_shapely(world.block, world._block_shapes)
        return goal.intersection(block).area / goal.area

    def scores(self) -> Scores:
        """Success, and coverage over 0.95 (at most 1): its maximum over time and its last. Where
        blocks are moved, `disturbed` says whether this episode's is."""
        best, last = max(self._coverage, default=0.0), (self._coverage or [0.0])[-1]
        return {
            "success": best > SUCCESS_COVERAGE,
            "max_coverage": min(best / SUCCESS_COVERAGE, 1.0),
            "final_coverage": min(last / SUCCESS_COVERAGE, 1.0),
            **({"disturbed": self._disturbed} if self._task.disturb else {}),
        }

    def state(self) -> list[float]:
        return [float(number) for number in self._world.get_obs()]

    def render(self) -> NDArray[np.uint8]:
        return self._world.render()
