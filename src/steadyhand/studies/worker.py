"""One run of the engine, as a process: `python -m steadyhand.studies.worker FOLDER [PARENT]`.

It trains what the folder's plan says, goes on where it was stopped, and evaluates each trial once.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steadyhand.data import open_episodes
from steadyhand.disk import lock, write_json
from steadyhand.errors import ConfigurationError, SteadyhandError
from steadyhand.evaluation.evaluate import evaluate
from steadyhand.policy.device import choose_device
from steadyhand.policy.storage import load_policy
from steadyhand.runtime.codec import decode
from steadyhand.studies.plan import Trial
from steadyhand.studies.runs import PLAN, PROGRESS, TRAINED, read_json
from steadyhand.training.checkpoint import Run
from steadyhand.training.config import TrainConfig
from steadyhand.training.train import build_policy, train

TOLD_SECONDS = 1.0
TRAINING = 0.9
"""The share of a run that training is taken for; the rest are its trials."""
STOPPED = 130


class Stopped(Exception):
    """Somebody wants this run to end before it is done."""


@dataclass
class Signs:
    """Tells how far it is, and whether to stop: asked to, or with nobody left who asked."""

    folder: Path
    parent: int | None
    asked: bool = False
    told: float = 0.0
    impatient: bool = False

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """While nothing has to be saved, somebody who asks is not kept waiting."""
        self.check()
        self.impatient = True
        try:
            yield
        finally:
            self.impatient = False

    def ask(self, *_: Any) -> None:
        """Stop as soon as may be: what a signal calls."""
        self.asked = True
        if self.impatient:
            raise Stopped

    @property
    def stop(self) -> bool:
        return self.asked or (self.parent is not None and os.getppid() != self.parent)

    def check(self, _: object = None) -> None:
        """Raise `Stopped` where it is to stop."""
        if self.stop:
            raise Stopped

    def tell(self, share: float) -> None:
        now = time.monotonic()
        if now - self.told > TOLD_SECONDS:
            self.told = now
            write_json(self.folder / PROGRESS, share)


def work(folder: Path, signs: Signs) -> None:
    """Do what is left of the plan. Raises `Stopped` where it is not finished."""
    plan = json.loads((folder / PLAN).read_text())
    config: TrainConfig = decode(TrainConfig, plan["config"], f"{folder / PLAN}: config")
    trials: list[Trial] = [decode(Trial, trial, str(folder / PLAN)) for trial in plan["trials"]]
    if read_json(folder / TRAINED) is None:
        _train(folder, config, signs)
    for number, trial in enumerate(trials):
        path = folder / f"{trial.key}.json"
        if read_json(path) is None:
            with signs.at_once():
                found = _evaluate(folder / "run", config, trial, signs)
            write_json(path, found)
        signs.tell(TRAINING + (1 - TRAINING) * (number + 1) / len(trials))


def _train(folder: Path, config: TrainConfig, signs: Signs) -> None:
    run, spent = Run(folder / "run"), folder / "spent.json"
    assert config.data is not None, "without data there is no plan"
    episodes = open_episodes(config.data, skip_broken_episodes=config.skip_broken_episodes)
    policy = build_policy(config, episodes)
    before = float(read_json(spent) or 0.0)
    steps = train(policy, episodes, config, out=run.path, resume=run.exists)
    begun, done, all_of_it = time.perf_counter(), 0, run.read_config().steps
    for result in steps:
        done = result.step
        if result.checkpoint is not None:
            write_json(spent, before + time.perf_counter() - begun)
        signs.tell(TRAINING * done / all_of_it)
        if signs.stop:
            break
    steps.close()
    seconds = before + time.perf_counter() - begun
    if 0 < done < all_of_it:
        write_json(spent, seconds)
        raise Stopped
    parameters = sum(parameter.numel() for parameter in policy.parameters())
    summary = {"steps": all_of_it, "minutes": seconds / 60, "parameters": parameters}
    write_json(folder / TRAINED, summary)


def _evaluate(run: Path, config: TrainConfig, trial: Trial, signs: Signs) -> dict[str, Any]:
    if config.task is None:
        raise ConfigurationError("A planned run that is tried names its task.")
    device = choose_device(config.device)
    policy = load_policy(run, sampler=trial.sampler, device=device)
    found = evaluate(
        policy,
        config.task,
        episodes=trial.episodes,
        seed_start=trial.seed_start,
        execute=trial.execute,
        watch=signs.check,
    )
    names = found.scores
    return {
        "seeds": [episode.seed for episode in found.episodes],
        "scores": {name: [float(e.scores[name]) for e in found.episodes] for name in names},
    }


def main(words: list[str]) -> int:
    """Work in the folder named; 130 where it was stopped."""
    signs = Signs(Path(words[0]), int(words[1]) if len(words) > 1 else None)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signs.ask)
    try:
        # Wait for a worker of an engine that was killed, which ends as soon as it sees that.
        with lock(signs.folder / ".worker", wait=True):
            work(signs.folder, signs)
    except Stopped:
        return STOPPED
    except SteadyhandError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
