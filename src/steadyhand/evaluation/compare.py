"""Paired comparison: several policies on the same initial states, each pair by its differences."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError
from steadyhand.evaluation import metrics
from steadyhand.evaluation.evaluate import Evaluation
from steadyhand.tasks.task import SHARES
from steadyhand.values import named


@named
def compare(
    evaluations: Mapping[str, Evaluation],
) -> dict[tuple[str, str, str], metrics.Difference]:
    """(a, b, score) → the mean difference a - b over the same episodes, for every pair and score.

    `evaluations` goes from a name of your choice to what `evaluate` found. Initial states of which
    any policy lost an episode are left out.

    Raises `ConfigurationError` where the episodes are not the same, none is left, or fewer than two
    policies.
    """
    by_name = isinstance(evaluations, Mapping)
    if not by_name or not all(isinstance(e, Evaluation) for e in evaluations.values()):
        raise ConfigurationError('Name what is compared: compare({"flow": found, "ddpm": other}).')
    if len(evaluations) < 2:
        raise ConfigurationError("A comparison needs at least two policies.")
    lost = {one.seed for found in evaluations.values() for one in found.lost}
    evaluations = {name: _without(lost, found) for name, found in evaluations.items()}
    seeds = {
        name: [(e.seed, e.repeat, *e.initial_state) for e in found.episodes]
        for name, found in evaluations.items()
    }
    first = next(iter(seeds))
    for name, others in seeds.items():
        if others != seeds[first]:
            raise ConfigurationError(
                f"'{first}' and '{name}' were not tried on the same initial states. "
                "Evaluate both with the same task, episodes and seed_start."
            )
    shared = [
        score
        for score in evaluations[first].scores
        if all(score in found.scores for found in evaluations.values())
    ]
    found = {
        (a, b, score): metrics.paired_difference(
            *(evaluations[name].by_state(score) for name in (a, b)),
            share=score in SHARES or None,
        )
        for a, b in combinations(evaluations, 2)
        for score in shared
    }
    adjusted = holm([one.p for one in found.values()])
    return {
        key: replace(one, adjusted_p=p)
        for (key, one), p in zip(found.items(), adjusted, strict=True)
    }


def _without(lost: Collection[int], found: Evaluation) -> Evaluation:
    """The evaluation on the initial states that nobody lost, as far as they are compared."""
    episodes = [episode for episode in found.episodes if episode.seed not in lost]
    if not episodes:
        raise ConfigurationError(
            "There is no initial state on which no policy lost its episode: nothing can be paired. "
            "See why they were lost; try more episodes."
        )
    return replace(found, episodes=episodes)


def differences_over_seeds(
    scores: Sequence[NDArray[np.floating]], *, share: bool | None = None, apart: bool = False
) -> dict[tuple[int, int], metrics.Difference]:
    """(i, j) → the mean difference i - j of every pair of rows, as `difference_over_seeds`.

    Of a few seeds it is hardly known how far they vary; all rows of a study together know more. So
    seeds are taken to vary by what they do in all rows on average, and by more where a pair's (or
    `apart`, a row's) own do. `adjusted_p` is of all pairs (Holm 1979).

    Of equal policies, any two are told apart in 0.5 to 7 % of studies (4 and 8 rows, 2, 3 and 5
    seeds, 50 episodes), be it that seeds matter in all rows, half of them or one; 15 % at worst of
    two seeds and measured numbers, where they matter in one row alone.

    Raises `ConfigurationError` where the shapes differ, or of fewer than two rows.
    """
    rows = [np.asarray(one, dtype=np.float64) for one in scores]
    if len(rows) < 2 or rows[0].ndim != 2 or any(one.shape != rows[0].shape for one in rows):
        shapes = ", ".join(str(one.shape) for one in rows) or "none"
        raise ConfigurationError(
            f"Scores of shape {shapes} cannot be compared: give two rows at least, each (seeds, "
            "episodes), with as many seeds, on the same episodes."
        )
    seeds, pairs, spread = len(rows[0]), list(combinations(range(len(rows)), 2)), None
    if seeds > 1:
        of_seeds = np.stack([one.mean(1) for one in rows])
        varying = of_seeds if apart else np.stack([of_seeds[i] - of_seeds[j] for i, j in pairs])
        freedom = (len(rows) if apart else len(rows) - 1) * (seeds - 1)
        spread = metrics.Spread(float(varying.var(1, ddof=1).mean()), freedom)
    found = [
        metrics.difference_over_seeds(rows[i], rows[j], share=share, apart=apart, spread=spread)
        for i, j in pairs
    ]
    adjusted = holm([one.p for one in found])
    return {
        pair: replace(one, adjusted_p=p)
        for pair, one, p in zip(pairs, found, adjusted, strict=True)
    }


def holm(p: Sequence[float]) -> list[float]:
    """Each p so raised that one below 0.05 among them all is by chance in 5 % (Holm 1979).

    Where there is none (nan), none is raised.
    """
    known = [value for value in p if not math.isnan(value)]
    raised = np.maximum.accumulate(np.sort(known) * np.arange(len(known), 0, -1)).clip(max=1)
    ranks = np.argsort(np.argsort(known))
    left = iter(raised[ranks].tolist())
    return [value if math.isnan(value) else next(left) for value in p]


def as_json(
    evaluations: Mapping[str, Evaluation],
    differences: Mapping[tuple[str, str, str], metrics.Difference],
) -> dict[str, Any]:
    """What `steadyhand compare --json` prints."""
    return {
        "rows": [{"run": name, **found.as_json()} for name, found in evaluations.items()],
        "differences": [
            {"a": a, "b": b, "score": score, **found.as_json()}
            for (a, b, score), found in differences.items()
        ],
    }
