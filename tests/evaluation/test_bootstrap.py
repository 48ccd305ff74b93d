"""Intervals by resampling: as wide as those of means, and right for what is none."""

import math

import numpy as np
import pytest

from steadyhand.errors import ConfigurationError
from steadyhand.evaluation.bootstrap import bootstrap, bootstraps
from steadyhand.evaluation.metrics import difference_over_seeds, mean, over_seeds


def outcomes(random, seeds: int, episodes: int, spread: float = 0.5):
    """Seeds and initial states both differ, on the scale of log odds."""
    odds = 0.8 + random.normal(0, spread, (seeds, 1)) + random.normal(0, 1, (1, episodes))
    return (random.random((seeds, episodes)) < 1 / (1 + np.exp(-odds))).astype(float)


@pytest.mark.parametrize("apart", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
def test_of_means_it_is_as_wide_as_the_interval_of_means(seeds, apart) -> None:
    random = np.random.default_rng(seeds)
    scores = random.normal(0, apart, (seeds, 1)) + random.normal(0, 1, (1, 60))
    scores = scores + random.normal(0, 0.5, (seeds, 60))
    found, other = bootstrap(np.mean, scores, resamples=1000), over_seeds(scores)
    assert (found.mean, found.n) == (pytest.approx(other.mean), other.n)
    assert found.high - found.low == pytest.approx(other.high - other.low, rel=0.12)


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
@pytest.mark.parametrize("episodes", [10, 60])
def test_it_holds_what_is_no_mean(seeds, episodes) -> None:
    random, found = np.random.default_rng(seeds), []
    for turn in range(120):
        seed, state = random.normal(0, 0.2, (seeds, 1)), random.normal(0, 0.5, (1, episodes))
        scores = (0 if seeds == 1 else seed) + state + random.normal(0, 0.5, (seeds, episodes))
        found.append(bootstrap(lambda x: math.exp(x.mean()), scores, resamples=100, seed=turn))
    held = np.mean([one.low <= 1 <= one.high for one in found])
    assert 0.9 < held < 1


def test_several_policies_are_drawn_together() -> None:
    """Of a ratio whose parts share their episodes: the luck of these cancels."""
    random = np.random.default_rng(0)
    states = random.uniform(1, 9, (1, 80))
    a, b = (states * random.uniform(0.95, 1.05, (3, 80)) for _ in range(2))
    ratio = bootstrap(lambda both: both[0].mean() / both[1].mean(), [a, b], resamples=300)
    assert ratio.low < 1 < ratio.high
    assert ratio.high - ratio.low < 0.1
    difference = bootstrap(lambda both: (both[0] - both[1]).mean(), [a, b], resamples=1000)
    other = difference_over_seeds(a, b)
    assert difference.high - difference.low == pytest.approx(other.high - other.low, rel=0.15)


def test_several_figures_each_have_theirs() -> None:
    scores = outcomes(np.random.default_rng(0), 3, 40)
    found = bootstraps(lambda x: [x.mean(), 10 * x.mean()], scores, resamples=200)
    assert found[1].low == pytest.approx(10 * found[0].low)
    assert found[0] == bootstrap(np.mean, scores, resamples=200), "the same draws each time"


def test_what_was_done_in_an_episode_stays_together() -> None:
    """Scores may have more axes: samples of one initial state, say."""
    scores = np.random.default_rng(0).integers(0, 2, (2, 30, 5))
    assert bootstrap(lambda x: x.mean((0, 1))[0], scores, resamples=100).known


def test_it_stays_where_the_figure_can_be() -> None:
    scores = outcomes(np.random.default_rng(1), 2, 10, 3.0)
    free, kept = bootstrap(np.mean, scores), bootstrap(np.mean, scores, ends=(0, 1))
    assert free.high > 1 == kept.high
    assert kept.low == free.low


def test_where_nothing_can_be_said_there_is_no_interval() -> None:
    assert not bootstrap(np.mean, np.ones((3, 20))).known
    assert not bootstrap(np.mean, np.eye(3)[:, :1]).known
    assert not bootstrap(lambda x: math.nan, outcomes(np.random.default_rng(0), 2, 9)).known
    # Each seed failed once, on another state: their means do not differ at all.
    assert bootstrap(np.mean, 1 - np.eye(3, 30)).low < 0.95


def test_of_one_seed_only_its_episodes_vary() -> None:
    scores = np.random.default_rng(0).normal(0, 1, (1, 200))
    found, other = bootstrap(np.mean, scores), mean(scores[0].tolist())
    assert (found.low, found.high) == pytest.approx((other.low, other.high), abs=0.02)


@pytest.mark.parametrize("scores", [np.ones(4), [], [np.ones((2, 3)), np.ones((3, 3))]], ids=str)
def test_other_shapes_are_refused(scores) -> None:
    with pytest.raises(ConfigurationError, match=r"\(seeds, episodes, …\)"):
        bootstrap(np.mean, scores)
