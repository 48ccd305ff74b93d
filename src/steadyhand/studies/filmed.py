"""Episodes of a study to look at: a typical success and a failure of a row, played once more.

An episode's outcome is a function of its seed, so what is filmed is what was counted.
"""

from collections.abc import Sequence

import numpy as np

from steadyhand.data.stages import Tell, untold
from steadyhand.evaluation.evaluate import evaluate
from steadyhand.policy.device import choose_device
from steadyhand.policy.storage import load_policy
from steadyhand.reports.strip import Strip, contact_strip, film
from steadyhand.studies.results import Result, main_score
from steadyhand.tasks import make_task

MOST = 4
"""Strips in a report."""


def strips(results: Sequence[Result], shown: Sequence[int], tell: Tell = untold) -> list[Strip]:
    """Of the rows at the places `shown`: one that is typical, and one that ended otherwise."""
    found: list[Strip] = []
    for place in dict.fromkeys(shown):
        for word, seed, score in _chosen(results[place]):
            if len(found) == MOST:
                return found
            caption = f"{results[place].cell.label}: {word}, seed {seed} ({score})."
            try:
                found.append(_strip(results[place], seed, caption))
            except Exception as error:  # a task of one's own may draw nothing, or anything
                tell(f"No episode is shown, since this task draws no pictures: {error}")
                return []
    return found


def _strip(result: Result, seed: int, caption: str) -> Strip:
    pictures = _frames(result, seed)
    moving = film(pictures, make_task(result.task).rate_hz)
    return Strip(caption=caption, jpeg=contact_strip(pictures), film=moving)


def _chosen(result: Result) -> list[tuple[str, int, str]]:
    """(what it is, its seed, its score) of a typical episode, and of one that ended otherwise: of
    the other outcome, or the worst."""
    record, every = result.records[0], result.cell.trial.repeats
    name = "success" if "success" in record["scores"] else main_score([result])
    values = np.array(record["scores"][name][::every])
    seeds = record["seeds"][::every]
    middle = int(np.argmin(np.abs(values - np.median(values))))
    outcomes = name == "success" and bool(np.isin(values, (0, 1)).all())
    won = outcomes and bool(values[middle] == 0)
    other = int(values.argmax() if won else values.argmin())
    chosen = [("a typical episode", middle)]
    if values[other] != values[middle]:
        word = "one that succeeded" if won else "one that failed" if outcomes else "the worst"
        chosen.append((word, other))
    return [(word, seeds[place], f"{name} {values[place]:.3g}") for word, place in chosen]


def _frames(result: Result, seed: int) -> list[np.ndarray]:
    config, trial = result.cell.config, result.cell.trial
    device = choose_device(trial.device or config.device)
    found = evaluate(
        load_policy(result.outcomes[0].policy, sampler=trial.sampler, device=device),
        make_task(result.task),
        episodes=1,
        seed_start=seed,
        execute=trial.execute,
        perturb_history=trial.perturb_history,
        controller=trial.acting.make,
        latency=trial.acting.latency,
        film=[seed],
        processes=0,
    )
    return found.episodes[0].frames
