"""Intercept: the course is what it says, the expert stays with it, who stands still does not."""

import math

import numpy as np
import pytest

from steadyhand.errors import ConfigurationError
from steadyhand.tasks import make_task, record_episodes
from steadyhand.tasks.intercept import PILLAR, REACH, TOP_SPEED, Intercept
from steadyhand.tasks.intercept_course import ARENA, BAND
from steadyhand.tasks.intercept_expert import meeting
from steadyhand.tasks.task import modes_of, world_of

SETTINGS = [
    Intercept(),
    Intercept(speed=0.1),
    Intercept(speed=0.3),
    Intercept(bend=60),
    Intercept(bend=0),
]


def drive(task: Intercept, seed: int, act):
    """(world, observations, whether it is over) after `act(observation, tick)` at each tick."""
    world = task.make()
    seen, over = [world.reset(seed)], False
    while not over and len(seen) <= task.max_steps:
        observation, over = world.step(np.asarray(act(seen[-1], len(seen) - 1)))
        seen.append(observation)
    return world, seen, over


@pytest.mark.parametrize("task", SETTINGS, ids=lambda task: task.name)
def test_the_expert_stays_with_the_goal_whatever_the_settings(task) -> None:
    scores: list = []
    episodes = record_episodes(task, 60, watch=scores.append)
    assert sum(score["success"] for score in scores) >= 59
    assert not any(score["collision"] for score in scores)
    step = np.linalg.norm(np.diff(episodes.read("state"), axis=0), axis=1)
    assert np.delete(step, episodes.ends[:-1] - 1).max() <= 0.5 / 20 + 1e-6


@pytest.mark.parametrize("task", SETTINGS, ids=lambda task: task.name)
def test_the_goal_moves_at_one_speed_and_turns_by_no_more_than_it_may(task) -> None:
    for seed in range(50):
        course = task.course(seed)
        moves = np.diff(course, axis=0)
        np.testing.assert_allclose(np.hypot(*moves.T), task.speed / 20, rtol=1e-9)
        x, y = course.T
        assert np.all((y > BAND[0] - 1e-9) & (y < BAND[1] + 1e-9))
        gone = np.abs(x) >= ARENA[1]
        assert len(course) == task.max_steps + 1 or (gone[-1] and not gone[:-1].any())
        turned = np.abs(np.diff(np.degrees(np.arctan2(moves[:, 1], moves[:, 0]))))
        turned = np.minimum(turned, 360 - turned)
        turns = np.flatnonzero(turned > 1e-6)
        assert np.all(np.diff(turns) >= 20), "a second at least between two turns"
        assert task.bend == 0 or len(turns)
        assert turned.max() <= max(task.bend, 40) + 1e-6


def test_courses_and_ways_differ_and_come_from_either_side() -> None:
    task = Intercept()
    first = np.array([task.course(seed)[0] for seed in range(200)])
    assert 70 < (first[:, 0] < 0).sum() < 130
    assert len({task.course(seed)[40].tobytes() for seed in range(200)}) == 200
    ways = [task.goes_left(seed) for seed in range(200)]
    assert 98 <= sum(ways) <= 102
    scores: list = []
    record_episodes(task, 100, watch=scores.append)
    assert [score["left"] for score in scores].count(True) == pytest.approx(50, abs=3)
    assert all(score["left"] != score["right"] for score in scores)
    # When and where it turns says nothing about the side that is taken.
    assert abs(np.corrcoef(first[:, 0], ways)[0, 1]) < 0.2


def test_a_policy_sees_where_the_goal_is_and_how_it_moves_now_and_not_what_comes() -> None:
    task = Intercept()
    expert, course = task.expert(3), task.course(3)
    world, seen, over = drive(task, 3, lambda observation, _: expert.act(observation))
    assert over
    assert len(seen) == len(course)
    goal = np.stack([observation["goal"] for observation in seen])
    np.testing.assert_allclose(goal[:, :2], course, atol=1e-6)
    np.testing.assert_allclose(goal[:-1, 2:] / 20, np.diff(course, axis=0), atol=1e-6)
    assert {str(observation["goal"].dtype) for observation in seen} == {"float32"}
    np.testing.assert_allclose(world.state(), [*seen[-1]["state"], *course[-1]], atol=1e-6)


