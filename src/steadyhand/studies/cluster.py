"""Runs on a Ray cluster: each is a task, which Ray gives to a node that has the cores and the GPU.

The folder lies where every node sees it, and the worker is the same as on one machine: so are the
numbers. What is lost with a node is tried again on another, and goes on from the folder.
"""

import os
import socket
import time
from pathlib import Path
from typing import Any, Self

from steadyhand.errors import UsageError, library
from steadyhand.evaluation.hosts import cores
from steadyhand.policy.device import choose_device
from steadyhand.runtime.card import library_version
from steadyhand.studies.folder import BEGINNING, TRAINED, RunFolder
from steadyhand.studies.node import Lost, work_here
from steadyhand.studies.plan import PlannedRun
from steadyhand.studies.process import STOP_SECONDS, say

MOST = 1000
"""Runs that are handed to Ray at once: the rest wait here."""
TRIES = 5
"""How often a run is begun again whose node or process was lost."""
REACHED_SECONDS = 5.0
COUNTED_SECONDS = 2.0
"""How often it is asked what a cluster has, which grows and shrinks."""
SEEN_SECONDS = 60.0
"""How long what another machine wrote may take to be seen by this one."""
ALL = "Every node has to see that folder under the same path, as on NFS: name one with --out."
MEMORY = 100 << 20
"""Bytes that Ray may keep of tasks' answers on this machine: they are a word each."""
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
}
"""Ray reports nothing to anybody, and does not print what it thinks of nodes on standard output."""


class RayCluster:
    """At `address`, as `ray.init` takes it: `auto`, `HOST:PORT`, or `local` to start one here.

    A context: connected inside of it. `workers` runs at once; unless named, what there is room for.
    Raises `MissingExtraError` without Ray, and `UsageError` where the cluster is not reached.
    """

    def __init__(self, address: str, workers: int | None = None) -> None:
        self._address, self._workers = address, workers
        self._jobs: list[_Task] = []
        self._ray: Any = None
        self._ours = False
        self._has: dict[str, float] = {}
        self._counted = -COUNTED_SECONDS

    def __enter__(self) -> Self:
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        self._ray = library("ray")
        if not self._ray.is_initialized():
            _reach(self._address)
            _connect(self._ray, self._address, self._workers)
            self._ours = True
        return self

    def __exit__(self, *_: object) -> None:
        if self._ours:
            self._ray.shutdown()

    def room_for(self, run: PlannedRun) -> bool:
        # The engine asks each job whether it ended, and this for each run that waits.
        self._jobs = [job for job in self._jobs if job.goes_on]
        if len(self._jobs) >= (self._workers or MOST):
            return False
        # Ray keeps whole runs in its queue; one more worker for one of them is for idle cores.
        helps = any(job.run.key == run.key for job in self._jobs)
        return not helps or self._idle(run)

    def _idle(self, run: PlannedRun) -> bool:
        if time.monotonic() - self._counted > COUNTED_SECONDS:
            self._counted, self._has = time.monotonic(), self._ray.cluster_resources()
        taken = [_needs(job.run) for job in self._jobs]
        every = [*taken, _needs(run)]
        return all(
            sum(needs[kind] for needs in every) <= self._has.get(kind, 0) for kind in every[0]
        )

    def submit(self, run: PlannedRun, folder: RunFolder) -> "_Task":
        needs = _needs(run)
        if folder.progress.doing == BEGINNING:  # which it does once Ray has room
            folder.tell(folder.share, "")
        task = self._ray.remote(work_here).options(
            name=run.name,
            num_cpus=needs["CPU"],
            num_gpus=needs["GPU"],
            max_retries=TRIES,
            retry_exceptions=[Lost],
        )
        reference = task.remote(
            folder.path.resolve(),
            threads=run.threads,
            gpu=needs["GPU"] > 0,
            directory=Path.cwd(),
            version=library_version(),
        )
        job = _Task(self._ray, reference, run, folder)
        self._jobs.append(job)
        return job


def _needs(run: PlannedRun) -> dict[str, int]:
    """What Ray is to keep free for a run."""
    devices = {run.config.device, *(t.device for t in run.trials if t.device is not None)}
    on_gpu = any(choose_device(device).type == "cuda" for device in devices)
    return {"CPU": run.threads, "GPU": int(on_gpu)}


class _Task:
    """A run that was handed to Ray."""

    def __init__(self, ray: Any, reference: Any, run: PlannedRun, folder: RunFolder) -> None:
        self.run = run
        self._ray, self._reference, self._folder = ray, reference, folder
        self._files = (TRAINED, *(trial.file for trial in run.trials))
        self._well: bool | None = None
        self._until: float | None = None

    @property
    def goes_on(self) -> bool:
        """Whether it had not ended when that was last asked."""
        return self._well is None

    def ended(self) -> bool | None:
        if self._well is None and self._ray.wait([self._reference], timeout=0)[0]:
            self._well = self._outcome()
        return self._well

    def cancel(self) -> None:
        self._ray.cancel(self._reference)

    def wait(self) -> None:
        try:
            ended, _ = self._ray.wait([self._reference], timeout=STOP_SECONDS + 5)
        except KeyboardInterrupt:
            ended = []
        if not ended:
            self._ray.cancel(self._reference, force=True)
        self._well = False

    def _outcome(self) -> bool | None:
        """Whether it ended well; None while what it wrote may still be on its way here."""
        errors = self._ray.exceptions
        try:
            well, said = self._ray.get(self._reference)
        except errors.TaskCancelledError:
            return False
        except errors.RayError as error:
            words = [line.strip() for line in str(error).splitlines() if line.strip()]
            say(self._folder.path, f"Ray could not do this run: {(words or [repr(error)])[-1]}")
            return False
        if well and not all(self._folder.read(name) is not None for name in self._files):
            self._until = self._until or time.monotonic() + SEEN_SECONDS
            if time.monotonic() < self._until:
                return None
            well, said = (
                False,
                f"A node did this run; nothing of it is in {self._folder.path}. {ALL}",
            )
        if said:
            say(self._folder.path, said)
        return well


def _reach(address: str) -> None:
    """Raise `UsageError` where nobody answers there; Ray itself takes minutes to say so."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon:
        return
    try:
        with socket.create_connection((host.strip("[]"), int(port)), REACHED_SECONDS):
            pass
    except (OSError, ValueError, OverflowError) as error:
        raise _unreached(address, error) from error


def _connect(ray: Any, address: str, workers: int | None) -> None:
    local: dict[str, Any] = {}
    if address == "local":
        local = {"num_cpus": workers or cores(), "include_dashboard": False}
        local["object_store_memory"] = MEMORY
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", **local)
    # Ray ends the process where a cluster does not answer as one.
    except (Exception, SystemExit) as error:
        raise _unreached(address, error) from error


def _unreached(address: str, error: BaseException) -> UsageError:
    said = str(error).strip().partition("\n")[0]
    return UsageError(
        f"No Ray cluster is reached at '{address}' ({said}). Give --ray HOST:PORT of its head, "
        "auto on one of its nodes, or local to start one on this machine; see ray status."
    )
