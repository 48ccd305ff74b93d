"""An engine that is killed at any moment: what was done is kept, the rest comes out the same."""

import multiprocessing
import os
import random
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_runs import EPISODES, planned, weights

from steadyhand.data import write_episodes
from steadyhand.studies import runs, worker
from steadyhand.studies.folder import RunFolder
from steadyhand.studies.plan import PlannedRun
from steadyhand.studies.runs import do_runs
from steadyhand.studies.worker import Signs, work

KILLS, RUNS = 5, range(5)
LOADED = ["steadyhand.studies.worker", "steadyhand.studies.grid", "torch._dynamo"]
"""What takes seconds to import, once for all engines and workers; an optimiser takes the last."""


class Forks:
    """Two workers at once, which are there in an instant: copies of this process."""

    def __init__(self) -> None:
        self.jobs: list[Fork] = []

    def room_for(self, run: PlannedRun) -> bool:
        return sum(job.ended() is None for job in self.jobs) < 2

    def submit(self, run: PlannedRun, folder: RunFolder) -> "Fork":
        self.jobs.append(Fork(folder))
        return self.jobs[-1]


class Fork:
    def __init__(self, folder: RunFolder) -> None:
        parent, self._well = str(os.getpid()), None
        self._process = os.fork()
        if not self._process:
            os._exit(worker.main([str(folder.path), parent]))

    def ended(self) -> bool | None:
        if self._well is None:
            process, status = os.waitpid(self._process, os.WNOHANG)
            self._well = None if not process else status == 0
        return self._well

    def cancel(self) -> None:
        os.kill(self._process, signal.SIGTERM)

    def wait(self) -> None:
        os.waitpid(self._process, 0)


def engine(data: Path, out: Path, seeds: range) -> None:
    torch.set_num_threads(1)
    runs.POLL_SECONDS = 0.02
    do_runs(plan(data, seeds), out, executor=Forks())


def plan(data: Path, seeds: range) -> list[PlannedRun]:
    every = [planned(data, seed=seed, steps=40, checkpoint_every=10) for seed in seeds]
    return [
        replace(run, trials=tuple(replace(run.trials[0], episodes=n) for n in (3, 4, 5)))
        for run in every
    ]


def finished(out: Path) -> dict[Path, int]:
    """What is not to be done again, and when it was."""
    kept = [*out.glob("*/trained.json"), *out.glob("*/[0-9a-f]*.json")]
    return {path: path.stat().st_mtime_ns for path in kept}


def trained(out: Path) -> int:
    return len(list(out.glob("*/trained.json")))


def done(out: Path) -> int:
    """A number that grows with all that is saved."""
    return len(finished(out)) + len(list(out.glob("*/run/checkpoints/*")))


@pytest.mark.slow
def test_an_engine_killed_five_times_finds_the_same_and_repeats_nothing(tmp_path) -> None:
    data, out, chance = tmp_path / "fork.npz", tmp_path / "out", random.Random(7)
    write_episodes(data, EPISODES)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    before: dict[Path, int] = {}
    for kill in range(KILLS + 1):
        process = context.Process(target=engine, args=(data, out, RUNS))
        process.start()
        if kill < KILLS:
            # Some time later, and every other time as soon as one more has only to be tried.
            saved, pause = (trained, 0.0) if kill % 2 else (done, chance.uniform(0.0, 0.3))
            enough, until = (
                saved(out) + chance.randint(1, 4 - 3 * (kill % 2)),
                time.monotonic() + 60,
            )
            while saved(out) < enough and process.is_alive() and time.monotonic() < until:
                time.sleep(0.005)
            time.sleep(pause)
            assert process.is_alive(), "it is killed on the way"
            process.kill()
        process.join(120)
        now = finished(out)
        assert now.items() >= before.items(), "what was finished was left as it is"
        before = now
    assert process.exitcode == 0
    stamps = finished(out)
    for found in do_runs(plan(data, RUNS), out):
        here = RunFolder(tmp_path / "here" / found.folder.name)
        here.declare(found.planned)
        work(here, Signs(here, None))
        for trial in found.planned.trials:
            assert found.trials[trial.key] == here.read(trial.file)
        for name, value in weights(here.path).items():
            assert torch.equal(value, weights(found.folder)[name]), name
    assert finished(out) == stamps
