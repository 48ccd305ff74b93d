"""What a study says, where the truth is known: scores of trainings on states, drawn by chance.

The true value is the mean over all trainings and initial states there could be.
"""

from itertools import combinations

import numpy as np
import pytest

from steadyhand.evaluation.compare import holm
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
