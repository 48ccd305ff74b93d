"""What is kept of a policy that was tried: an entry an episode, in their order."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_recipes import small

from steadyhand.data import write_episodes
from steadyhand.errors import CheckpointError
from steadyhand.evaluation.evaluate import Evaluation, evaluate, sum_up
from steadyhand.evaluation.rollout import Episode
from steadyhand.evaluation.smoothness import motion, smoothness
from steadyhand.policy.storage import load_policy
from steadyhand.studies.plan import Trial
from steadyhand.studies.trial import DIGITS, MOMENTS, kept, tried
from steadyhand.tasks import record_episodes
from steadyhand.training.checkpoint import Run
from steadyhand.training.config import TrainConfig
from steadyhand.training.train import build_policy, train

EPISODES = record_episodes("fork", 6)
FIRST = 100_000


def episode(seed: int, ticks: int, requests: int, **scores: float) -> Episode:
    random = np.random.default_rng(seed)
    return Episode(
        seed=seed,
        scores={"success": bool(seed % 2), **scores},
        states=random.normal(size=(ticks + 1, 5)),
        actions=random.normal(size=(ticks, 2)),
        boundaries=tuple(range(ticks // requests, ticks, ticks // requests)),
        requests=requests,
    )


def test_the_record_of_an_evaluation_has_an_entry_an_episode() -> None:
    episodes = [
        *(episode(7, 12, 3, reward=0.5), episode(8, 40, 4, reward=2.0)),
        episode(9, 1, 1, reward=-1.0),
    ]
    every = [each.actions for each in episodes], [each.boundaries for each in episodes]
    scores = sum_up([each.scores for each in episodes])
    found = Evaluation("fork", "", scores, smoothness(*every, 10.0), {}, episodes)
    record = kept(found, 10.0, paths=2)
    assert record["seeds"] == [7, 8, 9]
    assert record["scores"] == {"success": [1.0, 0.0, 1.0], "reward": [0.5, 2.0, -1.0]}
    assert record["motion"]["ticks"] == [12, 40, 1]
    assert record["motion"]["requests_per_second"] == [2.5, 1.0, 10.0]
    for place, each in enumerate(episodes):
        for name, value in motion(each.actions, each.boundaries, 10.0).items():
            np.testing.assert_equal(record["motion"][name][place], value)
    assert len(record["paths"]) == 2
    for path, each in zip(record["paths"], episodes, strict=False):
        assert path == np.round(each.states[:, :2], DIGITS).tolist()
    assert "paths" not in kept(found, 10.0)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> tuple[Path, TrainConfig]:
    """A run of twelve steps, of which checkpoints are kept at 4, 8 and 12."""
    folder = tmp_path_factory.mktemp("trial")
    write_episodes(folder / "fork.npz", EPISODES)
    config = replace(
        small("flow"), data=folder / "fork.npz", checkpoint_every=4, device="cpu", learning_rate=0.1
    )
    for _ in train(build_policy(config, EPISODES), EPISODES, config, out=folder / "run"):
        pass
    return folder / "run", config


def test_plays_of_one_state_stand_one_after_another(run) -> None:
    once = tried(*run, Trial(episodes=3)).record
    again = tried(*run, Trial(episodes=3, repeats=2, paths=3)).record
    assert once["seeds"] == [FIRST, FIRST + 1, FIRST + 2]
    assert again["seeds"] == [seed for seed in once["seeds"] for _ in range(2)]
    for name, values in once["motion"].items():
        assert again["motion"][name][::2] == values, "the first time is that of a single one"
    assert again["motion"]["jerk"][1::2] != once["motion"]["jerk"], "then the noise is another"
    starts = [path[0] for path in again["paths"]]
    assert starts[0] == starts[1] != starts[2]


def test_a_checkpoint_before_the_last_is_tried(run) -> None:
    folder, config = run
    assert Run(folder).steps_saved() == [4, 8, 12]
    records = [tried(*run, Trial(episodes=2, before_last=back)).record for back in range(3)]
    for back, step in enumerate((12, 8, 4)):
        own = evaluate(load_policy(Run(folder).folder(step)), "fork", episodes=2)
        assert records[back] == kept(own, 10.0)
    assert records[0] != records[1] != records[2]
    with pytest.raises(CheckpointError, match="keeps 3 checkpoints, and what is asked for is 3"):
        tried(folder, config, Trial(before_last=3))


def test_a_policy_is_tried_as_the_trial_says(run) -> None:
    usual = tried(*run, Trial(episodes=2)).record
    often = tried(*run, Trial(episodes=2, execute=1)).record
    assert usual["motion"]["requests_per_second"] != often["motion"]["requests_per_second"]
    assert often["motion"]["requests_per_second"] == [10.0, 10.0]
    perturbed = tried(*run, Trial(episodes=2, perturb_history=1.0)).record
    assert perturbed["motion"]["jerk"] != usual["motion"]["jerk"]
    elsewhere = tried(*run, Trial(episodes=2, seed_start=5)).record
    assert elsewhere["seeds"] == [5, 6]
    narrow = tried(*run, Trial(episodes=2, task="fork:max_steps=50")).record
    assert max(narrow["motion"]["ticks"]) <= 50


def test_chunks_are_drawn_at_moments_of_the_demonstrations(run) -> None:
    folder, config = run
    found = tried(folder, config, Trial(episodes=1, samples=4)).drawn
    assert found is not None
    assert found.shape == (MOMENTS, 4, config.chunking.horizon, 2)
    fewer = tried(folder, config, Trial(episodes=1, samples=2)).drawn
    np.testing.assert_allclose(found[:, :2], fewer, rtol=1e-4, atol=1e-5)
    assert (found[:, 0] != found[:, 1]).any(axis=(1, 2)).all(), "each is another"
    assert tried(folder, config, Trial(episodes=1)).drawn is None
    # The chunks are in the robot's units, where the demonstrations are.
    assert np.abs(found).max() < 10 * np.abs(EPISODES.read("action")).max()
