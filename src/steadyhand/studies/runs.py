"""The run engine: a list of runs declared up front, each trained and evaluated once.

A run is known by the hash of its configuration and its data. Who does it is the executor's
business (`executor.py`), what it does the worker's (`worker.py`); after any interruption the rest
is done.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from steadyhand.disk import lock
from steadyhand.errors import CheckpointError, UsageError
from steadyhand.runtime.card import library_version
from steadyhand.studies.executor import Executor, Job, LocalProcesses
from steadyhand.studies.folder import BEGINNING, PLAN, Progress, RunFolder, done_share
from steadyhand.studies.plan import PlannedRun, in_order

POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Outcome:
    """What came of a run."""

    planned: PlannedRun
    folder: Path
    steps: int
    minutes: float
    """Of training, over all interruptions, and of its teacher's."""
    parameters: int
    trials: Mapping[str, Mapping[str, Any]]
    """By the trial's key: {"seeds": […], "scores": {name: […]}}, an entry an episode."""

    @property
    def policy(self) -> Path:
        return RunFolder(self.folder).policy


Watch = Callable[[Mapping[str, Progress]], object]
"""Told now and then how far each run is that is not done, by its folder."""


def do_runs(
    planned: Sequence[PlannedRun],
    out: Path,
    *,
    executor: Executor | None = None,
    watch: Watch = lambda left: None,
) -> list[Outcome]:
    """Do what is not done yet of `planned`, in the folder `out`; all outcomes, in that order.

    Each trains on its own data and, on the CPU, its own `threads` (one unless named), as many at
    once as the executor has room for: processes of this machine unless another one is given. On
    Ctrl-C every run is saved, and the next call goes on. A run that fails does not stop the others.
    What another version of this library has done is left, and done anew.

    Raises `UsageError` where another process works in `out`, and `CheckpointError`, when all else
    is done, where a run failed.
    """
    runs = _each_once(planned)
    with alone(out):
        for key, run in runs.items():
            RunFolder(out / key).declare(run)
        waiting = {key: run for key, run in runs.items() if outcome(run, out) is None}
        failed = _work(waiting, out, executor or LocalProcesses(), watch)
    if failed:
        first = RunFolder(out / failed[0])
        raise CheckpointError(
            f"{len(failed)} of {len(runs)} runs failed: {', '.join(failed)}. The reason is at "
            f"the end of {first.log}: {first.last_words} What was done is kept; the same command "
            "tries again."
        )
    found = [outcome(run, out) for run in planned]
    done = [one for one in found if one is not None]
    assert len(done) == len(found), "what did not fail has an outcome"
    return done


def do_rows(
    rows: Sequence[Sequence[PlannedRun]],
    out: Path,
    *,
    executor: Executor | None = None,
    watch: Watch = lambda shares: None,
) -> list[list[Outcome]]:
    """The same for runs in rows: the outcomes of each."""
    every = [run for row in rows for run in row]
    outcomes = iter(do_runs(every, out, executor=executor, watch=watch))
    return [list(islice(outcomes, len(row))) for row in rows]


def unfinished(planned: Sequence[PlannedRun], out: Path) -> dict[str, Progress]:
    """The runs that are not done, teachers among them, and how far each is, by its folder."""
    runs = _each_once(planned)
    return {key: Progress(_share(run, out)) for key, run in runs.items() if not outcome(run, out)}


def of_other_versions(out: Path) -> int:
    """How many runs in `out` were declared by another version of this library."""
    plans = [RunFolder(path.parent).read(PLAN) for path in out.glob(f"*/{PLAN}")]
    known = [plan.get("library") for plan in plans if isinstance(plan, dict)]
    return sum(version != library_version() for version in known)


def outcome(run: PlannedRun, out: Path) -> Outcome | None:
    """What came of a run; None where something of it is still to be done."""
    folder = RunFolder(out / run.key)
    trained = folder.trained
    trials = {trial.key: folder.tried(trial) for trial in run.trials}
    tried = {key: result for key, result in trials.items() if result is not None}
    if trained is None or len(tried) < len(trials):
        return None
    if run.distilled_from is not None:
        taught = outcome(run.distilled_from, out)
        if taught is None:
            return None
        trained["minutes"] += taught.minutes
    return Outcome(run, folder.path, **trained, trials=tried)


def _each_once(planned: Sequence[PlannedRun]) -> dict[str, PlannedRun]:
    """By its folder each run, teachers first, with all that it is to be tried in."""
    runs: dict[str, PlannedRun] = {}
    for run in in_order(planned):
        trials = (*runs.get(run.key, run).trials, *run.trials)
        runs[run.key] = replace(run, trials=tuple(dict.fromkeys(trials)))
    return runs


def _share(run: PlannedRun, out: Path) -> float:
    """How much of a run is done: trials may have been added since it was last told."""
    folder, trials = RunFolder(out / run.key), len(run.trials)
    if folder.trained is None:
        return min(folder.progress.share, done_share(1, 0, trials))
    return done_share(1, sum(folder.tried(t) is not None for t in run.trials), trials)


def _work(waiting: dict[str, PlannedRun], out: Path, executor: Executor, watch: Watch) -> list[str]:
    """Do all that waits; the folders of those that failed."""
    jobs, failed, runs, left = dict[str, list[Job]](), list[str](), dict(waiting), set(waiting)
    before = {key: Progress(_share(run, out)) for key, run in waiting.items()}
    try:
        while waiting or jobs:
            for key, run in list(waiting.items()):
                teacher = run.distilled_from and run.distilled_from.key
                if teacher in failed:
                    failed.append(key)
                elif teacher in left or not executor.room_for(run):
                    continue
                else:
                    RunFolder(out / key).tell(before[key].share, BEGINNING)
                    jobs[key] = [executor.submit(run, RunFolder(out / key))]
                del waiting[key]
            if not waiting:
                _help({key: runs[key] for key in jobs}, jobs, out, executor)
            time.sleep(POLL_SECONDS)
            for key, mine in list(jobs.items()):
                ended = [job.ended() for job in mine]
                if None not in ended:
                    del jobs[key]
                    left.discard(key)
                    failed += [] if outcome(runs[key], out) or all(ended) else [key]
            waits = {key: before[key] for key in waiting}
            watch(waits | {key: RunFolder(out / key).progress for key in jobs})
    finally:
        every = [job for mine in jobs.values() for job in mine]
        for job in every:
            job.cancel()
        for job in every:
            job.wait()
    return failed


def _help(
    runs: Mapping[str, PlannedRun], jobs: Mapping[str, list[Job]], out: Path, executor: Executor
) -> None:
    """Where nothing waits and there is room, one more worker for what a trained run is to be tried
    in: workers share that out."""
    for key, run in runs.items():
        folder = RunFolder(out / key)
        if len(run.trials) <= len(jobs[key]) or not executor.room_for(run):
            continue
        if folder.trained is not None and len(folder.untried(run.trials)) > len(jobs[key]):
            jobs[key].append(executor.submit(run, folder))
            return


def alone(out: Path) -> AbstractContextManager[object]:
    """Make the folder, and keep other engines out of it in the context that this gives.

    Raises `UsageError` where one is in it, and `CheckpointError` where it cannot be made.
    """
    try:
        return lock(out / ".lock")
    except BlockingIOError:
        raise UsageError(
            f"Another process works in {out}. Wait for it, stop it, or choose another --out."
        ) from None
    except OSError as error:
        raise CheckpointError(f"{out} cannot be made ({error}). Choose another --out.") from error
