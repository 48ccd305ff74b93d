"""Who does runs that were declared: starts them, sees them end, stops them.

A run is a folder with a plan; how far it is stands in there, wherever it is done. Here it is done
by processes of this machine, each with its threads fixed.
"""

from pathlib import Path
from typing import Protocol

from steadyhand.evaluation.hosts import cores
from steadyhand.policy.device import choose_device
from steadyhand.studies import process
from steadyhand.studies.folder import RunFolder
from steadyhand.studies.plan import PlannedRun


class Job(Protocol):
    """A run that was submitted."""

    def ended(self) -> bool | None:
        """Whether it ended well; None while it goes on."""
        ...

    def cancel(self) -> None:
        """Ask it to save what it has, and to end."""
        ...

    def wait(self) -> None:
        """Return when it has ended; one that was cancelled and does not is ended by force."""
        ...


class Executor(Protocol):
    """Where runs are done."""

    def room_for(self, run: PlannedRun) -> bool:
        """Whether one more can be begun now."""
        ...

    def submit(self, run: PlannedRun, folder: RunFolder) -> Job:
        """Begin the run that was declared in `folder`."""
        ...


class LocalProcesses:
    """`workers` runs at once, each a process; unless named, one a core, and one on a GPU."""

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers
        self._jobs: list[tuple[PlannedRun, _Process]] = []

    def room_for(self, run: PlannedRun) -> bool:
        self._jobs = [(other, job) for other, job in self._jobs if job.ended() is None]
        if self._workers is not None:
            return len(self._jobs) < self._workers
        runs = [*(other for other, _ in self._jobs), run]
        on_cores = all(choose_device(each.config.device).type == "cpu" for each in runs)
        return len(runs) == 1 or (on_cores and sum(each.threads for each in runs) <= cores())

    def submit(self, run: PlannedRun, folder: RunFolder) -> Job:
        job = _Process(folder.path, run.threads)
        self._jobs.append((run, job))
        return job


class _Process:
    """A worker of this machine."""

    def __init__(self, folder: Path, threads: int) -> None:
        self._folder, self._asked = folder, False
        self._process = process.start(folder, threads)

    def ended(self) -> bool | None:
        status = self._process.poll()
        if status is not None and not self._asked and (said := process.killed_by(status)):
            process.say(self._folder, said)
            self._asked = True
        return None if status is None else status == 0

    def cancel(self) -> None:
        self._asked = True
        process.stop(self._process)

    def wait(self) -> None:
        process.wait(self._process)
