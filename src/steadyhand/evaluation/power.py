"""How many training seeds and episodes a claim needs: where a score's variance comes from, how sure
a comparison would be, and how often it would tell a difference of a given size. Numpy only.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError
from steadyhand.evaluation.student import quantile

DRAWS = 4000
"""Studies that are thrown to find a power: right to 0.007 where it is 0.8."""
EPISODES = (10, 1000)
SEEDS = 10


@dataclass(frozen=True)
class Components:
    """Variances of one score of one method."""

    seeds: float
    """Between trainings, of what all episodes and checkpoints of each have in common."""
    checkpoints: float
    """Between the checkpoints of one training; 0 where only one was tried."""
    episodes: float
    """Between episodes (initial states), of what all trainings have in common."""
    rest: float
    """Of a training in an episode: what it finds hard, and chance."""


def components(scores: NDArray[np.floating]) -> Components:
    """From (seeds, checkpoints, episodes) scores, or (seeds, episodes) of one checkpoint.

    By the mean squares of the balanced design (method of moments); what comes out below 0 is 0. Of
    few seeds their variance is a rough figure: of three, a quarter of it to forty times as much.
    What checkpoints do in all trainings alike, as where all get better, is no luck and left out.

    Raises `ConfigurationError` of fewer than two seeds or episodes.
    """
    array = np.asarray(scores, dtype=np.float64)
    array = array[:, None] if array.ndim == 2 else array
    if array.ndim != 3 or min(array.shape[0], array.shape[2]) < 2:
        raise ConfigurationError(
            f"Scores of shape {np.shape(scores)} do not tell where their variance comes from: "
            "give (seeds, checkpoints, episodes), of two seeds and two episodes at least."
        )
    seeds, checkpoints, episodes = array.shape
    array = array - (array.mean(0) - array.mean((0, 1)))
    whole, of_seeds, of_episodes = array.mean(), array.mean((1, 2)), array.mean((0, 1))
    of_runs, of_pairs = array.mean(2), array.mean(1)
    both = of_pairs - of_seeds[:, None] - of_episodes + whole
    pairs = float(np.square(both).sum()) / ((seeds - 1) * (episodes - 1))
    alone = between = 0.0
    if checkpoints > 1:
        left = array - of_runs[:, :, None] - of_pairs[:, None] + of_seeds[:, None, None]
        freedom = (seeds - 1) * (checkpoints - 1)  # of each seed its own, less what all have alike
        alone = float(np.square(left).sum()) / (freedom * (episodes - 1))
        apart = float(np.square(of_runs - of_seeds[:, None]).sum()) / freedom
        between = max(apart - alone / episodes, 0)
    # Of one checkpoint, what it does to an episode is in `pairs` already.
    rest = pairs + (1 - 1 / checkpoints) * alone
    by_seed = float(of_seeds.var(ddof=1)) - between / checkpoints - pairs / episodes
    by_episode = float(of_episodes.var(ddof=1)) - pairs / seeds
    return Components(max(by_seed, 0), between, max(by_episode, 0), rest)


def standard_error(found: Components, seeds: int, episodes: int) -> float:
    """Of the difference of two methods, each trained so often, on the same episodes.

    What episodes are to both methods alike cancels, and nothing else does: both have seeds (and a
    checkpoint each) and a rest of their own. Methods that find other episodes hard need more.
    """
    of_seeds, of_cells = _of_difference(found)
    return math.sqrt(of_seeds / seeds + of_cells / (seeds * episodes))


def power(
    found: Components, effect: float, seeds: int, episodes: int, *, apart: bool = True
) -> float:
    """How often `difference_over_seeds` tells such methods apart (p < 0.05) if they differ so much.

    By throwing studies whose means and mean squares have the distributions of normal scores, and
    testing each as there (for shares that is close; of few outcomes the test is more cautious).
    With one seed it tells two trainings apart, not two methods, unless seeds do not matter.

    Raises `ConfigurationError` of fewer than two episodes.
    """
    if seeds < 1 or episodes < 2:
        raise ConfigurationError(
            f"Seeds {seeds}, episodes {episodes}: nothing can be told of fewer than 1 and 2."
        )
    random = np.random.default_rng(0)
    of_seeds, of_cells = _of_difference(found)
    mean = effect + standard_error(found, seeds, episodes) * random.standard_normal(DRAWS)
    if seeds == 1:
        variance = _mean_square(random, of_cells, episodes - 1) / episodes
        return float((np.abs(mean) > quantile(episodes - 1) * np.sqrt(variance)).mean())
    by_seed = of_seeds / seeds + of_cells / (seeds * episodes)
    own = np.stack([_mean_square(random, by_seed / 2, seeds - 1) for _ in range(2)])
    freedom = np.full(DRAWS, seeds - 1.0)
    if apart:
        freedom = own.sum(0) ** 2 / np.maximum(np.square(own).sum(0), 1e-300) * (seeds - 1)
        freedom = np.maximum(freedom, seeds - 1)  # also where no seed varies
    variances = own.sum(0) if apart else 2 * own[0]
    cells = of_cells / (seeds * episodes)
    by_episode = _mean_square(random, cells, episodes - 1)
    by_episode -= _mean_square(random, cells, (seeds - 1) * (episodes - 1))
    by_episode = np.maximum(by_episode, 0)
    variance = variances + by_episode
    reach = variances * _quantiles(freedom, seeds) + by_episode * quantile(episodes - 1)
    return float((np.abs(mean) * np.sqrt(variance) > reach).mean())


def needed(
    found: Components,
    effect: float,
    *,
    power: float = 0.8,
    episodes: tuple[int, int] = EPISODES,
    seeds: int = SEEDS,
    apart: bool = True,
) -> list[tuple[int, int | None]]:
    """(seeds, episodes) for 1, 2, … seeds: the fewest episodes that reach the power.

    `episodes` are the fewest and the most to think of; None where no number among them does. One
    seed reaches none where seeds matter: it says nothing about other trainings.

    Raises `ConfigurationError` where the effect is 0 or the power is not between 0 and 1.
    """
    if effect == 0 or not 0 < power < 1:
        raise ConfigurationError(
            f"Effect {effect}, power {power}: ask for a difference that is not 0, and a power "
            "between 0 and 1, such as 0.8."
        )
    alone = found.seeds + found.checkpoints > 0
    return [
        (
            count,
            None if count == 1 and alone else _fewest(found, effect, power, count, episodes, apart),
        )
        for count in range(1, seeds + 1)
    ]


def _fewest(
    found: Components,
    effect: float,
    wanted: float,
    seeds: int,
    episodes: tuple[int, int],
    apart: bool,
) -> int | None:
    low, high = episodes
    if power(found, effect, seeds, high, apart=apart) < wanted:
        return None
    while low < high:
        middle = (low + high) // 2
        enough = power(found, effect, seeds, middle, apart=apart) >= wanted
        low, high = (low, middle) if enough else (middle + 1, high)
    return low


def _of_difference(found: Components) -> tuple[float, float]:
    return 2 * (found.seeds + found.checkpoints), 2 * found.rest


def _mean_square(random: np.random.Generator, variance: float, freedom: int) -> NDArray[np.float64]:
    return variance * random.chisquare(freedom, DRAWS) / freedom


@cache
def _table(seeds: int) -> tuple[Sequence[float], Sequence[float]]:
    whole = range(2 * (seeds - 1), seeds - 2, -1)
    return [1 / freedom for freedom in whole], [quantile(freedom) for freedom in whole]


def _quantiles(freedom: NDArray[np.float64], seeds: int) -> NDArray[np.float64]:
    """Between whole degrees of freedom as `student.between` has it."""
    return np.interp(1 / freedom, *_table(seeds))
