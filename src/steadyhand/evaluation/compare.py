"""Paired comparison: several policies on the same initial states, each pair by its differences."""

from collections.abc import Mapping
from dataclasses import asdict
from itertools import combinations
from typing import Any

from steadyhand.errors import ConfigurationError
from steadyhand.evaluation import metrics
from steadyhand.evaluation.evaluate import Evaluation


def compare(
    evaluations: Mapping[str, Evaluation],
) -> dict[tuple[str, str, str], metrics.Difference]:
    """(a, b, score) → the mean difference a - b over the same episodes, for every pair and score.

    `evaluations` goes from a name of your choice to what `evaluate` found.

    Raises `ConfigurationError` where the episodes are not the same, or fewer than two policies.
    """
    if not isinstance(evaluations, Mapping):
        raise ConfigurationError('Name what is compared: compare({"flow": found, "ddpm": other}).')
    if len(evaluations) < 2:
        raise ConfigurationError("A comparison needs at least two policies.")
    seeds = {
        name: [(e.seed, *e.initial_state) for e in found.episodes]
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
    return {
        (a, b, score): metrics.paired_difference(
            *([float(e.scores[score]) for e in evaluations[name].episodes] for name in (a, b))
        )
        for a, b in combinations(evaluations, 2)
        for score in shared
    }


def as_json(
    evaluations: Mapping[str, Evaluation],
    differences: Mapping[tuple[str, str, str], metrics.Difference],
) -> dict[str, Any]:
    """What `steadyhand compare --json` prints."""
    return {
        "rows": [{"run": name, **found.as_json()} for name, found in evaluations.items()],
        "differences": [
            {"a": a, "b": b, "score": score, **asdict(found)}
            for (a, b, score), found in differences.items()
        ],
    }
