"""Scores over seeds and episodes."""

import numpy as np
import pytest

from steadyhand.evaluation import metrics


def test_of_one_seed_it_is_the_interval_of_its_episodes() -> None:
    scores = np.random.default_rng(0).uniform(0, 1, (1, 80))
    found, alone = metrics.over_seeds(scores), metrics.mean(scores[0].tolist())
    assert found.mean == pytest.approx(alone.mean)
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high), abs=0.01)
    assert found.n == 80


def test_it_covers_the_truth_as_often_as_it_says() -> None:
    """Seeds and initial states both differ; of a hundred tables, about 95 hold the true mean."""
    random, held = np.random.default_rng(0), 0
    for _ in range(100):
        seeds, states = random.normal(0, 0.1, (10, 1)), random.normal(0, 0.3, (1, 60))
        found = metrics.over_seeds(0.5 + seeds + states + random.normal(0, 0.2, (10, 60)))
        held += found.low <= 0.5 <= found.high
    assert 88 <= held <= 100


def test_seeds_that_differ_make_it_wider() -> None:
    random = np.random.default_rng(0)
    alike = random.normal(0.5, 0.1, (3, 50))
    apart = alike + np.array([[-0.2], [0.0], [0.2]])
    widths = [found.high - found.low for found in map(metrics.over_seeds, (alike, apart))]
    assert widths[1] > 2 * widths[0]


def test_successes_are_never_certain() -> None:
    """Three seeds share their hundred states: three hundred successes are not that many."""
    found, alone = metrics.over_seeds(np.ones((3, 100))), metrics.rate([True] * 100)
    assert (found.low, found.high) == (alone.low, 1.0)
    none = metrics.over_seeds(np.zeros((3, 100)))
    assert (none.low, none.high) == (0.0, metrics.rate([False] * 100).high)
