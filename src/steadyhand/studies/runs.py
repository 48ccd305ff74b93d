"""The run engine: a list of runs declared up front, each trained and evaluated once.

A run is known by the hash of its configuration and its data. Each is a process of its own with its
threads fixed, several at once; after any interruption the rest is done. What a run does is in
`worker.py`.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from steadyhand.disk import lock, write_json
from steadyhand.errors import CheckpointError, UsageError
from steadyhand.policy.device import choose_device
from steadyhand.runtime.card import library_version
from steadyhand.runtime.codec import encode
from steadyhand.studies.plan import Marks, PlannedRun, in_order

PLAN, TRAINED, PROGRESS, LOG = "plan.json", "trained.json", "progress.json", "log.txt"
POLL_SECONDS = 0.2
STOP_SECONDS = 60.0
"""How long a run that is stopped may take to save what it has."""


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
        return self.folder / "run"


Watch = Callable[[Mapping[str, float]], object]
"""Told now and then how far each run is that is not done: folder → share."""


def do_runs(
    planned: Sequence[PlannedRun],
    out: Path,
    *,
    workers: int | None = None,
    watch: Watch = lambda shares: None,
) -> list[Outcome]:
    """Do what is not done yet of `planned`, in the folder `out`; all outcomes, in that order.

    Each trains on its own `data` and, on the CPU, its own `threads` (one unless named), `workers`
    of them at once: as many as there are cores for, on a GPU one. On Ctrl-C every run is saved, and
    the next call goes on. A run that fails does not stop the others. What another version of this
    library has done is left, and done anew.

    Raises `UsageError` where another process works in `out`, and `CheckpointError`, when all else
    is done, where a run failed.
    """
    marks, runs = Marks(), dict[str, PlannedRun]()
    for run in in_order(planned):
        same = runs.get(run.key(marks), run)
        trials = dict.fromkeys((*same.trials, *run.trials))
        runs[run.key(marks)] = replace(run, trials=tuple(trials))
    with alone(out):
        for run in runs.values():
            _declare(run, out, marks)
        waiting = [(r, key) for key, r in runs.items() if outcome(r, out, marks) is None]
        failed = _work(waiting, out, marks, workers or _workers(planned), watch)
    if failed:
        raise CheckpointError(
            f"{len(failed)} of {len(runs)} runs failed: {', '.join(failed)}. The reason is at "
            f"the end of {out / failed[0] / LOG}: {_last_line(out / failed[0] / LOG)} What was "
            "done is kept; the same command tries again."
        )
    found = [outcome(run, out, marks) for run in planned]
    done = [one for one in found if one is not None]
    assert len(done) == len(found), "what did not fail has an outcome"
    return done


def unfinished(planned: Sequence[PlannedRun], out: Path) -> dict[str, float]:
    """The runs that are not done, teachers among them, and how far each is: folder → share."""
    marks = Marks()
    return {
        run.key(marks): _share(out / run.key(marks))
        for run in in_order(planned)
        if outcome(run, out, marks) is None
    }


def of_other_versions(out: Path) -> int:
    """How many runs in `out` were declared by another version of this library."""
    plans = (read_json(path) for path in out.glob(f"*/{PLAN}"))
    known = (plan.get("library") for plan in plans if isinstance(plan, dict))
    return sum(version != library_version() for version in known)


def outcome(run: PlannedRun, out: Path, marks: Marks) -> Outcome | None:
    """What came of a run; None where something of it is still to be done."""
    folder = out / run.key(marks)
    trained = read_json(folder / TRAINED)
    trials = {trial.key: read_json(folder / f"{trial.key}.json") for trial in run.trials}
    if trained is None or None in trials.values():
        return None
    if run.distilled_from is not None:
        taught = outcome(run.distilled_from, out, marks)
        if taught is None:
            return None
        trained["minutes"] += taught.minutes
    return Outcome(run, folder, **trained, trials=trials)


def _work(
    waiting: list[tuple[PlannedRun, str]],
    out: Path,
    marks: Marks,
    workers: int,
    watch: Watch,
) -> list[str]:
    """Do all that waits; the folders of those that failed."""
    waiting, running, failed = list(waiting), dict[str, subprocess.Popen[bytes]](), list[str]()
    left = {key for _, key in waiting}
    try:
        while waiting or running:
            for run, key in list(waiting):
                teacher = run.distilled_from
                needed = None if teacher is None else teacher.key(marks)
                if len(running) == workers:
                    break
                if needed in failed:
                    waiting.remove((run, key))
                    failed.append(key)
                elif needed is None or needed not in left:
                    waiting.remove((run, key))
                    running[key] = _start(out / key, run.config.threads or 1)
            time.sleep(POLL_SECONDS)
            for key, process in list(running.items()):
                if process.poll() is not None:
                    del running[key]
                    left.discard(key)
                    if process.returncode:
                        failed.append(key)
            watch({key: _share(out / key) for key in left})
    finally:
        _stop(running.values())
    return failed


def _start(folder: Path, threads: int) -> subprocess.Popen[bytes]:
    """The run in `folder` as a process of its own, which Ctrl-C reaches through this one alone."""
    count = str(threads)
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    with (folder / LOG).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "steadyhand.studies.worker", str(folder), str(os.getpid())],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _stop(processes: Any) -> None:
    """Let the runs that are left save what they have, and end."""
    for process in processes:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
    for process in processes:
        try:
            process.wait(STOP_SECONDS)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.kill()


def _declare(run: PlannedRun, out: Path, marks: Marks) -> None:
    """Write what the worker is to do."""
    folder = out / run.key(marks)
    config = replace(run.config, threads=run.config.threads or 1)
    if run.distilled_from is not None:
        teacher = (out / run.distilled_from.key(marks) / "run").resolve()
        config = replace(config, teacher=teacher)
    plan = {
        "config": encode(config),
        "trials": [encode(trial) for trial in run.trials],
        "library": library_version(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / PLAN, plan)
    except OSError as error:
        raise CheckpointError(
            f"{folder} cannot be made ({error}). Choose another --out."
        ) from error


def read_json(path: Path) -> Any:
    """What is in the file; None where there is none, or it is damaged and has to be made again."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None


def _share(folder: Path) -> float:
    return float(read_json(folder / PROGRESS) or 0.0)


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines() if path.exists() else []
    return lines[-1] if lines else "it said nothing."


def _workers(planned: Sequence[PlannedRun]) -> int:
    devices = {choose_device(run.config.device).type for run in planned}
    if devices != {"cpu"}:
        return 1
    # Not every system says which cores are ours.
    ours = getattr(os, "sched_getaffinity", None)
    cores = len(ours(0)) if ours is not None else os.cpu_count() or 1
    return max(1, cores // max(run.config.threads or 1 for run in planned))


@contextmanager
def alone(out: Path) -> Generator[None]:
    """Make the folder and keep other engines out of it.

    Raises `UsageError` where one is in it, and `CheckpointError` where it cannot be made.
    """
    try:
        held = lock(out / ".lock")
    except BlockingIOError:
        raise UsageError(
            f"Another process works in {out}. Wait for it, stop it, or choose another --out."
        ) from None
    except OSError as error:
        raise CheckpointError(f"{out} cannot be made ({error}). Choose another --out.") from error
    with held:
        yield
