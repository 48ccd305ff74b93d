"""Many methods on one task: what comes of the runs of `grid.py`, as rows of one table."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from steadyhand.evaluation.evaluate import chunk_times
from steadyhand.evaluation.metrics import Interval, over_seeds
from steadyhand.evaluation.smoothness import Smoothness, summed_up
from steadyhand.policy.device import choose_device, on_threads
from steadyhand.policy.predictor import TorchPredictor
from steadyhand.policy.storage import load_policy
from steadyhand.studies.cell import Cell
from steadyhand.studies.runs import Outcome
from steadyhand.tasks import make_task

SCORES = ("success", "max_coverage")
TIMED_CHUNKS = 30


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    method: str
    denoiser: str
    calls: int
    scores: Mapping[str, Interval]
    """Over episodes and seeds."""
    smoothness: Smoothness
    """Over the same."""
    parameters: int
    chunk_ms: float
    """One chunk alone on the device, of the CPU on one thread: the median, in turns."""
    train_minutes: float
    """Of one seed, on average; a teacher's among them."""
    seeds: int


def rows(cells: Sequence[Cell], outcomes: Sequence[Sequence[Outcome]]) -> list[Row]:
    """The table, from what came of the runs of each cell.

    Chunks are timed now, all rows in turns.
    """
    config = cells[0].config
    device = choose_device(config.device)
    policies = [
        load_policy(done[0].policy, sampler=cell.trial.sampler, device=device)
        for cell, done in zip(cells, outcomes, strict=True)
    ]
    predictors, task = [TorchPredictor(policy) for policy in policies], make_task(config.task or "")
    with on_threads(1):
        times = chunk_times(predictors, task, task.first_seed, calls=TIMED_CHUNKS)
    found = []
    for cell, done, policy, spent in zip(cells, outcomes, policies, times.T, strict=True):
        records = [one.trials[cell.trial.key] for one in done]
        results = [record["scores"] for record in records]
        scores = {
            score: over_seeds(np.array([result[score] for result in results]), share=True)
            for score in SCORES
            if score in results[0]
        }
        found.append(
            Row(
                method=cell.factors["method"],
                denoiser=cell.factors["network"],
                calls=int(getattr(policy.sampler, "steps", 1)),
                scores=scores,
                smoothness=summed_up([record["motion"] for record in records]),
                parameters=done[0].parameters,
                chunk_ms=float(np.median(spent)),
                train_minutes=statistics.mean(one.minutes for one in done),
                seeds=len(done),
            )
        )
    return found
