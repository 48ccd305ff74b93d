"""Many methods on one task: what comes of the runs of `grid.py`, as rows of one table."""

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from steadyhand.evaluation.metrics import Interval, over_seeds
from steadyhand.policy.device import choose_device, on_threads
from steadyhand.policy.policy import Policy
from steadyhand.policy.predictor import TorchPredictor
from steadyhand.policy.storage import load_policy
from steadyhand.runtime import RecedingHorizon
from steadyhand.studies.grid import Entry
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
    parameters: int
    chunk_ms: float
    """One chunk alone on the device, of the CPU on one thread: the median, in turns."""
    train_minutes: float
    """Of one seed, on average; a teacher's among them."""
    seeds: int


def rows(entries: Sequence[Entry], outcomes: Sequence[Outcome]) -> list[Row]:
    """The table, from what came of all runs of all entries, in their order.

    Chunks are timed now, all rows in turns.
    """
    left = iter(outcomes)
    of_entry = [[next(left) for _ in entry.configs] for entry in entries]
    config = entries[0].configs[0]
    device = choose_device(config.device)
    policies = [
        load_policy(done[0].policy, sampler=entry.trial.sampler, device=device)
        for entry, done in zip(entries, of_entry, strict=True)
    ]
    times = chunk_times(policies, config.task or "")
    found = []
    for entry, done, policy, chunk_ms in zip(entries, of_entry, policies, times, strict=True):
        results = [one.trials[entry.trial.key]["scores"] for one in done]
        scores = {
            score: over_seeds(np.array([result[score] for result in results]), share=True)
            for score in SCORES
            if score in results[0]
        }
        found.append(
            Row(
                method=entry.method.label,
                denoiser=entry.network,
                calls=int(getattr(policy.sampler, "steps", 1)),
                scores=scores,
                parameters=done[0].parameters,
                chunk_ms=chunk_ms,
                train_minutes=statistics.mean(one.minutes for one in done),
                seeds=len(done),
            )
        )
    return found


def chunk_times(policies: Sequence[Policy], task: str) -> list[float]:
    """Milliseconds for one chunk of each, on its device, on the CPU on one thread.

    They are medians, measured in turns.
    """
    world = make_task(task)
    seen = world.make().reset(world.first_seed)
    predictors = [TorchPredictor(policy) for policy in policies]
    requests = [RecedingHorizon(predictor.spec).request(seen) for predictor in predictors]
    spent: list[list[float]] = [[] for _ in predictors]
    with on_threads(1):
        for number in range(TIMED_CHUNKS + 3):
            for each, predictor, request in zip(spent, predictors, requests, strict=True):
                assert request is not None, "a new controller asks for a chunk"
                begun = time.perf_counter()
                predictor.predict([request])
                if number >= 3:
                    each.append(1000 * (time.perf_counter() - begun))
    return [statistics.median(each) for each in spent]
