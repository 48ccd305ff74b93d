"""One policy that was trained, tried as a `Trial` says: what is kept of it.

Figures are kept an episode each, so that whoever reads them sums them up as the question needs.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import CheckpointError, ConfigurationError
from steadyhand.evaluation.evaluate import Evaluation, evaluate
from steadyhand.evaluation.held_out import HeldOut
from steadyhand.evaluation.rollout import Episode
from steadyhand.evaluation.smoothness import motion
from steadyhand.policy.device import choose_device, on_threads
from steadyhand.policy.policy import Policy
from steadyhand.policy.storage import load_policy
from steadyhand.studies.plan import Trial, demonstrations
from steadyhand.tasks import make_task
from steadyhand.training.checkpoint import Run
from steadyhand.training.config import TrainConfig

MOMENTS = 16
"""Of the demonstrations, evenly spread, at which chunks are drawn."""
DIGITS = 4
"""After the point, of the paths that are kept to be drawn."""


@dataclass(frozen=True)
class Tried:
    """What is kept of a trial."""

    record: dict[str, Any]
    """{"seeds": […], "scores": {name: […]}, "motion": {name: […]}, "paths": […]}; lists have an
    entry an episode: all of one initial state after one another."""
    drawn: NDArray[np.floating] | None = field(default=None, repr=False)
    """(MOMENTS, samples, rows from now on, action_size) in robot units."""


def tried(
    run: Path,
    config: TrainConfig,
    trial: Trial,
    watch: Callable[[Episode], object] = lambda episode: None,
) -> Tried:
    """Try the policy that was trained in `run` as `config` says."""
    task = trial.task or config.task
    assert task is not None, "a run that is tried names its task"
    policy = load_policy(
        _checkpoint(run, trial.before_last),
        sampler=trial.sampler,
        device=choose_device(trial.device or config.device),
    )
    found = evaluate(
        policy,
        task,
        episodes=trial.episodes,
        seed_start=trial.seed_start,
        execute=trial.execute,
        repeats=trial.repeats,
        perturb_history=trial.perturb_history,
        controller=trial.acting.make,
        latency=trial.acting.latency,
        processes=0,  # as many runs as there are cores are at work
        watch=watch,
    )
    if found.lost:
        seeds = ", ".join(str(one.seed) for one in found.lost[:8])
        raise ConfigurationError(
            f"Rows of a study are compared on the same episodes, and {len(found.lost)} were lost "
            f"(seed {seeds}), the first since {found.lost[0].why}. Mend the task's worlds."
        )
    record = kept(found, make_task(task).rate_hz, paths=trial.paths)
    return Tried(record, _drawn(policy, config, trial.samples) if trial.samples else None)


def kept(found: Evaluation, rate_hz: float, *, paths: int = 0) -> dict[str, Any]:
    """The record of an evaluation."""
    moved = [motion(e.actions, e.boundaries, rate_hz, e.seen < 0) for e in found.episodes]
    ticks = [len(episode.actions) for episode in found.episodes]
    calls = [rate_hz * e.requests / len(e.actions) for e in found.episodes]
    motions = {name: [each[name] for each in moved] for name in moved[0]}
    record: dict[str, Any] = {
        "seeds": [episode.seed for episode in found.episodes],
        "scores": {name: [float(e.scores[name]) for e in found.episodes] for name in found.scores},
        "motion": {
            **motions,
            "ticks": ticks,
            "requests_per_second": calls,
            "held": [episode.held / len(episode.actions) for episode in found.episodes],
            "reaction_ms": [1000 * episode.reaction / rate_hz for episode in found.episodes],
        },
    }
    if paths:
        shown = [episode.states[:, :2] for episode in found.episodes[:paths]]
        record["paths"] = [np.round(states, DIGITS).tolist() for states in shown]
    return record


def _checkpoint(run: Path, before_last: int) -> Path:
    """The run itself for the last. Raises `CheckpointError` where there are not so many."""
    if before_last == 0:
        return run
    steps = Run(run).steps_saved()
    if before_last >= len(steps):
        raise CheckpointError(
            f"{run} keeps {len(steps)} checkpoints, and what is asked for is {before_last} before "
            "the last. Train with a smaller --checkpoint-every, or ask for fewer."
        )
    return Run(run).folder(steps[-1 - before_last])


def _drawn(policy: Policy, config: TrainConfig, samples: int) -> NDArray[np.floating]:
    data = HeldOut(policy, demonstrations(config))
    moments = np.linspace(0, data.episodes.steps - 1, MOMENTS).astype(np.int64)
    with on_threads(1):
        return data.predict(moments, samples, together=samples).swapaxes(0, 1)
