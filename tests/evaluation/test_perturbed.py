"""What was seen before now is blurred by as much as was asked, what is seen now never is."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from steadyhand.errors import ConfigurationError
from steadyhand.evaluation.evaluate import evaluate
from steadyhand.evaluation.perturbed import PerturbedHistory, deviations
from steadyhand.runtime import ChunkRequest
from steadyhand.spec import Chunking, PolicySpec
from steadyhand.tasks import Fork, record_episodes
from steadyhand.training.train import build_policy

RECORDED = {"state": (3,), "picture": (32, 32, 3), "count": (1,), "action": (2,)}
SPEC = PolicySpec.select(
    RECORDED, observations=["state[:2]", "picture", "count"], chunking=Chunking(obs_steps=4)
)
STDS = {
    "state": np.array([1.0, 0.0, 100.0]),
    "picture": np.full((32, 32, 3), 64.0),
    "count": np.array([2.0]),
}


class Listening:
    """A predictor that remembers what it was shown."""

    spec = SPEC

    def __init__(self) -> None:
        self.shown: list[ChunkRequest] = []

    def predict(self, requests):
        self.shown += requests
        return np.zeros((len(requests), *SPEC.chunk_shape), np.float32)


def asked(seed: int, number: int, steps: int = 4) -> ChunkRequest:
    seen = {
        "state": np.ones((steps, 3), np.float32),
        "picture": np.full((steps, 32, 32, 3), 250, np.uint8),
        "count": np.full((steps, 1), 7),
    }
    return ChunkRequest(observation=seen, seed=seed, number=number)


def shown(scale: float, requests) -> list[ChunkRequest]:
    listening = Listening()
    predictor = PerturbedHistory(listening, scale, STDS)
    assert predictor.spec is SPEC
    assert predictor.predict(requests).shape == (len(requests), *SPEC.chunk_shape)
    return listening.shown


def test_only_the_past_is_perturbed_by_so_many_deviations() -> None:
    requests = [asked(seed, number) for seed in range(40) for number in range(5)]
    found = shown(0.5, requests)
    for before, after in zip(requests, found, strict=True):
        assert (after.seed, after.number) == (before.seed, before.number)
        for key, value in before.observation.items():
            assert after.observation[key].dtype == value.dtype
            np.testing.assert_array_equal(after.observation[key][-1], value[-1])
            assert np.all(value == value[-1]), "what was handed over stays as it was"
    state = np.stack([request.observation["state"][:-1] for request in found]) - 1
    assert state[..., 0].std() == pytest.approx(0.5, rel=0.1)
    assert abs(state[..., 0].mean()) < 0.06
    assert not state[..., 1].any()
    assert state[..., 2].std() == pytest.approx(50, rel=0.1)
    assert len(np.unique(state[..., 0])) == state[..., 0].size
    picture = np.stack([request.observation["picture"][:-1] for request in found])
    assert picture.max() == 255, "and does not begin again at 0"
    assert picture.astype(float).std() > 10
    count = np.stack([request.observation["count"][:-1] for request in found])
    assert count.std() == pytest.approx(1, rel=0.15)


def test_the_noise_is_that_of_the_request() -> None:
    both = [asked(3, 1), asked(4, 0)]
    once, again = shown(0.5, both), shown(0.5, both[::-1])[::-1]
    for one, other in zip(once, again, strict=True):
        for key in one.observation:
            np.testing.assert_array_equal(one.observation[key], other.observation[key])


def test_where_there_is_no_past_nothing_changes() -> None:
    one = asked(3, 1, steps=1)
    (found,) = shown(5.0, [one])
    for key, value in one.observation.items():
        np.testing.assert_array_equal(found.observation[key], value)


def test_a_policy_knows_how_far_its_features_move(config, episodes) -> None:
    policy = build_policy(config, episodes)
    found = deviations(policy.spec, policy.normaliser.statistics)
    assert found.keys() == {feature.key for feature in policy.spec.observations}
    columns = [f for f in policy.spec.observations if f.columns != slice(None)]
    assert columns
    for feature in columns:
        assert found[feature.key].shape == (feature.width,)
        np.testing.assert_array_equal(
            found[feature.key][feature.columns],
            policy.normaliser.statistics[feature.name].deviation,
        )
        assert np.count_nonzero(found[feature.key]) == feature.size


@pytest.mark.parametrize("steps", [1, 2])
def test_evaluate_perturbs_what_the_policy_remembers(config, steps) -> None:
    recorded = record_episodes(Fork(), 8)
    chunking = Chunking(obs_steps=steps, horizon=8, execute=4)
    config = replace(config, task="fork", observations=("state",), chunking=chunking)
    policy = build_policy(config, recorded)
    torch.manual_seed(0)
    for parameter in policy.parameters():
        parameter.data.normal_(std=0.15)
    plain, perturbed, again = (
        [e.actions.tolist() for e in evaluate(policy, Fork(), episodes=3, **given).episodes]
        for given in ({}, {"perturb_history": 0.5}, {"perturb_history": 0.5, "parallel": 1})
    )
    assert perturbed == again
    assert (plain == perturbed) == (steps == 1)


def test_what_cannot_be_perturbed_is_refused(config, episodes) -> None:
    with pytest.raises(ConfigurationError, match=r"perturb_history is -1.0; it must be at least 0"):
        evaluate(build_policy(config, episodes), Fork(), perturb_history=-1)
    with pytest.raises(ConfigurationError, match="a predictor knows none"):
        evaluate(Listening(), Fork(), perturb_history=0.1)
