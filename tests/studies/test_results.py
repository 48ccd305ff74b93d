"""What is made of the records of trials: means of plays, rankings, and which row is enough."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from invented import outcomes, result

from steadyhand.evaluation.metrics import Difference, Interval
from steadyhand.studies.question import NBSP, cheapest, enough
from steadyhand.studies.results import Ranking, main_score, ranked

NAN = math.nan


def test_several_plays_of_an_initial_state_count_as_their_mean() -> None:
    """Those of one state stand one after another in a record."""
    row = result({"success": [[1, 1, 0, 0, 0, 1], [1, 1, 1, 1, 0, 0]]}, repeats=2)
    assert row.scores("success").tolist() == [[1, 0, 0.5], [1, 1, 0]]
    assert row.plays("success").tolist() == [[[1, 1], [0, 0], [0, 1]], [[1, 1], [1, 1], [0, 0]]]
    assert row.score("success").mean == pytest.approx(7 / 12)
    assert row.score("success").n == 6


def test_a_motion_that_an_episode_has_not_is_left_out_of_its_mean() -> None:
    jumps = [[1, NAN, NAN, NAN, 3, 5]]
    row = result({"success": np.ones((1, 6))}, repeats=2, motion={"boundary_jump": jumps})
    np.testing.assert_array_equal(row.motion("boundary_jump"), [[1, NAN, 4]])
    assert row.mean_motion("boundary_jump") == 2.5
    assert row.motion_interval("boundary_jump").n == 2
    assert row.seam.mean == 2.5
    none = result({"success": [[1, 0]]}, motion={"boundary_jump": NAN, "inner_step": 0.0})
    assert math.isnan(none.seam.mean)
    assert math.isnan(none.mean_motion("boundary_jump"))
    assert none.motion_interval("boundary_jump").n == 0


def test_a_score_among_some_of_the_initial_states() -> None:
    row = result({"success": [[1, 1, 0, 0], [1, 1, 0, 1]]})
    first = np.array([True, True, False, False])
    found = row.among("success", first)
    assert found is not None
    assert found.mean == 1.0
    other = row.among("success", ~first)
    assert other is not None
    assert other.mean == 0.25
    assert row.among("success", np.zeros(4, dtype=bool)) is None


def test_rows_are_judged_by_the_fields_score_where_there_is_one() -> None:
    both = {"final": [[0.5]], "success": [[1]], "max_coverage": [[0.9]]}
    assert main_score([result(both)]) == "max_coverage"
    assert main_score([result({"final": [[0.5]], "success": [[1]]})]) == "success"
    assert main_score([result({"reward": [[0.5]], "length": [[1]]})]) == "reward"


def test_the_best_row_less_each_wherever_it_stands() -> None:
    shares = (0.3, 0.9, 0.85)
    rows = [result({"success": outcomes(share, luck=i)}) for i, share in enumerate(shares)]
    found = ranked(rows, "success")
    assert found.best == 1
    assert found.behind[1] is None
    assert [row.mean for row in found.scores] == pytest.approx(list(shares))
    for row, lost in ((0, 0.6), (2, 0.05)):
        behind = found.behind[row]
        assert behind is not None
        assert behind.mean == pytest.approx(lost)
        assert behind.low < lost < behind.high
        assert found.may_lose(row) == behind.high
    assert [found.told(row) for row in range(3)] == [True, False, False]
    assert found.may_lose(1) == 0


def test_a_difference_is_claimed_only_where_it_holds_with_all_pairs() -> None:
    """Six of 50 that one row lost are told between two rows, and not among eight."""
    best, worse = np.ones((1, 50)), np.ones((1, 50))
    worse[0, :6] = 0
    rows = [result({"success": best}), result({"success": worse})]
    assert ranked(rows, "success").told(1)
    more = [result({"success": np.roll(best - (np.arange(50) < 1), n)}) for n in range(8)]
    found = ranked([*rows, *more], "success")
    behind = found.behind[1]
    assert behind is not None
    assert behind.p < 0.05 < behind.adjusted_p
    assert not found.told(1)


def test_trainings_that_rows_share_are_compared_with_themselves() -> None:
    """The same three policies in two uses lost as much each: what they vary by is no doubt."""
    random = np.random.default_rng(1)
    one = random.normal(size=(3, 1)) + 0.1 * random.normal(size=(3, 50))
    rows = [{"reward": one}, {"reward": one - 0.2 + 0.01 * random.normal(size=(3, 50))}]
    shared = ranked([result(row, policies="both") for row in rows], "reward")
    apart = ranked([result(r, policies=f"{i}") for i, r in enumerate(rows)], "reward")
    assert shared.told(1)
    assert not apart.told(1)


def ranking(*rows: tuple[float, float, float], best: int, score: str = "success") -> Ranking:
    """Rows as (mean, may lose, adjusted p)."""
    behind = [
        None if row == best else Difference(rows[best][0] - mean, 0, loses, 100, p=p, adjusted_p=p)
        for row, (mean, loses, p) in enumerate(rows)
    ]
    scores = tuple(Interval(mean, mean - 0.02, mean + 0.02, 100) for mean, _, _ in rows)
    return Ranking(score, scores, tuple(behind), best)


BEST = (0.95, 0.0, 1.0)
WORSE, ALIKE, CLOSE = (0.4, 0.6, 0.001), (0.9, 0.12, 0.4), (0.94, 0.04, 0.6)
CLOSE_AND_TOLD = (0.9, 0.08, 0.001)


def said(*rows: tuple[float, float, float], best: int) -> str:
    found = ranking(*rows, best=best)
    cheap = cheapest(found, range(len(rows)))
    return enough(found, cheap, lambda row: f"row {row}", "success").replace(NBSP, " ")


def enough_of(found: Ranking, cost: Sequence[float]) -> tuple[int, int]:
    cheap = cheapest(found, cost)
    return cheap.row, cheap.sure


def test_the_cheapest_row_is_one_that_cannot_be_told_from_the_best() -> None:
    assert enough_of(ranking(WORSE, ALIKE, CLOSE, BEST, best=3), range(4)) == (1, 2)
    assert enough_of(ranking(WORSE, ALIKE, BEST, best=2), range(3)) == (1, 2)
    assert enough_of(ranking(CLOSE, BEST, best=1), (5, 1)) == (1, 1)
    # Of several that cost the same, the one that scores most.
    assert enough_of(ranking(ALIKE, CLOSE, BEST, best=2), (1, 1, 1)) == (2, 2)
    # Nothing is known of how much it may lose: it is not sure.
    unknown = (0.9, NAN, NAN)
    assert enough_of(ranking(unknown, BEST, best=1), range(2)) == (0, 1)
    # Of a score without bounds, a tenth of the best one.
    field = ranking((180, 15, 0.2), (185, 25, 0.2), (200, 0, 1), best=2, score="reward")
    assert enough_of(field, (1, 0, 2)) == (1, 0)


def test_the_best_alone_is_enough() -> None:
    assert said(WORSE, WORSE, BEST, best=2) == (
        "It takes row 2: success 95 % [93, 97]. Whatever costs less is worse."
    )
    assert said(BEST, WORSE, best=0) == "It takes row 0: success 95 % [93, 97]. Nothing costs less."


def test_a_cheaper_row_is_surely_enough() -> None:
    assert said(WORSE, CLOSE, BEST, best=2) == (
        "It takes row 1: success 94 % [92, 96]. The highest is that of row 2, 95 % [93, 97], "
        "with 95 % confidence at most 4 points more."
    )


def test_a_row_that_only_cannot_be_told_is_called_no_more_than_that() -> None:
    assert said(ALIKE, CLOSE, BEST, best=2) == (
        "It takes row 1: success 94 % [92, 96], with 95 % confidence at most 10 points below the "
        "best. Row 0, with 90 % [88, 92], cannot be told from the best on these episodes, but may "
        "lose 12 points."
    )


def test_nothing_cheaper_is_sure() -> None:
    assert said(ALIKE, BEST, best=1) == (
        "Nothing cheaper is surely within 10 points of row 1, with success 95 % [93, 97]. Row 0, "
        "with 90 % [88, 92], cannot be told from the best on these episodes, but may lose 12 "
        "points."
    )


def test_what_is_close_and_yet_told_is_not_said_to_be_the_best() -> None:
    """Of many episodes a small difference can be told, and is still small."""
    assert said(CLOSE_AND_TOLD, BEST, best=1) == (
        "It takes row 0: success 90 % [88, 92], with 95 % confidence at most 10 points below the "
        "best. That is row 1, with 95 % [93, 97]: by a little, it is better."
    )
