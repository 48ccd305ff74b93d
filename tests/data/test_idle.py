"""Stretches in which nothing moves are found where they were put, whatever jitters; none else."""

from dataclasses import replace

import numpy as np
import pytest

from steadyhand.data import Episodes
from steadyhand.data.idle import still_steps, stretches

RATE = 20.0
ACTIVE, REST, COUNT = 160, 40, 3
EATEN = 8
"""Steps at the ends of a rest that may pass for motion, or slow motion for rest."""


def arm(where=0.5, *, rest=REST, noise=0.0, tick=0.0) -> Episodes:
    """Two joints and a gripper that rest at this share of each episode, as sensors see them."""
    random = np.random.default_rng(0)
    time = np.arange(ACTIVE) / RATE
    row = int(where * (ACTIVE - 1))
    rows = np.concatenate([np.arange(row), np.full(rest, row), np.arange(row, ACTIVE)])
    paths = [
        np.stack([20 * np.sin(1.3 * time + n), 3 * np.cos(0.7 * time + n), 30.0 * (time > 4)], 1)
        for n in range(COUNT)
    ]
    action = np.concatenate([path[rows] for path in paths])
    state = action + noise * random.normal(size=action.shape)
    if tick:
        state = tick * np.round(state / tick + 0.3 * random.normal(size=state.shape))
    clocks = {"t": np.arange(len(action)) / RATE, "frame_index": np.arange(len(action))}
    arrays = {"observation.state": state, "action": action, **clocks}
    return Episodes(arrays, len(rows) * np.arange(1, COUNT + 1), RATE)


def found(episodes: Episodes) -> list[tuple[int, int]]:
    """(first step inside its episode, steps) of every stretch."""
    return [(one.start, one.steps) for one in stretches(episodes, still_steps(episodes))]


@pytest.mark.parametrize("sensor", [{}, {"noise": 0.1}, {"tick": 0.3}])
@pytest.mark.parametrize("where", [0.0, 0.4, 1.0])
def test_a_rest_is_found_where_it_is(where, sensor) -> None:
    episodes = arm(where, **sensor)
    rests = stretches(episodes, still_steps(episodes))
    assert [one.episode for one in rests] == [0, 1, 2]
    for one in rests:
        assert abs(one.start - int(where * (ACTIVE - 1))) <= EATEN
        assert abs(one.steps - REST) <= EATEN
        assert (one.at_start, one.at_end) == (where == 0.0, where == 1.0)
    assert found(arm(where, rest=0, **sensor)) == []


def test_a_rest_must_last() -> None:
    assert found(arm(rest=int(0.8 * RATE))) == []


def test_a_rest_ends_with_its_episode() -> None:
    """All begin and end in one pose, for less than a second; together it would be more."""
    way = np.sin(np.linspace(0, np.pi, 100))
    path = np.tile(np.concatenate([np.zeros(12), way, np.zeros(12)]), 3)[:, None]
    assert found(Episodes({"state": path}, 124 * np.arange(1, 4), RATE)) == []


def test_a_gripper_that_moves_is_motion() -> None:
    """Though it moves once in an episode, as where something is let go at the end."""
    episodes = arm(1.0, rest=120)
    assert len(found(episodes)) == COUNT
    state = np.array(episodes.arrays["observation.state"])
    for end in episodes.ends:
        state[end - 50 : end, 2] = 0.0  # opens while the arm rests
    rests = found(replace(episodes, arrays={**episodes.arrays, "observation.state": state}))
    opened = ACTIVE + 120 - 50
    assert len(rests) == 2 * COUNT
    assert all(start + steps <= opened or start >= opened for start, steps in rests)


def test_what_is_slow_everywhere_rests_nowhere() -> None:
    episodes = arm(rest=0)
    for slow in (1e-3, 1e-6):
        arrays = {key: slow * np.array(array) for key, array in episodes.arrays.items()}
        assert found(replace(episodes, arrays=arrays)) == []
    counts = np.repeat(np.arange(240), 8)  # two counts of an encoder a second
    assert found(Episodes({"state": counts[:, None]}, np.array([960, 1920]), 20.0)) == []


def test_what_says_nothing_of_motion_is_not_asked() -> None:
    """Noise alone, clocks, and what never moves; where nothing is left, nothing is said."""
    random = np.random.default_rng(0)
    episodes = arm()
    steps = episodes.steps
    more = {
        "force": random.normal(size=(steps, 3)),
        "camera.timestamp": np.cumsum(random.uniform(0, 1, steps)),
        "next.reward": random.normal(size=(steps, 1)),
        "still": np.ones((steps, 2)),
    }
    assert found(replace(episodes, arrays={**episodes.arrays, **more})) == found(episodes)
    assert found(Episodes(more, episodes.ends, RATE)) == []


def test_speeds_by_keys_are_no_rest() -> None:
    """A key that is held for long sends the same action, and the arm moves."""
    action = np.repeat(np.array([[1.0, 0], [0, -1], [0, 0], [1, 1]]), 60, axis=0)
    assert found(Episodes({"action": action}, np.array([240]), RATE)) == []
    state = np.cumsum(action, axis=0)
    both = Episodes({"action": action, "state": state}, np.array([240]), RATE)
    [(start, steps)] = found(both)
    assert abs(start - 120) <= EATEN
    assert abs(steps - 60) <= EATEN


def test_counts_beyond_what_floats_tell_apart() -> None:
    counts = (2**60 + np.concatenate([np.arange(100), np.full(50, 99), np.arange(99, 199)]))[
        :, None
    ]
    [(start, steps)] = found(Episodes({"encoder": counts}, np.array([250]), RATE))
    assert abs(start - 100) <= EATEN
    assert abs(steps - 50) <= EATEN
