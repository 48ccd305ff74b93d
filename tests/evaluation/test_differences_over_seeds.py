"""Two policies, several trainings each, on the same episodes."""

import numpy as np
import pytest

from steadyhand.errors import ConfigurationError
from steadyhand.evaluation.metrics import difference_over_seeds, paired_difference
from steadyhand.evaluation.student import chance, mixed, within


def test_of_one_seed_it_is_the_paired_difference() -> None:
    a, b = np.random.default_rng(0).uniform(0, 1, (2, 1, 30))
    assert difference_over_seeds(a, b) == paired_difference(a[0].tolist(), b[0].tolist())
    shares = difference_over_seeds(a, b, share=True)
    assert shares == paired_difference(a[0].tolist(), b[0].tolist(), share=True)


def test_p_and_interval_say_the_same() -> None:
    random, seen = np.random.default_rng(0), set()
    for _ in range(800):
        shape, outcomes = (random.integers(2, 5), random.integers(2, 40)), random.random() < 0.5
        a, b = random.random((2, *shape)) < 0.8 if outcomes else random.normal(0, 1, (2, *shape))
        apart = random.choice([0, 1])
        found = difference_over_seeds(a * 1.0, b * (1 - apart) - apart * (not outcomes) * 1.5)
        assert found.low <= found.mean <= found.high
        assert 0 <= found.p <= 1
        assert (found.p < 0.05) == (not found.low <= 0 <= found.high)
        seen.add((outcomes, found.p < 0.05))
    assert len(seen) == 4


def test_the_chance_is_where_the_mixed_quantile_lies() -> None:
    for parts in [((0.3, 1), (0.7, 49)), ((0.9, 2), (0.1, 9)), ((0.5, 4), (0.5, 4))]:
        for p in (0.6, 0.0501, 0.0499, 0.003, 1e-7):
            assert chance(mixed(parts, p), parts) == pytest.approx(p, rel=6e-4)
        assert chance(mixed(parts, 0.97), parts) == pytest.approx(0.97, abs=1e-3)
    assert chance(2.5, ((0.5, 7), (0.5, 7))) == pytest.approx(1 - within(2.5, 7), rel=1e-4)
    assert chance(0, ((0.5, 7), (0.5, 7))) == 1
    assert 0 < chance(1e9, ((0.5, 7), (0.5, 99))) < 1e-11


def test_seeds_that_disagree_prove_nothing() -> None:
    """Three trainings: two much better, one much worse; a hundred episodes do not change that."""
    a, b = np.full((3, 100), 0.4), np.full((3, 100), 0.3)
    a[2] = 0.1
    noise = np.random.default_rng(0).uniform(-0.02, 0.02, (3, 100))
    found = difference_over_seeds(a + noise, b, share=False)
    assert found.low < -0.2 < 0.2 < found.high
    assert found.p > 0.5


def test_what_does_not_vary_is_not_certain() -> None:
    for same in (np.ones((3, 20)), np.full((2, 5), 0.3), np.arange(12.0).reshape(3, 4)):
        found = difference_over_seeds(same, same)
        assert (found.mean, found.p, found.n) == (0, 1, same.size)
        assert found.low < 0 < found.high
    told = difference_over_seeds(np.ones((3, 20)), np.zeros((3, 20)))
    assert told.p < 0.001
    assert told.low < told.mean == 1 == told.high
    unknown = difference_over_seeds(np.full((3, 20), 7.0), np.full((3, 20), 7.0))
    assert (unknown.known, unknown.p) == (False, 1)
    assert not difference_over_seeds(np.ones((3, 1)), np.zeros((3, 1))).known


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"\(3, 20\) and \(2, 20\)"):
        difference_over_seeds(np.ones((3, 20)), np.ones((2, 20)))
    with pytest.raises(ConfigurationError, match="are"):
        difference_over_seeds(np.ones(20), np.ones(20))


def test_trainings_apart_tell_more() -> None:
    random, widths, held = np.random.default_rng(0), [], []
    for _ in range(400):
        states = random.normal(0, 1, (1, 40))
        a, b = (
            random.normal(0, 1, (2, 1)) + states + random.normal(0, 1, (2, 40)) for _ in range(2)
        )
        found = [difference_over_seeds(a, b, apart=apart) for apart in (False, True)]
        widths.append([one.high - one.low for one in found])
        held.append([one.low <= 0 <= one.high for one in found])
        assert all((one.p >= 0.05) == (one.low <= 0 <= one.high) for one in found)
    paired, apart = np.median(widths, axis=0)
    assert apart < 0.8 * paired
    assert all(0.93 < share < 0.99 for share in np.mean(held, axis=0))


def test_one_training_in_two_uses_is_compared_with_itself() -> None:
    """What the seeds have in common cancels: it is only apart that it counts."""
    random = np.random.default_rng(0)
    a = np.array([[0.0], [5.0], [10.0]]) + random.normal(0, 1, (3, 40))
    b = a - 1 + random.normal(0, 0.1, (3, 40))
    assert difference_over_seeds(a, b).p < 0.01
    assert difference_over_seeds(a, b, apart=True).p > 0.5
