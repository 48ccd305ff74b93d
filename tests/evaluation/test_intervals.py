"""What is printed as 95 % holds the truth so often, and what does not differ is not told apart.

By simulation with fixed seeds, from two episodes to five hundred; outcomes exactly.
"""

import json
import math

import numpy as np
import pytest

from steadyhand.evaluation import metrics
from steadyhand.evaluation.compare import holm
from steadyhand.evaluation.student import quantile, within
from steadyhand.reports.page import percent

SIZES = [2, 3, 5, 10, 20, 100, 500]


def coverage(intervals, truth: float) -> float:
    return float(np.mean([found.low <= truth <= found.high for found in intervals]))


def false_differences(found) -> float:
    return float(np.mean([one.p < 0.05 for one in found]))


def coverages(random, size, reached: float):
    """Scores as Push-T has them: so many at 1, the others anywhere; and their true mean."""
    part = random.uniform(0.1, 0.95, size)
    return np.where(random.random(size) < reached, 1.0, part), reached + (1 - reached) * 0.525


@pytest.mark.parametrize(
    ("freedom", "t"), [(1, 12.706205), (2, 4.302653), (3, 3.182446), (30, 2.042272), (99, 1.984217)]
)
def test_student_as_in_the_tables(freedom, t) -> None:
    assert quantile(freedom) == pytest.approx(t, abs=1e-6)
    assert within(t, freedom) == pytest.approx(0.95, abs=1e-7)
    assert within(0, freedom) == 0
    assert within(1e9, freedom) == pytest.approx(1)


@pytest.mark.parametrize("n", [2, 3, 5, 10, 50, 500])
def test_rates_hold_their_share_on_average(n) -> None:
    shares = np.linspace(0.02, 0.98, 193)
    held = np.zeros(len(shares))
    for count in range(n + 1):
        found = metrics.rate([True] * count + [False] * (n - count))
        ways = math.lgamma(n + 1) - math.lgamma(count + 1) - math.lgamma(n - count + 1)
        chance = np.exp(ways + count * np.log(shares) + (n - count) * np.log1p(-shares))
        held += chance * ((found.low <= shares) & (shares <= found.high))
    assert 0.945 < held.mean() < 0.96


@pytest.mark.parametrize("n", SIZES)
def test_means_of_measured_numbers_hold_theirs(n) -> None:
    random = np.random.default_rng(n)
    values = random.normal(0.5, 1, (2000, n))
    assert 0.935 < coverage(map(metrics.mean, values), 0.5) < 0.965


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("kind", ["uniform", "beta", "many at 1", "most at 1"])
def test_means_of_coverages_hold_theirs(kind, n) -> None:
    random = np.random.default_rng(n)
    values, truth = {
        "uniform": lambda: (random.random((1500, n)), 0.5),
        "beta": lambda: (random.beta(5, 2, (1500, n)), 5 / 7),
        "many at 1": lambda: coverages(random, (1500, n), 0.4),
        "most at 1": lambda: coverages(random, (1500, n), 0.85),
    }[kind]()
    found = [metrics.mean(row, share=True) for row in values]
    # Of few episodes nearly all are 1, and what is left to say is cautious.
    assert 0.925 < coverage(found, truth) < (0.975 if "at 1" not in kind or n >= 20 else 1)
    assert all(0 <= one.low <= one.mean <= one.high <= 1 for one in found)


def test_what_is_all_alike_is_not_certain() -> None:
    assert metrics.mean([1.0] * 10) == metrics.rate([True] * 10)
    assert metrics.mean([0.0] * 10) == metrics.rate([False] * 10)
    half = metrics.mean([0.5] * 10)
    assert (half.low, half.high) == pytest.approx((0.361, 0.639), abs=1e-3)
    unknown = metrics.mean([7.0, 7.0, 7.0])
    assert (unknown.known, str(unknown)) == (False, "7.000 (all alike)")


def test_whether_numbers_are_shares_is_seen_or_said() -> None:
    shares = [0.2, 0.9, 1.0]
    assert metrics.mean(shares) == metrics.mean(shares, share=True)
    measured = [0.2, 0.9, 0.99]
    assert metrics.mean(measured) == metrics.mean(measured, share=False)
    assert metrics.mean(measured).high > 1
    assert metrics.mean(measured, share=True).high < 1
    assert metrics.mean([0.0, 0.003], share=False).low < 0, "an error that was 0 once"


@pytest.mark.parametrize("n", SIZES)
def test_paired_measured_numbers_differ_in_one_of_twenty(n) -> None:
    random = np.random.default_rng(n)
    states = random.normal(0, 3, (2000, n))
    a, b = (states + random.normal(0, 1, (2000, n)) for _ in range(2))
    found = [metrics.paired_difference(*pair) for pair in zip(a, b, strict=True)]
    assert 0.035 < false_differences(found) < 0.065
    moved = [metrics.paired_difference(*pair) for pair in zip(a + 0.7, b, strict=True)]
    assert 0.935 < coverage(moved, 0.7) < 0.965


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("success", [0.5, 0.9, 0.98])
def test_paired_outcomes_differ_in_one_of_twenty_at_most(success, n) -> None:
    random = np.random.default_rng(n)
    a, b = (random.random((2, 2000, n)) < success).astype(float)
    found = [metrics.paired_difference(*pair) for pair in zip(a, b, strict=True)]
    assert false_differences(found) < 0.062
    worse = (random.random((2000, n)) < 0.6 * success).astype(float)
    apart = [metrics.paired_difference(*pair) for pair in zip(a, worse, strict=True)]
    assert coverage(apart, 0.4 * success) > 0.935
    assert n < 20 or coverage(apart, 0.4 * success) < 0.97


