"""Meta-World: episodes are their seeds' alone, experts demonstrate, ways of control agree."""

import numpy as np
import pytest

from steadyhand.errors import ConfigurationError
from steadyhand.spec import LAST_ACTION
from steadyhand.tasks import make_task, metaworld, record_episodes
from steadyhand.tasks.metaworld import MetaWorld
from steadyhand.tasks.metaworld_words import WORDS

pytest.importorskip("metaworld", reason="the extra metaworld is not installed")
TASKS = ("reach-v3", "push-v3", "door-open-v3", "assembly-v3")


def played(world, task, seed, ticks=25):
    expert, seen = task.expert(seed), world.reset(seed)
    expert.watch(world)
    rows = [seen["state"]]
    for _ in range(ticks):
        seen, over = world.step(expert.act(seen))
        rows.append(seen["state"])
        if over:
            break
    return np.stack(rows)


def test_it_knows_every_task_of_the_simulator() -> None:
    from metaworld.env_dict import ALL_V3_ENVIRONMENTS

    assert set(WORDS) == set(ALL_V3_ENVIRONMENTS)
    assert len(set(WORDS.values())) == len(WORDS) == 50


@pytest.mark.parametrize("name", TASKS)
def test_an_episode_is_its_seeds_alone(name: str) -> None:
    task = make_task(f"metaworld/{name}")
    one, other = task.make(), task.make()
    first = played(one, task, 5)
    played(other, task, 11, ticks=60)
    np.testing.assert_array_equal(first, played(other, task, 5))
    np.testing.assert_array_equal(first, played(one, task, 5))
    assert not np.array_equal(first[0], played(one, task, 6)[0])


def test_worlds_share_no_model_and_are_the_simulators_own(monkeypatch) -> None:
    """One that begins while another is in its episode changes nothing for it."""
    from metaworld.env_dict import ALL_V3_ENVIRONMENTS

    task, random = make_task("metaworld/door-open-v3"), np.random.default_rng(0)
    moves = random.uniform(-1, 1, (30, 4))

    def moved(world, meanwhile=lambda: None):
        world.reset(5)
        meanwhile()
        return np.stack([world.step(move)[0]["state"] for move in moves])

    one, other = task.make(), task.make()
    alone = moved(one)
    np.testing.assert_array_equal(moved(one, lambda: other.reset(11)), alone)
    monkeypatch.setattr(metaworld, "_simulator", ALL_V3_ENVIRONMENTS.__getitem__)
    np.testing.assert_array_equal(moved(task.make()), alone)


def test_experts_succeed_and_say_what_is_to_be_done() -> None:
    outcomes = []
    found = record_episodes("metaworld/push-v3", 5, watch=lambda s: outcomes.append(s["success"]))
    assert all(outcomes)
    assert found.tasks == ("push the puck to the goal",)
    assert found.shapes == {"state": (39,), "action": (4,), "task_index": ()}
    assert found.rate_hz == 80
    assert found.lengths.max() < 150


def test_places_move_the_hand_as_moves_do() -> None:
    """The expert told in places drives the same way as told in moves."""
    moves, places = (
        record_episodes(f"metaworld/push-v3{settings}", 3) for settings in ("", ":control=position")
    )
    assert moves.ends.tolist() == places.ends.tolist()
    np.testing.assert_allclose(moves.read("state"), places.read("state"), atol=1e-5)
    told, hand = places.read("action")[:, :3], places.read("state")[:, :3]
    assert np.abs(told - hand).max() < 0.2, "metres, near where the hand is"
    world = MetaWorld(env="push-v3", control="position").make()
    seen = world.reset(0)
    before = world.hand_target
    world.step(seen[LAST_ACTION])
    np.testing.assert_allclose(world.hand_target, before, atol=1e-6, err_msg="told to stay")


def test_a_hidden_goal_is_hidden_from_policies_and_not_from_the_expert() -> None:
    shown = record_episodes("metaworld/reach-v3", 2)
    hidden = record_episodes("metaworld/reach-v3:goal=hidden", 2)
    assert not hidden.read("state")[:, 36:].any()
    assert shown.read("state")[:, 36:].all()
    np.testing.assert_array_equal(hidden.read("action"), shown.read("action"))


def test_noise_shows_the_way_back() -> None:
    plain = record_episodes("metaworld/reach-v3", 3)
    shaken = record_episodes("metaworld/reach-v3", 3, noise=1.0, only_successful=True)
    assert shaken.steps > plain.steps


def test_a_camera_sees_without_a_screen() -> None:
    world = make_task("metaworld/reach-v3:view=64,camera=corner3").make()
    seen = world.reset(0)["img"]
    assert seen.shape == (64, 64, 3)
    assert seen.dtype == np.uint8
    assert seen.std() > 20, "something is there"
    after = np.array(seen)
    for _ in range(10):
        after = world.step(np.array([1.0, 0, 0, 0]))[0]["img"]
    assert (np.abs(after.astype(int) - seen) > 20).mean() > 0.005, "the hand has moved"


def test_what_is_none_is_named() -> None:
    with pytest.raises(ConfigurationError, match="Did you mean 'assembly-v3'"):
        make_task("metaworld/asembly-v3")
    with pytest.raises(ConfigurationError, match="Available: behindGripper"):
        make_task("metaworld/reach-v3:camera=corner5")
    with pytest.raises(ConfigurationError, match="metaworld/NAME"):
        make_task("metaworld")


@pytest.mark.parametrize("control", ["move", "position"])
def test_a_hand_that_is_to_hold_stays_where_it_is(control) -> None:
    """As while it waits for a chunk; the gripper stays as it was told to be."""
    world = make_task(f"metaworld/reach-v3:control={control}").make()
    world.reset(3)
    for _ in range(5):
        told = world.commanded(np.array([0.5, 0.2, 0.3, 1.0]))
        world.step(told)
    there = world.hand_target
    for _ in range(4):
        told = world.hold(told)
        world.step(told)
    np.testing.assert_allclose(world.hand_target, there, atol=1e-9)
    assert told[3] == 1
