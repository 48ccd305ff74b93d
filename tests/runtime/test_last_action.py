"""`last_action`: what a policy sees in training is what the controller tells it on the robot."""

from dataclasses import replace

import numpy as np
import pytest

from steadyhand.data import Episodes, make_windows
from steadyhand.errors import ConfigurationError
from steadyhand.evaluation.evaluate import evaluate
from steadyhand.runtime import RecedingHorizon
from steadyhand.spec import LAST_ACTION, Chunking, PolicySpec
from steadyhand.training.train import build_policy

CHUNKING = Chunking(obs_steps=3, horizon=5, execute=2)


@pytest.fixture
def episodes() -> Episodes:
    action = np.arange(22, dtype=np.float32)[:, None]
    return Episodes({"state": action * 0, "action": action}, np.array([10, 22]))


def test_it_is_the_action_of_the_step_before(episodes) -> None:
    seen = episodes.with_last_action("action").read(LAST_ACTION)[:, 0]
    assert seen.tolist() == [0, *range(9), 10, *range(10, 21)]
    part = episodes.subset([1]).with_last_action("action").read(LAST_ACTION)[:, 0]
    assert part.tolist() == [10, *range(10, 21)]
    recorded = replace(episodes, arrays={**episodes.arrays, LAST_ACTION: np.ones((22, 1))})
    assert recorded.with_last_action("action") is recorded


def test_the_controller_tells_what_training_windows_show(episodes) -> None:
    """A predictor that repeats the demonstration: the histories it is given are the windows'."""
    data = episodes.subset([1]).with_last_action("action")
    windows = make_windows(data, CHUNKING)
    spec = PolicySpec.select(data.shapes, observations=["state", LAST_ACTION], chunking=CHUNKING)
    controller = RecedingHorizon(spec)
    actions, shown = data.read("action"), data.read(LAST_ACTION)
    for tick in range(10):
        observation = {"state": np.zeros(1, np.float32)}
        if tick == 0:
            observation[LAST_ACTION] = shown[0]
        request = controller.request(observation)
        assert (request is not None) == (tick % 2 == 0)
        if request is not None:
            told = request.observation[LAST_ACTION]
            step = np.array([tick])
            np.testing.assert_array_equal(told, shown[windows.observation(step)[0]])
            controller.accept(actions[windows.action(step)[0]])
        np.testing.assert_array_equal(controller.action(), actions[tick])


def test_the_first_one_has_to_be_given(episodes) -> None:
    data = episodes.with_last_action("action")
    spec = PolicySpec.select(data.shapes, observations=["state", LAST_ACTION])
    with pytest.raises(ConfigurationError, match="give it in the first observation"):
        RecedingHorizon(spec).request({"state": np.zeros(1)})


def test_tasks_give_it(config) -> None:
    from steadyhand.tasks import record_episodes

    episodes = record_episodes("fork", 6)
    assert LAST_ACTION not in episodes.arrays
    config = replace(
        config, observations=("state", "last_action[:2]"), action_relative_to="last_action[:2]"
    )
    policy = build_policy(config, episodes)
    assert policy.spec.reference is not None
    assert evaluate(policy, "fork", episodes=2).scores["success"].n == 2
    first = policy.normaliser.statistics["last_action[:2]"]
    assert first.minimum.shape == (2,)


def test_a_star_stands_for_all_that_begin_alike(config, episodes) -> None:
    arrays = {f"observation.{name}": episodes.arrays["state"] for name in "ba"}
    both = replace(episodes, arrays={**arrays, "action": episodes.arrays["action"]})
    chosen = replace(config, observations=("last_action", "observation.*"), validation_share=0.0)
    spec = build_policy(chosen, both).spec
    names = [feature.name for feature in spec.observations]
    assert names == ["last_action", "observation.a", "observation.b"]
    with pytest.raises(ConfigurationError, match="Nothing in the data begins with 'camera'"):
        build_policy(replace(chosen, observations=("camera*",)), both)
    names = ("qpos", "rewards", "env_states/cube", "base_action", "action")
    arrays = dict.fromkeys(names, episodes.arrays["action"])
    arrays["front"] = np.zeros((episodes.steps, 32, 32, 3), np.uint8)
    with pytest.raises(ConfigurationError, match="as in --observations last_action qpos front"):
        build_policy(chosen, replace(episodes, arrays=arrays))


def test_a_chunk_longer_than_every_episode_is_refused(config, episodes) -> None:
    chosen = replace(config, observations=("state",), validation_share=0.0)
    chosen = replace(chosen, chunking=Chunking(horizon=13))
    with pytest.raises(ConfigurationError, match=r"13 actions is longer than every episode .* 12"):
        build_policy(chosen, episodes)


def test_a_part_of_the_action_has_no_last_action(config, episodes) -> None:
    wide = {"state": np.zeros((22, 2)), "action": np.arange(44.0).reshape(22, 2)}
    both = replace(episodes, arrays=wide)
    chosen = replace(config, observations=("state", LAST_ACTION), action="action[0:1]")
    with pytest.raises(ConfigurationError, match="stands for all of 'action'"):
        build_policy(chosen, both)