def test_success_is_to_stay_without_a_break() -> None:
    task = Intercept(bend=0)
    expert, near, leaves = task.expert(0), 0, False

    def leaves_now_and_then(observation, _):
        """With the goal for 15 ticks, then down until it is out of reach, then back to it."""
        nonlocal near, leaves
        together = math.dist(observation["goal"][:2], observation["state"]) < REACH
        near, followed = (near + 1 if together else 0), expert.act(observation)
        leaves = (leaves or near >= 15) and together
        return observation["state"] - np.array([0.0, 0.1]) if leaves else followed

    world, *_ = drive(task, 0, leaves_now_and_then)
    found = world.scores()
    assert not found["success"]
    assert 0.75 <= found["together"] < 1.0
    expert = task.expert(0)
    world, seen, _ = drive(task, 0, lambda observation, _: expert.act(observation))
    assert world.scores()["success"]
    near = [math.dist(each["goal"][:2], each["state"]) < REACH for each in seen]
    runs = max(len(run) for run in "".join("x" if one else " " for one in near).split())
    assert world.scores()["together"] == pytest.approx(runs / 20)


def test_who_stands_still_a_third_of_the_time_falls_behind() -> None:
    """It waits where it is while it thinks, 4 of 12 ticks, and is demonstrated to otherwise."""
    task, kept = Intercept(), []
    for seed in range(40):
        expert, last = task.expert(seed), None

        def waits(observation, tick, expert=expert):
            nonlocal last
            moved = expert.act(observation)
            last = last if tick >= 8 and tick % 12 >= 8 else moved
            return last

        kept.append(drive(task, seed, waits)[0].scores()["success"])
    assert np.mean(kept) < 0.75


def test_the_pillar_ends_an_episode() -> None:
    world, seen, over = drive(Intercept(), 3, lambda *_: (0.0, 1.0))
    assert over
    assert world.scores() == {
        "success": False,
        "collision": True,
        "together": 0.0,
        "left": False,
        "right": False,
    }
    assert math.dist(seen[-2]["state"], PILLAR) >= 0.09 > math.dist(seen[-1]["state"], PILLAR)
    steps = np.diff([observation["state"] for observation in seen], axis=0)
    assert np.hypot(*steps.T).max() == pytest.approx(TOP_SPEED / 20, rel=1e-5)


def test_where_they_can_meet() -> None:
    """Whoever drives straight there at that pace is there at that time."""
    to, moves = np.array([0.3, 0.8]), np.array([-0.2, 0.1])
    seconds = meeting(to, moves, 0.4)
    assert np.linalg.norm(to + seconds * moves) == pytest.approx(0.4 * seconds)
    assert meeting(to, -moves, 0.2) == 3.0, "who is no faster looks as far ahead as anybody"


def test_it_draws_itself() -> None:
    task = Intercept()
    expert = task.expert(0)
    world = world_of(task)
    seen = world.reset(0)
    for _ in range(30):
        seen, _ = world.step(expert.act(seen))
    picture = world.render()
    assert picture.shape == (360, 420, 3)
    assert picture.dtype == np.uint8

    def at(x: float, y: float) -> list[int]:
        return picture[round((1.1 - y) * 300), round((x + 0.7) * 300)].tolist()

    robot, goal = world.state()[:2], seen["goal"]
    assert at(*robot) == [45, 100, 180]
    assert at(*PILLAR) == [68, 71, 78]
    assert at(*(goal[:2] + 0.15 * goal[2:])) == [82, 158, 88]
    assert at(*(goal[:2] - 0.15 * goal[2:])) == [200, 226, 201], "where it came from"
    assert at(-0.6, 0.1) == [247, 247, 245]


def test_names_carry_the_settings() -> None:
    for task in SETTINGS:
        assert make_task(task.name) == task
    assert Intercept().name == "intercept"
    assert set(modes_of(Intercept())) == {"left", "right"}
    with pytest.raises(ConfigurationError, match=r"speed is 0.4; it must be in 0.1…0.3"):
        make_task("intercept:speed=0.4")
    with pytest.raises(ConfigurationError, match="max_steps is 50; it must be at least 120"):
        make_task("intercept:max_steps=50")
