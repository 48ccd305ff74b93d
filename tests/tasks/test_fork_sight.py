"""What is seen of `fork` from above shows where things are, and nothing else shows the goal."""

import numpy as np
import pytest

from steadyhand.errors import ConfigurationError
from steadyhand.recipes import recipe
from steadyhand.tasks import Fork, make_task, record_episodes
from steadyhand.tasks.fork import GOAL_RADIUS, GOAL_SPREAD, OBSTACLE_HALF_WIDTH, ROBOT_RADIUS
from steadyhand.tasks.fork_sight import (
    BLOCK_HEIGHT,
    CAMERA_HEIGHT,
    GOAL_HEIGHT,
    NOISE,
    PIXEL,
    ROBOT_HEIGHT,
)
from steadyhand.tasks.many import ManyTasks
from steadyhand.tasks.task import kinds_of
from steadyhand.tasks.worded import Worded
from steadyhand.training.train import build_policy

DEPTH, POINTS = Fork(goal="depth"), Fork(goal="points")


def at_height(seen: dict[str, np.ndarray], height: float) -> np.ndarray:
    """Places (n, 2) at which something of that height was measured."""
    if "cloud" in seen:
        x, y, z = seen["cloud"].astype(np.float64).T
        return np.stack([x, y], 1)[np.abs(z - height) < 5 * NOISE]
    tall = CAMERA_HEIGHT - seen["depth"][..., 0].astype(np.float64)
    rows, columns = np.nonzero(np.abs(tall - height) < 5 * NOISE)
    return np.stack([-0.5 + PIXEL * (columns + 0.5), 1.1 - PIXEL * (rows + 0.5)], 1)


@pytest.mark.parametrize("task", [DEPTH, POINTS], ids=lambda task: task.name)
def test_the_goal_is_where_it_is_seen_and_the_expert_goes_there(task) -> None:
    away, scores = [], []
    for seed in range(40):
        world = task.make()
        seen, expert = world.reset(seed), task.expert(seed)
        found = at_height(seen, GOAL_HEIGHT)
        away.append(found.mean(0) - task.goal_of(seed))
        robot = at_height(seen, ROBOT_HEIGHT).mean(0)
        assert np.abs(robot - seen["state"]).max() < ROBOT_RADIUS
        block = at_height(seen, BLOCK_HEIGHT)
        middle = block[np.abs(block[:, 0]) < 0.2]
        assert np.abs(middle[:, 0]).max() < OBSTACLE_HALF_WIDTH + PIXEL
        over = False
        while not over:
            seen, over = world.step(expert.act(seen))
        scores.append(world.scores()["success"])
        assert np.hypot(*(seen["state"] - task.goal_of(seed))) < GOAL_RADIUS
    assert np.abs(away).max() < GOAL_RADIUS / 2
    assert np.abs(np.mean(away, axis=0)).max() < 0.005
    assert all(scores)


def test_it_is_another_one_in_each_episode_and_the_state_does_not_tell() -> None:
    goals = np.array([POINTS.goal_of(seed)[0] for seed in range(200)])
    assert np.abs(goals).max() <= GOAL_SPREAD
    assert np.std(goals) > 0.2
    first = np.array([POINTS.start(seed) for seed in range(200)])
    assert np.abs(np.corrcoef(np.column_stack([first, goals]).T)[2, :2]).max() < 0.2
    assert sorted(record_episodes(POINTS, 1).arrays) == ["action", "cloud", "state"]


def test_what_is_seen_is_in_metres_and_has_holes() -> None:
    seen = DEPTH.make().reset(1)
    assert seen["depth"].shape == (48, 40, 1)
    assert seen["depth"].dtype == np.float32
    holes = seen["depth"] == 0
    assert 0 < holes.mean() < 0.03
    assert seen["depth"][~holes].min() > 1.0
    world = DEPTH.make()
    assert np.array_equal(world.reset(1)["depth"], seen["depth"])
    assert not np.array_equal(world.step(np.zeros(2))[0]["depth"], seen["depth"])
    cloud = POINTS.make().reset(1)["cloud"]
    assert cloud.shape == (256, 3)
    assert (np.diff(cloud[:, 2]) > 0).mean() == pytest.approx(0.5, abs=0.15)  # in no order


def test_a_task_says_what_its_observations_are() -> None:
    assert record_episodes(DEPTH, 1).kinds == kinds_of(DEPTH) == {"depth": "depth"}
    assert kinds_of(Fork()) == {}
    assert kinds_of(ManyTasks([DEPTH, POINTS])) == {"depth": "depth", "cloud": "points"}
    assert kinds_of(Worded(POINTS, "drive there")) == {"cloud": "points"}
    assert make_task("fork:goal=points").name == POINTS.name == "fork:goal=points"
    own = Fork()
    object.__setattr__(own, "__class__", type("Own", (Fork,), {"kinds": {"depth": "metres"}}))
    with pytest.raises(ConfigurationError, match="'cloud': 'points'"):
        kinds_of(own)


@pytest.mark.parametrize("name", ["fork_depth", "fork_points"])
def test_its_recipe_sees_it(name) -> None:
    config = recipe(name)
    policy = build_policy(config, record_episodes(str(config.task), 2))
    assert {feature.kind for feature in policy.spec.observations} == {
        "state",
        name.removeprefix("fork_"),
    }
