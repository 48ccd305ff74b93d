"""The sizes that are recommended detect what they are said to, by simulation."""

import numpy as np
import pytest

from steadyhand.errors import ConfigurationError
from steadyhand.evaluation.metrics import difference_over_seeds
from steadyhand.evaluation.power import (
    Components,
    components,
    needed,
    power,
    standard_error,
)


def scores(random, found: Components, seeds: int, episodes: int, states=None):
    """What one method reaches, on states that may be another's too."""
    deviations = np.sqrt([found.seeds + found.checkpoints, found.episodes, found.rest])
    states = random.normal(0, 1, (1, episodes)) if states is None else states
    luck = random.normal(0, deviations[2], (seeds, episodes))
    return random.normal(0, deviations[0], (seeds, 1)) + deviations[1] * states + luck


def told(random, found: Components, effect: float, seeds: int, episodes: int, apart=True):
    """The share of studies that tell the difference, and how far what they find is spread."""
    means, hits = [], []
    for _ in range(300):
        states = random.normal(0, 1, (1, episodes))
        a, b = (scores(random, found, seeds, episodes, states) for _ in range(2))
        difference = difference_over_seeds(a + effect, b, share=False, apart=apart)
        means.append(difference.mean)
        hits.append(difference.p < 0.05)
    return float(np.mean(hits)), float(np.std(means))


CASES = [
    (Components(0.0004, 0.0, 0.08, 0.12), 0.1),
    (Components(0.002, 0.001, 0.1, 0.1), 0.15),
    (Components(0.0, 0.0, 0.02, 0.2), 0.1),
    (Components(0.01, 0.0, 0.0, 0.05), 0.25),
]


@pytest.mark.parametrize(("found", "effect"), CASES)
@pytest.mark.parametrize("apart", [True, False])
def test_needed_sizes_detect_the_effect(found, effect, apart) -> None:
    random, tried = np.random.default_rng(0), 0
    for seeds, episodes in needed(found, effect, seeds=6, apart=apart):
        if episodes is None or seeds not in (1, 2, 3, 5) or not 10 < episodes < 500:
            continue
        share, _ = told(random, found, effect, seeds, episodes, apart)
        assert 0.73 < share < 0.87, (seeds, episodes)
        tried += 1
    assert tried


def outcomes(random, states, seeds: int, base: float):
    odds = base + random.normal(0, 0.3, (seeds, 1)) + states
    return (random.random((seeds, states.shape[1])) < 1 / (1 + np.exp(-odds))).astype(float)


def test_outcomes_too_are_told_apart_as_often_as_said() -> None:
    """From one method's outcomes to the size of a study, and that study, of outcomes."""
    random, hits, means = np.random.default_rng(0), [], []
    found = components(outcomes(random, random.normal(0, 1, (1, 400)), 60, 0.3))
    effect = 0.15
    episodes = dict(needed(found, effect))[5]
    assert episodes is not None
    for _ in range(400):
        states = random.normal(0, 1, (1, episodes))
        a, b = outcomes(random, states, 5, 0.67), outcomes(random, states, 5, -0.07)
        difference = difference_over_seeds(a, b, share=True, apart=True)
        hits.append(difference.p < 0.05)
        means.append(difference.mean)
    assert np.mean(means) == pytest.approx(effect, abs=0.01)
    assert 0.75 < np.mean(hits) < 0.95


def test_of_a_difference_that_is_none_one_study_in_twenty_tells() -> None:
    for seeds in (1, 2, 3, 8):
        assert 0.01 < power(Components(0.0, 0.0, 0.1, 0.1), 0, seeds, 50) < 0.06


def test_more_is_never_less() -> None:
    found = Components(0.002, 0.0, 0.1, 0.1)
    by_seeds = [power(found, 0.12, seeds, 50) for seeds in (2, 3, 5, 9)]
    assert by_seeds == sorted(by_seeds)
    by_episodes = [power(found, 0.12, 3, episodes) for episodes in (5, 10, 50, 500)]
    assert by_episodes == sorted(by_episodes)
    sizes = [episodes for _, episodes in needed(found, 0.12) if episodes]
    assert sizes == sorted(sizes, reverse=True)


def test_one_seed_is_enough_only_where_seeds_do_not_matter() -> None:
    assert needed(Components(0.001, 0.0, 0.1, 0.1), 0.2)[0] == (1, None)
    assert needed(Components(0.0, 0.001, 0.1, 0.1), 0.2)[0] == (1, None)
    count, episodes = needed(Components(0.0, 0.0, 0.1, 0.1), 0.2)[0]
    assert count == 1
    assert episodes is not None
    # Seeds that differ by more than the effect: no number of episodes makes up for them.
    assert needed(Components(1.0, 0.0, 0.1, 0.1), 0.1, seeds=3) == [(1, None), (2, None), (3, None)]


def test_the_standard_error_is_how_far_differences_are_spread() -> None:
    found, random = Components(0.003, 0.001, 0.5, 0.1), np.random.default_rng(0)
    _, spread = told(random, found, 0.0, 3, 40)
    assert standard_error(found, 3, 40) == pytest.approx(spread, rel=0.12)


@pytest.mark.parametrize("checkpoints", [1, 4])
def test_variances_are_found_where_they_lie(checkpoints) -> None:
    random, shape = np.random.default_rng(0), (8, checkpoints, 40)
    truth = Components(0.5, 0.3 if checkpoints > 1 else 0.0, 2.0, 1.0 + 0.7)
    found = []
    for _ in range(200):
        values = random.normal(0, 0.5**0.5, (8, 1, 1)) + random.normal(0, 2**0.5, (1, 1, 40))
        values = values + random.normal(0, truth.checkpoints**0.5, (8, checkpoints, 1))
        values = values + random.normal(0, 1, (8, 1, 40)) + random.normal(0, 0.7**0.5, shape)
        values = values + np.arange(checkpoints)[None, :, None]  # all get better: that is no luck
        found.append(list(vars(components(values)).values()))
    assert np.mean(found, axis=0) == pytest.approx(list(vars(truth).values()), rel=0.1, abs=0.01)


def test_a_variance_is_never_negative() -> None:
    found = components(np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert found == Components(0.0, 0.0, 0.0, 1.0)
    assert components(np.ones((2, 1, 2))) == Components(0.0, 0.0, 0.0, 0.0)


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"\(1, 50\).*two seeds"):
        components(np.ones((1, 50)))
    with pytest.raises(ConfigurationError, match="not 0"):
        needed(Components(0.0, 0.0, 1.0, 1.0), 0.0)
    with pytest.raises(ConfigurationError, match="such as"):
        needed(Components(0.0, 0.0, 1.0, 1.0), 0.1, power=80)
    with pytest.raises(ConfigurationError, match="fewer than 1 and 2"):
        power(Components(0.0, 0.0, 1.0, 1.0), 0.1, 3, 1)
