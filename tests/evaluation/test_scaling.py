"""Power laws: found where there is one, and not told where there is none."""

import math

import numpy as np
import pytest

from steadyhand.errors import ConfigurationError
from steadyhand.evaluation.scaling import power_law

COUNTS = [10, 20, 50, 100, 200]


def scores(random, exponent: float, seeds: int, episodes: int):
    """Outcomes of each count; some states are harder, and some trainings worse."""
    found = []
    for count in COUNTS:
        share = 0.8 * (count / 10) ** -exponent
        states = random.beta(6 * share, 6 * (1 - share), (1, episodes))
        worse = random.normal(1, 0.1 if seeds > 1 else 0, (seeds, 1)).clip(0, 2)
        failing = random.random((seeds, episodes)) < (states * worse).clip(0, 1)
        found.append(1.0 - failing)
    return found


@pytest.mark.parametrize(("exponent", "seeds"), [(0.3, 3), (1.0, 1)])
def test_the_exponent_is_held(exponent, seeds) -> None:
    random, held, predicted, means = np.random.default_rng(1), [], [], []
    for turn in range(40):
        law = power_law(COUNTS, scores(random, exponent, seeds, 50), resamples=60, seed=turn)
        held.append(law.exponent.low <= exponent <= law.exponent.high)
        reach = law.predict(40)
        assert reach.low <= reach.mean <= reach.high <= 1
        predicted.append(reach.low <= 0.8 * 4**-exponent <= reach.high)
        means.append(law.exponent.mean)
    assert np.mean(means) == pytest.approx(exponent, abs=0.08)
    assert np.mean(held) > 0.85
    assert np.mean(predicted) > 0.82


def test_what_halves_the_failures_goes_with_the_exponent() -> None:
    law = power_law(COUNTS, scores(np.random.default_rng(0), 0.7, 5, 200), resamples=200)
    assert law.doubt is None
    assert law.halving.low < 2 ** (1 / 0.7) < law.halving.high
    more = law.halving.mean * 30
    assert law.predict(more).mean == pytest.approx(law.predict(30).mean / 2)
    far = [law.predict(n) for n in (50, 5000)]
    assert far[1].high / far[1].low > 1.4 * far[0].high / far[0].low, (
        "the further, the less is known"
    )


def test_no_law_is_told_where_there_is_none() -> None:
    random, told, doubts = np.random.default_rng(0), 0, set()
    for turn in range(30):
        law = power_law(COUNTS, scores(random, 0.0, 3, 40), resamples=60, seed=turn)
        told += law.doubt is None
        doubts.add(law.doubt)
        assert law.exponent.low > 0 or law.halving.high == math.inf
    assert told <= 4
    assert any("may not help" in (doubt or "") for doubt in doubts)


def test_what_never_fails_has_no_law() -> None:
    first = 1.0 - (np.arange(90).reshape(3, 30) % 4 == 0)
    for cells in ([first] + [np.ones((3, 30))] * 4, [np.ones((3, 30))] * 5):
        law = power_law(COUNTS, cells, resamples=60)
        assert "nothing left to fail" in (law.doubt or "")
        assert 0 < law.predict(1000).mean <= 1


@pytest.mark.parametrize(
    ("counts", "cells", "said"),
    [
        ([10, 10], [np.ones((2, 5))] * 2, "two different counts"),
        ([10, 20], [np.ones((2, 5))], "1 scores after"),
        ([0, 20], [np.ones((2, 5))] * 2, "above 0"),
        ([10, 20], [np.full((2, 5), 3.0)] * 2, "from 0 to 1"),
        ([10, 20], [np.ones((2, 5)), np.ones((2, 4))], "cannot be resampled together"),
    ],
)
def test_other_scores_are_refused(counts, cells, said) -> None:
    with pytest.raises(ConfigurationError, match=said):
        power_law(counts, cells)
