"""What a study says, where the truth is known: scores of trainings on states, drawn by chance.

The true value is the mean over all trainings and initial states there could be.
"""

from itertools import combinations

import numpy as np
import pytest

from steadyhand.errors import ConfigurationError
from steadyhand.evaluation.compare import differences_over_seeds, holm
from steadyhand.evaluation.metrics import difference_over_seeds, over_seeds

EVERYONE = np.random.default_rng(7).normal(size=100_000)


def chances(odds):
    return 1 / (1 + np.exp(-odds))


@pytest.mark.parametrize(("seeds", "apart"), [(1, 0.0), (2, 0.3), (3, 0.8), (5, 0.3)])
@pytest.mark.parametrize("episodes", [10, 50, 500])
def test_success_is_held(episodes, seeds, apart) -> None:
    random, held = np.random.default_rng(episodes + seeds), []
    for base in (-1, 0, 1, 2, 3):
        truth = chances(base + np.hypot(1, apart) * EVERYONE).mean()
        for _ in range(100):
            odds = base + random.normal(0, apart, (seeds, 1)) + random.normal(0, 1, (1, episodes))
            outcomes = random.random((seeds, episodes)) < chances(odds)
            found = over_seeds(outcomes.astype(float), share=True)
            held.append(found.low <= truth <= found.high)
    # Of ten episodes and several seeds what is said is cautious.
    assert 0.92 < np.mean(held) < (0.98 if seeds == 1 or episodes > 10 else 1)


def claims(random, rows: int, seeds: int, *, outcomes: bool, apart: bool, episodes: int) -> bool:
    """Whether the best of so many equal policies is said to differ from another."""
    states = random.normal(0, 1, (1, 1, episodes))
    # One training each tells of these trainings alone: equal ones, here.
    values = 1 + random.normal(0, 0.3 if seeds > 1 else 0, (rows, seeds, 1)) + states
    if outcomes:
        values = (random.random((rows, seeds, episodes)) < chances(values)).astype(float)
    else:
        values = values + random.normal(0, 0.5, (rows, seeds, episodes))
    pairs = list(combinations(range(rows), 2))
    first, second = np.array(pairs).T
    per_pair = values[first] - values[second]
    spread = (per_pair.std((1, 2)) + 1e-9) / np.sqrt(seeds * episodes)
    # Only of the furthest apart can any be told; with all others p is above theirs.
    p = np.ones(len(pairs))
    for k in np.argsort(-np.abs(per_pair.mean((1, 2))) / spread)[:12]:
        one, other = values[first[k]], values[second[k]]
        p[k] = difference_over_seeds(one, other, share=outcomes, apart=apart).p
    best = int(values.mean((1, 2)).argmax())
    adjusted = holm(p.tolist())
    return any(value < 0.05 for value, pair in zip(adjusted, pairs, strict=True) if best in pair)


@pytest.mark.parametrize("outcomes", [True, False])
@pytest.mark.parametrize(
    ("rows", "seeds", "apart"),
    [(8, 1, False), (30, 1, False), (8, 3, False), (30, 3, False), (8, 3, True), (30, 3, True)],
)
def test_equal_policies_are_told_apart_by_one_study_in_twenty(rows, seeds, apart, outcomes) -> None:
    random, studies = np.random.default_rng(rows + seeds), 150
    size = {"outcomes": outcomes, "apart": apart, "episodes": 40}
    told = sum(claims(random, rows, seeds, **size) for _ in range(studies))
    assert told <= 0.05 * studies + 2 * (0.05 * 0.95 * studies) ** 0.5


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("matter", ["everywhere", "in half"])
def test_equal_rows_of_a_study_are_told_apart_by_one_in_twenty(matter, apart) -> None:
    random, told, studies = np.random.default_rng(0), 0, 120
    spread = np.array([0.5 if matter == "everywhere" or row % 2 else 0.0 for row in range(6)])
    for _ in range(studies):
        values = spread[:, None, None] * random.normal(0, 1, (6, 3, 1))
        values = values + random.normal(0, 1, (1, 1, 40)) + random.normal(0, 0.5, (6, 3, 40))
        found = differences_over_seeds(list(values), apart=apart)
        told += any(one.adjusted_p < 0.05 for one in found.values())
    assert told <= 0.05 * studies + 2 * (0.05 * 0.95 * studies) ** 0.5


def test_rows_together_tell_what_each_pair_alone_cannot() -> None:
    """Eight rows of three seeds; one succeeds a third less often than the others."""
    random, alone, together = np.random.default_rng(0), 0, 0
    pairs = list(combinations(range(8), 2))
    for _ in range(30):
        odds = np.where(np.arange(8) == 7, 0, 2)[:, None, None] + random.normal(0, 0.3, (8, 3, 1))
        rows = (random.random((8, 3, 100)) < chances(odds + random.normal(0, 1, 100))).astype(float)
        p = [difference_over_seeds(rows[i], rows[j], share=True, apart=True).p for i, j in pairs]
        alone += holm(p)[pairs.index((0, 7))] < 0.05
        found = differences_over_seeds(list(rows), share=True, apart=True)
        together += found[0, 7].adjusted_p < 0.05
        assert found[0, 7].mean > 0
    assert together > 24 > 18 > alone


def test_of_one_seed_rows_are_compared_by_their_episodes() -> None:
    rows = np.random.default_rng(0).random((3, 1, 20))
    found = differences_over_seeds(list(rows))
    alone = difference_over_seeds(rows[0], rows[2])
    assert found[0, 2].p == alone.p <= found[0, 2].adjusted_p
    with pytest.raises(ConfigurationError, match=r"\(3, 20\), \(2, 20\)"):
        differences_over_seeds([np.ones((3, 20)), np.ones((2, 20))])
    with pytest.raises(ConfigurationError, match="two rows"):
        differences_over_seeds([np.ones((3, 20))])
