"""Several tasks in one: whose episode a seed is, what is shown, what is recorded and how."""

import numpy as np
import pytest

from steadyhand.errors import ConfigurationError
from steadyhand.spec import TASK
from steadyhand.tasks import Fork, make_task, record_episodes
from steadyhand.tasks.many import ManyTasks
from steadyhand.tasks.worded import Worded

TWO = "fork+fork:gap=0.3"


def test_episodes_go_round_and_each_part_plays_its_own() -> None:
    two = make_task(TWO)
    assert isinstance(two, ManyTasks)
    assert two.name == TWO
    assert [two.part_of(seed)[1] for seed in (100_000, 100_001, 100_002)] == [
        100_000,
        100_000,
        100_001,
    ]
    assert [two.part_of(seed)[0].name for seed in (0, 1, 2)] == ["fork", "fork:gap=0.3", "fork"]
    world = two.make()
    for seed in (7, 100_003, 7):
        part, own = two.part_of(seed)
        seen, alone = world.reset(seed), part.make().reset(own)
        np.testing.assert_array_equal(seen["state"], alone["state"])
        assert str(seen[TASK]) == part.name, "a task without words is told by its name"


def test_a_plus_in_a_number_joins_nothing() -> None:
    assert make_task("fork:gap=2e-1").name == make_task("fork").name
    with pytest.raises(ConfigurationError, match="each another"):
        make_task("fork+fork")
    with pytest.raises(ConfigurationError, match="one rate_hz"):
        ManyTasks([Fork(), _slower()])


def _slower():
    class Slower(Fork):
        rate_hz = 5.0
        name = "slower"

    return Slower()


def test_the_parts_of_a_simulator_are_named_without_it() -> None:
    named = make_task("metaworld/reach-v3+push-v3+metaworld/door-open-v3:max_steps=200")
    assert named.name == "metaworld/reach-v3+push-v3+door-open-v3:max_steps=200"
    assert make_task(named.name).name == named.name
    with pytest.raises(ConfigurationError, match="Did you mean 'push-v3'"):
        make_task("metaworld/reach-v3+psh-v3")


def test_what_was_to_be_done_is_recorded_in_words() -> None:
    found = record_episodes(make_task(TWO), 5)
    assert found.tasks == ("fork", "fork:gap=0.3")
    first = found.read("task_index")[found.starts]
    assert first.tolist() == [0, 1, 0, 1, 0]


def test_noise_is_executed_and_not_recorded() -> None:
    """An expert acts on what it sees: what it did is what is recorded, where the noise took it."""
    plain, shaken = record_episodes("fork", 3), record_episodes("fork", 3, noise=0.02)
    again = record_episodes("fork", 3, noise=0.02)
    np.testing.assert_array_equal(shaken.read("state"), again.read("state"))
    start, end = 0, int(shaken.ends[0])
    assert not np.array_equal(plain.read("state")[:10], shaken.read("state")[:10])
    expert = Fork().expert(0)
    for seen, action in zip(
        shaken.read("state")[start:end], shaken.read("action")[start:end], strict=True
    ):
        np.testing.assert_allclose(expert.act({"state": seen}), action, atol=1e-6)


def test_a_task_is_told_in_other_words() -> None:
    world = Worded(Fork(), "go through").make()
    assert str(world.reset(0)[TASK]) == "go through"
    assert str(world.step(np.zeros(2))[0][TASK]) == "go through"
    with pytest.raises(ConfigurationError, match="Name one: --task fork"):
        Worded(make_task(TWO), "go through")
