"""Results that were invented: what a study finds in figures that nobody had to train for."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from steadyhand.studies.asked import Asked
from steadyhand.studies.cell import Cell
from steadyhand.studies.plan import PlannedRun, Trial
from steadyhand.studies.results import Result
from steadyhand.studies.runs import Outcome

CONFIG = Asked(task="fork").config("fork")
STILL = {"boundary_jump": 2.0, "inner_step": 1.0, "jerk": 3.0, "arc_length": -1.5}
"""How every episode moved, unless said otherwise."""


def result(
    scores: Mapping[str, Any],
    *,
    factors: Mapping[str, Any] | None = None,
    cell: Cell | None = None,
    motion: Mapping[str, Any] | None = None,
    policies: str | Path = "",
    chunk_ms: float | None = 1.0,
    **trial: Any,
) -> Result:
    """A row whose policies scored so, (seeds, episodes) each; those of one initial state one after
    the other where there are `repeats`. Rows of other `policies` are other trainings."""
    arrays = {name: np.atleast_2d(np.asarray(values, float)) for name, values in scores.items()}
    shape = next(iter(arrays.values())).shape
    moved = {**STILL, "requests_per_second": 1.25, **(motion or {})}
    moves = {name: np.broadcast_to(np.asarray(v, float), shape) for name, v in moved.items()}
    if cell is None:
        episodes = shape[1] // trial.get("repeats", 1)
        tried = Trial(episodes=episodes, **trial)
        cell = Cell(factors=factors or {}, config=CONFIG, trial=tried)
    folder = Path(policies or cell.label or "one")
    outcomes = [
        Outcome(
            planned=PlannedRun(
                name="invented", config=replace(cell.config, seed=seed), fingerprint=""
            ),
            folder=folder / f"{seed}",
            steps=cell.config.steps,
            minutes=1.0,
            parameters=100,
            trials={
                cell.trial.key: {
                    "seeds": (100_000 + np.arange(shape[1]) // cell.trial.repeats).tolist(),
                    "scores": {name: values[seed].tolist() for name, values in arrays.items()},
                    "motion": {name: values[seed].tolist() for name, values in moves.items()},
                    "paths": [[[0.0, 0.0], [0.0, 1.0]]] * min(cell.trial.paths, shape[1]),
                }
            },
        )
        for seed in range(shape[0])
    ]
    return Result(cell, outcomes, chunk_ms)


def outcomes(share: float, *, seeds: int = 1, episodes: int = 100, luck: int = 0) -> np.ndarray:
    """That share of successes, the same in each seed but for where they are."""
    made = np.zeros((seeds, episodes))
    made[:, : round(share * episodes)] = 1.0
    return np.random.default_rng(luck).permuted(made, axis=1)
