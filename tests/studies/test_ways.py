"""Which ways are taken, and how evenly from one and the same start."""

from math import comb, log2

import numpy as np
import pytest
from invented import result

from steadyhand.studies.asked import Asked
from steadyhand.studies.question import NBSP, NONE
from steadyhand.studies.questions.modes import METHODS, Modes, entropies, entropy, shares
from steadyhand.studies.results import Result

WAYS = ("left", "right")


@pytest.mark.parametrize(
    ("counts", "bits"),
    [
        ((8, 0), 0.0),
        ((4, 4), 1.0),
        ((1, 1), 1.0),
        ((6, 2), 0.811278 + 1 / (2 * np.log(2) * 8)),
        ((7, 1), 0.543564 + 1 / (2 * np.log(2) * 8)),
        ((3, 3, 3), np.log2(3)),
        ((9, 0, 0), 0.0),
        ((60, 30, 10), 1.295462 + 2 / (2 * np.log(2) * 100)),
        ((1, 0), np.nan),
        ((0, 0), np.nan),
    ],
)
def test_bits_of_the_ways_that_were_taken(counts, bits) -> None:
    [found] = entropies(np.array([counts]))
    assert found == pytest.approx(bits, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("share", [0.2, 0.3])
def test_few_plays_are_right_on_average(share) -> None:
    """Of eight plays it is 0.04 too little; without the correction, 0.1."""
    left = np.arange(9)
    chance = [comb(8, k) * share**k * (1 - share) ** (8 - k) for k in left]
    found = entropies(np.stack([left, 8 - left], axis=-1))
    true = -share * log2(share) - (1 - share) * log2(1 - share)
    assert float(found @ chance) == pytest.approx(true, abs=0.05)


def plays(*lefts: tuple[int, ...], each: int = 4, failed: int = 0) -> dict[str, np.ndarray]:
    """How many of `each` plays of a state go left, a tuple a seed; the last so many go nowhere."""
    ways = [[[1.0] * left + [0.0] * (each - left) for left in of_seed] for of_seed in lefts]
    left = np.array(ways)
    right, success = 1 - left, np.ones_like(left)
    for way in (left, right, success):
        way[..., each - failed :] = 0
    flat = {"left": left, "right": right, "success": success, "collision": 1 - success}
    return {name: values.reshape(len(lefts), -1) for name, values in flat.items()}


def test_the_entropy_is_that_of_each_start_by_itself() -> None:
    """Ways that the start decides are no choice of the policy's, however many are taken."""
    decided = entropy(result(plays((4, 4, 0, 0), (4, 4, 0, 0)), repeats=4), WAYS)
    assert decided is not None
    assert decided.mean == 0
    drawn = entropy(result(plays((2, 2, 2, 2), (2, 2, 2, 2)), repeats=4), WAYS)
    assert drawn is not None
    assert drawn.mean == 1
    mixed = entropy(result(plays((4, 2, 0, 2), (0, 4, 4, 2)), repeats=4), WAYS)
    assert mixed is not None
    assert mixed.mean == pytest.approx(3 / 8)
    assert 0 <= mixed.low < mixed.mean < mixed.high <= 1
    # Of what was taken once or never nothing is known.
    assert entropy(result(plays((1, 0), each=4, failed=3), repeats=4), WAYS) is None


def test_shares_are_of_all_plays() -> None:
    found = shares(result(plays((4, 1), (2, 1), failed=1), repeats=4), WAYS)
    assert found["left"].mean == pytest.approx((3 + 1 + 2 + 1) / 16)
    assert found["left"].mean + found["right"].mean == pytest.approx(12 / 16)
    assert found["left"].n == 4


def said(diffusion: dict[str, np.ndarray]) -> tuple[str, dict[str, object]]:
    """What is answered where diffusion plays so, and regression always fails."""
    nothing = {name: np.full_like(v, name == "collision") for name, v in diffusion.items()}

    def row(method: str, scores: dict[str, np.ndarray]) -> Result:
        named = {"task": "fork", "method": method}
        return result(scores, factors=named, repeats=4, paths=4, policies=method)

    rows = [*(row(method, nothing) for method in METHODS), row("ddpm", diffusion)]
    found = Modes().findings(Asked(task="fork"), rows)
    return found.answer.replace(NBSP, " "), dict(found.columns)


def test_the_answer_says_which_ways_are_taken_surely() -> None:
    both, columns = said(plays(*[(2, 4, 0, 2, 2)] * 2))
    assert both.startswith("ddpm takes both ways, left in 50 %")
    assert "reaches success 100 %" in both
    assert "Regression, which averages them, reaches 0 %" in both
    assert "it collides in 100 %" in both
    assert columns["entropy"][0] == NONE, "of ways that nobody took"
    assert columns["entropy"][-1].startswith("0.60")
    one, _ = said(plays(*[(4,) * 30] * 2))
    assert one.startswith("ddpm takes but left surely")
    none, _ = said({name: 0 * v for name, v in plays((4, 4)).items()})
    assert none.startswith("ddpm takes no way surely")