@pytest.mark.parametrize("n", SIZES)
def test_paired_coverages_differ_in_one_of_twenty_at_most(n) -> None:
    random = np.random.default_rng(n)
    for reached in (0.4, 0.85):
        a, b = (coverages(random, (1500, n), reached)[0] for _ in range(2))
        found = [metrics.paired_difference(*pair, share=True) for pair in zip(a, b, strict=True)]
        assert false_differences(found) < 0.065


def test_p_and_interval_say_the_same() -> None:
    random, seen = np.random.default_rng(0), set()
    for n in random.integers(2, 40, 2000):
        a, b = random.normal(0, 1, (2, n)) if random.random() < 0.5 else random.random((2, n)) < 0.7
        shift = random.choice([0.0, 0.6]) if a.dtype == float else 0.0
        found = metrics.paired_difference(a + shift, b * random.integers(0, 2))
        assert (found.p < 0.05) == (not found.low <= 0 <= found.high)
        seen.add((a.dtype == float, found.p < 0.05))
    assert len(seen) == 4


def test_pairs_that_are_all_alike() -> None:
    for same in ([1.0, 0.0, 1.0], [0.3, 0.3, 0.3], [3.0, 4.0, 9.0]):
        found = metrics.paired_difference(same, same)
        assert (found.mean, found.p) == (0, 1)
        assert found.low < 0 < found.high
        assert found.high == pytest.approx(-found.low)
    # A hundred pairs without a difference: so many as Wilson's interval allows may differ.
    none = metrics.paired_difference([1.0] * 100, [1.0] * 100)
    assert none.high == pytest.approx(quantile(99) ** 2 / (100 + quantile(99) ** 2))
    for n, told in ((6, False), (7, True)):
        found = metrics.paired_difference([1.0] * n, [0.0] * n)
        assert (found.p < 0.05) is told
        assert found.low < found.mean == 1 == found.high
    unknown = metrics.paired_difference([7.0, 7.0], [7.0, 7.0])
    assert (unknown.known, unknown.p) == (False, 1)
    rounded = metrics.paired_difference([0.3, 0.4, 1.0], [0.2, 0.3, 0.9])
    assert rounded.low < 0 < rounded.high, "0.1 each, but for rounding"


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("apart", [0.0, 0.05, 0.3])
def test_scores_over_seeds_hold_theirs(apart, seeds) -> None:
    random, found = np.random.default_rng(seeds), []
    for _ in range(1000):
        seed, state = random.normal(0, apart, (seeds, 1)), random.normal(0, 0.3, (1, 60))
        found.append(metrics.over_seeds(seed + state + random.normal(0, 0.2, (seeds, 60))))
    assert 0.93 < coverage(found, 0) < 0.985


def test_outcomes_over_seeds_hold_theirs() -> None:
    random, found = np.random.default_rng(0), []
    for _ in range(1500):
        share = random.beta(4, 1, (1, 50)) * random.uniform(0.8, 1, (3, 1))
        found.append(metrics.over_seeds((random.random((3, 50)) < share).astype(float)))
    assert 0.935 < coverage(found, 0.8 * 0.9) < 0.985
    assert all(0 <= one.low < one.high <= 1 for one in found)


def test_seeds_that_agree_by_chance_are_not_certain() -> None:
    """Each seed failed once, on another state: their means do not differ at all."""
    scores = np.ones((3, 100))
    scores[[0, 1, 2], [5, 50, 95]] = 0
    found = metrics.over_seeds(scores)
    assert found.low < 0.96
    assert 0.99 < found.high < 1
    measured = metrics.over_seeds(np.array([[1.0, 2.0], [2.0, 1.0]]))
    assert measured.low < 0 < 3 < measured.high


def test_of_one_episode_there_is_no_interval() -> None:
    alone = [
        metrics.rate([True]),
        metrics.mean([0.4]),
        metrics.paired_difference([0.4], [0.1]),
        metrics.over_seeds(np.ones((1, 1))),
    ]
    for found in alone:
        assert json.loads(json.dumps(found.as_json()))["low"] is None
        assert not found.known
        assert not found.low <= found.mean <= found.high, "none holds anything"
        assert str(found).endswith("(n = 1)")
    assert alone[2].as_json()["p"] is None
    assert not alone[2].p < 0.05
    assert not metrics.over_seeds(np.ones((3, 1))).known
    assert percent(alone[0]) == "100\N{NO-BREAK SPACE}% (n = 1)"


def test_many_comparisons_at_once() -> None:
    # Four p-values, raised 4, 3, 2 and 1 times, and never less than a smaller one's.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.6]) == [1, 1]
    assert holm([np.nan, 0.01]) == pytest.approx([np.nan, 0.01], nan_ok=True)
    random = np.random.default_rng(0)
    tables = [
        holm([metrics.paired_difference(*random.normal(0, 1, (2, 9))).p for _ in range(6)])
        for _ in range(600)
    ]
    assert np.mean([min(table) < 0.05 for table in tables]) < 0.07
