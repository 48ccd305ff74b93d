"""One policy of several tasks: it is told which, is trained on each as much, and does as told."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import steadyhand as sh
from steadyhand.data import Episodes
from steadyhand.data.tasks import task_places, texts_of
from steadyhand.errors import ConfigurationError, DataError
from steadyhand.policy.windows import PolicyWindows
from steadyhand.runtime import RecedingHorizon
from steadyhand.task_table import TaskTable
from steadyhand.training.train import build_policy, train
from steadyhand.training.trainer import batch_windows

WORDS = ("go left", "go right")


def two_ways(right: int = 6) -> Episodes:
    """From one place to the left or to the right, as told; more demonstrations of the right."""
    lengths, which = [12] * (4 + right), np.repeat([0, 1], (4, right))
    steps = int(sum(lengths))
    ways = np.repeat(which, 12)
    action = np.where(ways, 1.0, -1.0)[:, None] * np.ones((steps, 2))
    noise = np.random.default_rng(0).normal(0, 0.01, (steps, 2))
    arrays = {"state": noise.astype(np.float32), "action": (action + noise).astype(np.float32)}
    return Episodes({**arrays, "task_index": ways}, np.cumsum(lengths), tasks=WORDS)


@pytest.fixture
def config():
    base = sh.recipe("state", method="flow")
    return replace(
        base,
        observations=("state", "task"),
        chunking=sh.Chunking(obs_steps=2, horizon=4, execute=2),
        policy=replace(base.policy, denoiser=sh.MLPConfig(width=32, blocks=1)),
        steps=80,
        batch_size=32,
        precision="float32",
        threads=1,
        validation_share=0.0,
    )


def told(policy: sh.Policy, text: str) -> np.ndarray:
    seen = {"state": np.zeros(2, np.float32), "task": np.array(text)}
    predictor = sh.TorchPredictor(policy)
    request = RecedingHorizon(policy.spec, seed=0).request(seen)
    assert request is not None
    return predictor.predict([request])[0].mean(0)


def test_it_does_as_it_is_told(config, tmp_path: Path) -> None:
    policy = build_policy(config, two_ways())
    for _ in train(policy, two_ways(), config, out=tmp_path / "run"):
        pass
    loaded = sh.load_policy(tmp_path / "run")
    for known in (policy, loaded):
        assert told(known, "go left")[0] < -0.5
        assert told(known, "go right")[0] > 0.5
    with pytest.raises(ConfigurationError, match="Did you mean 'go left'"):
        told(policy, "go lft")


def test_words_and_vectors_tell_the_same(config) -> None:
    policy = build_policy(config, two_ways())
    request = RecedingHorizon(policy.spec, seed=0).request(
        {"state": np.zeros(2, np.float32), "task": np.array([0.0, 1.0])}
    )
    assert request is not None
    [chunk] = sh.TorchPredictor(policy).predict([request])
    np.testing.assert_array_equal(chunk.mean(0), told(policy, "go right"))


def test_windows_hold_the_vector_of_their_task(config) -> None:
    episodes = two_ways()
    windows = PolicyWindows(build_policy(config, episodes), episodes)
    steps = np.array([0, 50, 119])
    seen = windows.observation(steps)["task"]
    expected = np.eye(2, dtype=np.float32)[episodes.read("task_index")[steps]]
    np.testing.assert_array_equal(seen[:, -1].numpy(), expected)


def test_each_task_is_trained_on_equally_often() -> None:
    kinds = [np.arange(10), np.arange(10, 200)]
    drawn = np.concatenate([batch_windows(kinds, 7, seed=0, step=step) for step in range(20)])
    orders = {}
    kept = [batch_windows(kinds, 7, 0, step, orders) for step in range(20)]
    np.testing.assert_array_equal(np.concatenate(kept), drawn, err_msg="whatever is kept")
    assert max(map(len, orders.values())) <= 2, "orders of epochs that are over are not"
    few = drawn[drawn < 10]
    assert len(few) == len(drawn) // 2
    counts = np.bincount(few, minlength=10)
    assert counts.min() == counts.max() == 7, "and within a task each window as often"
    assert len(set(drawn[drawn >= 10].tolist())) == 70


def test_a_table_is_what_the_data_says(config) -> None:
    episodes = two_ways()
    assert texts_of(episodes) == WORDS
    table = TaskTable.of(("go right", "go left"), np.eye(2))
    np.testing.assert_array_equal(task_places(episodes, table), 1 - episodes.read("task_index"))
    with pytest.raises(ConfigurationError, match="does not say in words"):
        build_policy(config, replace(episodes, tasks=()))
    with pytest.raises(DataError, match="there is no text for it; 1 tasks"):
        build_policy(config, replace(episodes, tasks=("go left",)))
    without = {k: v for k, v in episodes.arrays.items() if k != "task_index"}
    with pytest.raises(ConfigurationError, match="no task_index"):
        build_policy(config, replace(episodes, arrays=without))


def test_a_table_refuses_what_it_cannot_be() -> None:
    for texts, vectors, why in [
        (("a", "a"), np.eye(2), "words of its own"),
        (("a", "b"), np.eye(3), "as many vectors"),
        ((), np.zeros((0, 2)), "knows 1 to"),
        (("a",), np.array([[np.nan]]), "tuple of values"),
    ]:
        with pytest.raises(ConfigurationError, match=why):
            TaskTable.of(texts, vectors)


def test_a_text_model_makes_vectors_of_what_is_not_in_the_table() -> None:
    table = TaskTable.of(("a", "b"), np.eye(2))
    said = np.array(["a", "other"])
    made = table.told(said, lambda texts: np.array([[0.5, 0.5]]))
    np.testing.assert_array_equal(made, [[1, 0], [0.5, 0.5]])
    with pytest.raises(ConfigurationError, match="another text model"):
        table.told(said, lambda texts: np.zeros((1, 3)))


def test_new_words_are_taken_for_the_nearest_task() -> None:
    table = TaskTable.of(("a", "b"), np.array([[3.0, 0], [0, 0.1]]))
    made = table.nearest(np.array([[0.9, 1.0], [1.0, 0.9]], np.float32))
    np.testing.assert_allclose(made, [[0, 0.1], [3, 0]], err_msg="by direction, not by length")
    assert [table.text(row) for row in made] == ["b", "a"]


def test_the_whole_graph_takes_the_vector(config) -> None:
    from steadyhand.export.graph import example_inputs, export_policy

    policy = build_policy(config, two_ways()).eval()
    observation, noise = example_inputs(policy, 3)
    assert observation["task"].shape == (3, 2, 2)
    made = export_policy(policy).module()(observation, noise)
    torch.testing.assert_close(made, policy(observation, noise))


def test_each_task_can_have_a_range_of_its_own(config, tmp_path: Path) -> None:
    """One task moves in millimetres and the other in metres: both are learned."""
    episodes = two_ways()
    scale = np.where(episodes.read("task_index") == 0, 0.001, 1.0)[:, None]
    random = np.random.default_rng(1).uniform(0.5, 1, (episodes.steps, 1)) * np.ones((1, 2))
    action = (random * scale * np.array([1, -1])).astype(np.float32)
    episodes = replace(episodes, arrays={**episodes.arrays, "action": action})
    each = replace(config, policy=replace(config.policy, normalise_tasks="each"))
    policy = build_policy(each, episodes)
    for _ in train(policy, episodes, each, out=tmp_path / "run"):
        pass
    loaded = sh.load_policy(tmp_path / "run")
    for known in (policy, loaded):
        small, large = told(known, "go left"), told(known, "go right")
        assert 0.0004 < small[0] < 0.0011
        assert -0.0011 < small[1] < -0.0004
        assert 0.4 < large[0] < 1.1
    windows = PolicyWindows(policy, episodes)
    actions = windows.actions(np.array([0, 60]))
    assert actions.abs().max() <= 1.001
    assert (actions.abs().amax((1, 2)) > 0.1).all()
    with pytest.raises(ConfigurationError, match="name task among the --observations"):
        build_policy(replace(each, observations=("state",)), episodes)
    from steadyhand.export.graph import example_inputs, export_policy

    inputs = example_inputs(policy.eval(), 3)
    torch.testing.assert_close(export_policy(policy).module()(*inputs), policy(*inputs))


def test_words_that_the_data_does_not_have_are_told_before_training(config) -> None:
    from steadyhand.tasks import make_task
    from steadyhand.tasks.worded import Worded
    from steadyhand.training.begin import check_task

    spec, said = build_policy(config, two_ways()).spec, []
    for words in ("go left", "turn back"):
        check_task(Worded(make_task("fork"), words), spec, said.append)
    assert len(said) == 1
    assert "'turn back'" in said[0]
