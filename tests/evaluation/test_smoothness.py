"""What is said of smoothness is so: figures with known answers, a reference, and the words."""

import math

import numpy as np
import pytest

from steadyhand.evaluation.smoothness import (
    Smoothness,
    motion,
    smoothness,
    spectral_arc_length,
    summed_up,
)


def reach(ticks: int) -> np.ndarray:
    """The speed of a minimum-jerk reach from 0 to 1."""
    share = np.linspace(0, 1, ticks)
    return 30 * share**2 * (1 - share) ** 2


def published(speed: np.ndarray, rate: float) -> float:
    """SPARC as its authors wrote it down, in integrals over a spectrum taken by its definition."""
    count = 2 ** (math.ceil(math.log2(len(speed))) + 4)
    frequency = np.arange(0, rate, rate / count)
    waves = np.exp(-2j * np.pi * np.outer(np.arange(count), np.arange(len(speed))) / count)
    height = np.abs(waves @ speed)
    height /= height.max()
    low = frequency <= min(10, rate / 2)
    frequency, height = frequency[low], height[low]
    loud = np.nonzero(height >= 0.05)[0]
    span = slice(loud[0], loud[-1] + 1)
    frequency, height = frequency[span], height[span]
    along = np.diff(frequency) / (frequency[-1] - frequency[0])
    return -float(np.sqrt(along**2 + np.diff(height) ** 2).sum())


def test_jerk_and_steps() -> None:
    time = np.arange(30)[:, None] / 10
    cubic = smoothness([time**3], [[]], rate_hz=10)
    assert cubic.jerk == pytest.approx(36), "the third derivative of t³ is 6"
    jumpy = np.where(np.arange(30) >= 8, 5.0, 0.0)[:, None] + np.arange(30)[:, None]
    found = smoothness([jumpy], [[8, 16]], rate_hz=10)
    assert found.inner_step == pytest.approx(1)
    assert found.boundary_jump == pytest.approx((6 + 1) / 2)
    assert found.seam == pytest.approx(3.5)


def test_standing_still_between_chunks_is_no_step_inside_of_one() -> None:
    """A robot that waits two ticks for each chunk, and goes on as fast as before, has no seams."""
    tick = np.arange(30)
    held = (tick >= 10) & (tick % 10 < 2)
    told = np.cumsum(~held)[:, None] * 1.0
    found = smoothness([told], [[12, 22]], 10, [held])
    assert (found.inner_step, found.boundary_jump, found.seam) == (1, 1, 1)


@pytest.mark.parametrize("rate", [10.0, 50.0])
def test_arc_length_is_the_published_one(rate) -> None:
    random = np.random.default_rng(0)
    for speed in (reach(30), np.abs(random.normal(size=61)), np.ones(16), np.tile(reach(13), 3)):
        assert spectral_arc_length(speed, rate) == pytest.approx(published(speed, rate), rel=1e-9)


def test_more_movements_have_a_longer_arc() -> None:
    one, two, four = (np.tile(reach(60 // n), n) for n in (1, 2, 4))
    found = [spectral_arc_length(speed, 100) for speed in (one, two, four)]
    assert -1.42 < found[0] < -1.38, "as near to 0 as it comes"
    assert found[0] > found[1] + 0.3 > found[2] + 0.6
    assert spectral_arc_length(7 * one, 100) == pytest.approx(found[0]), "whatever the size"


def test_an_episode_alone_and_many() -> None:
    random = np.random.default_rng(0)
    episodes = [random.normal(size=(ticks, 2)) for ticks in (20, 30, 2)]
    begun = [(8, 16), (8, 16, 24), ()]
    alone = [motion(*both, 10) for both in zip(episodes, begun, strict=True)]
    together = smoothness(episodes, begun, 10)
    assert together.jerk == pytest.approx((alone[0]["jerk"] + alone[1]["jerk"]) / 2)
    jumps = 2 * alone[0]["boundary_jump"] + 3 * alone[1]["boundary_jump"]
    assert together.boundary_jump == pytest.approx(jumps / 5)
    inner = 17 * alone[0]["inner_step"] + 26 * alone[1]["inner_step"] + alone[2]["inner_step"]
    assert together.inner_step == pytest.approx(inner / 44)
    arcs = [one["arc_length"] for one in alone]
    assert together.arc_length == pytest.approx(np.mean(arcs))


@pytest.mark.parametrize("ticks", [1, 2, 3, 4, 40])
def test_nothing_is_made_up_where_there_is_nothing(ticks) -> None:
    still = motion(np.ones((ticks, 2), np.float32), [], 10)
    assert math.isnan(still["boundary_jump"])
    assert math.isnan(still["arc_length"])
    assert math.isnan(still["jerk"]) == (ticks < 4)
    assert math.isnan(still["inner_step"]) == (ticks < 2)
    moving = motion(np.arange(2.0 * ticks).reshape(-1, 2), [], 10)
    assert math.isnan(moving["arc_length"]) == (ticks < 2)
    found = smoothness([np.ones((ticks, 2))], [()], 10).as_json()
    assert found["arc_length"] is found["seam"] is None
    assert found["jerk"] == found["boundary_jump"] == found["inner_step"] == 0


@pytest.mark.parametrize(
    ("jump", "inner", "said"),
    [
        (1.4, 1, "the command jumps 1.4 times as far as it moves inside chunks"),
        (23.4, 1, "the command jumps 23 times as far"),
        (1.02, 1, "the command moves no farther than inside chunks"),
        (0.5, 1, "the command moves no farther than inside chunks"),
        (0.5, 0, "there are no seams: of every chunk one action is executed"),
        (0, 0.5, "there are no seams: one chunk is the whole episode"),
        (0, 0, "the command does not move"),
    ],
)
def test_it_is_said_in_words(jump, inner, said) -> None:
    assert said in Smoothness(1, jump, inner).in_words()


def test_a_seam_stands_beside_a_score() -> None:
    assert Smoothness(1.0, 0.28, 0.2).shortly() == "×1.4"
    assert Smoothness(1.0, 0.28, 0.0).shortly() == "none"


def test_what_is_kept_of_episodes_is_summed_up() -> None:
    one = {"jerk": [1.0, 3.0], "boundary_jump": [math.nan, 0.4], "inner_step": [0.1, 0.3]}
    other = {"jerk": [2.0, 2.0], "boundary_jump": [0.6, 0.5], "inner_step": [math.nan, 0.2]}
    both = [{**each, "arc_length": [math.nan, -2.0]} for each in (one, other)]
    found = summed_up(both)
    assert (found.jerk, found.arc_length) == (2.0, -2.0)
    assert found.seam == pytest.approx(0.5 / 0.2)
