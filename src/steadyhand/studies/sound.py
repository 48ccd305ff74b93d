"""What the scores of a task have to be, for a study to be of them: there, numbers, and shares where
they are called so."""

import math
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from steadyhand.errors import ConfigurationError, unknown
from steadyhand.evaluation.evaluate import seeds_of
from steadyhand.studies.cell import Cell
from steadyhand.studies.results import Result, is_share
from steadyhand.tasks import make_task
from steadyhand.tasks.own import short_name
from steadyhand.tasks.task import world_of
from steadyhand.values import shown

NUMBER = (bool, int, float, np.bool_, np.integer, np.floating)


def require_trials(cells: Iterable[Cell]) -> None:
    """Raise `ConfigurationError` for episodes that nobody can play, before any training."""
    for task, episodes, first in {(c.task, c.trial.episodes, c.trial.seed_start) for c in cells}:
        seeds_of(make_task(task), episodes, first)


def require_scores(names: Iterable[str], tasks: Collection[str], what: str = "score") -> None:
    """Raise `ConfigurationError` where one of the tasks has no such score, or none that is a
    number, before any training."""
    for name in tasks:
        task = make_task(name)
        world = world_of(task, but=("state", "render"))
        world.reset(task.first_seed)
        known = world.scores()
        wrong = [score for score, value in known.items() if not isinstance(value, NUMBER)]
        if wrong or not known:
            said = f"{wrong[0]} is {shown(known[wrong[0]])}" if wrong else "there is none"
            raise ConfigurationError(
                f"Scores of {short_name(name)} are True, False or numbers, and {said}. Let "
                'scores() answer with at least one: {"success": True}.'
            )
        for score in names:
            if score not in known:
                raise ConfigurationError(unknown(f"{what} of {short_name(name)}:", score, known))


def require_numbers(results: Sequence[Result], score: str) -> None:
    """Raise `ConfigurationError` where rows cannot be judged by it: it is not the same in all, no
    number in some episode, or no share though it is called one."""
    for result in results:
        task, others = short_name(result.task), [n for n in result.score_names if n != score]
        advice = f"Judge by another, --score {others[0]}, or mend it." if others else "Mend it."
        if score not in result.score_names:
            said = f"{score} is no score of {task}, and rows are compared by one that all have."
            raise ConfigurationError(f"{said} {task} has {', '.join(result.score_names)}.")
        values = np.array([record["scores"][score] for record in result.records])
        seeds = np.array(result.records[0]["seeds"])
        wrong = ~np.isfinite(values)
        if wrong.any():
            where = int(seeds[wrong.any(0)][0])
            raise ConfigurationError(
                f"The score {score} of {task} is no number in {wrong.mean():.0%} of episodes "
                f"({result.cell.label}; the first has seed {where}). {advice}"
            )
        wrong = (values < 0) | (values > 1)
        if is_share(score) and wrong.any():
            raise ConfigurationError(
                f"The score {score} of {task} is {values[wrong][0]:g} in an episode; what is "
                f"called so is a share, from 0 to 1. {advice}"
            )


def known(value: Any) -> Any:
    """The same with null for every number that JSON has not."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: known(one) for key, one in value.items()}
    return [known(one) for one in value] if isinstance(value, list | tuple) else value
