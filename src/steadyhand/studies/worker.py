"""One run of the engine, as a process: `python -m steadyhand.studies.worker FOLDER [PARENT]`.

It trains what the folder's plan says, goes on where it was stopped, and evaluates each trial once.
"""

import errno
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from steadyhand.disk import lock
from steadyhand.errors import ConfigurationError, DataError, SteadyhandError
from steadyhand.studies.folder import SPENT, TRAINED, Declared, RunFolder, done_share
from steadyhand.studies.plan import Trial, demonstrations, fingerprint
from steadyhand.studies.trial import tried
from steadyhand.tasks import register_task
from steadyhand.tasks.own import mark_of
from steadyhand.training.begin import begin
from steadyhand.training.checkpoint import Run
from steadyhand.training.session import Checkpoint, Plan, Step

TOLD_SECONDS = 1.0
STOPPED = 130
FULL = (errno.ENOSPC, errno.EDQUOT)


class Stopped(Exception):
    """Somebody wants this run to end before it is done."""


@dataclass
class Signs:
    """Tells how far it is, and whether to stop: asked to, or with nobody left who asked."""

    folder: RunFolder
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

    def tell(self, share: float, doing: str) -> None:
        now = time.monotonic()
        if now - self.told > TOLD_SECONDS:
            self.told = now
            self.folder.tell(share, doing)


def work(folder: RunFolder, signs: Signs) -> None:
    """Do what is left of the plan. Raises `Stopped` where it is not finished.

    One worker trains; what is tried after that, as many as come share out.
    """
    declared = folder.declared()
    _run_own(declared)
    # A worker of an engine that was killed may still be in it: it ends as soon as it sees that.
    with lock(folder.path / ".worker", wait=True):
        if folder.trained is None:
            _train(folder, declared, signs)
    for wait in (False, True):  # first what nobody is at, then what somebody may have left
        for trial in declared.trials:
            _try(folder, declared, trial, signs, wait=wait)


def _try(folder: RunFolder, declared: Declared, trial: Trial, signs: Signs, *, wait: bool) -> None:
    """Try it, unless that was done, or another worker is at it."""
    left, many = len(folder.untried(declared.trials)), len(declared.trials)
    if folder.tried(trial) is not None:
        return
    taken = folder.path / f".{trial.key}"
    with signs.at_once(), suppress(BlockingIOError), lock(taken, wait=wait):
        if folder.tried(trial) is None:
            signs.tell(done_share(1, many - left, many), f"trying {many - left + 1} of {many}")
            found = tried(folder.policy, declared.config, trial, signs.check)
            if found.drawn is not None:
                folder.write_array(trial.drawn, found.drawn)
            folder.write(trial.file, found.record)
        taken.unlink(missing_ok=True)


def _run_own(declared: Declared) -> None:
    """Run the files that the user named to whoever declared this run, as they were then."""
    for own in declared.own:
        if mark_of(register_task(own.name)) != own.mark:
            raise ConfigurationError(
                f"{own.name} was edited since this run was declared. Give the command again: it "
                "declares a run of what is there now."
            )


def _train(folder: RunFolder, declared: Declared, signs: Signs) -> None:
    _check_data(declared)
    before, done = float(folder.read(SPENT) or 0.0), 0
    session = begin(declared.config, folder.policy, resume=Run(folder.policy).exists)
    with closing(session):
        plan = cast(Plan, next(session))
        begun, all_of_it = time.perf_counter(), plan.config.steps
        for event in session:
            if isinstance(event, Checkpoint):
                folder.write(SPENT, before + time.perf_counter() - begun)
            if isinstance(event, Step):
                done = event.step
                share = done_share(done / all_of_it, 0, len(declared.trials))
                signs.tell(share, f"training {done:,} of {all_of_it:,}")
                if signs.stop:
                    break
    seconds = before + time.perf_counter() - begun
    if 0 < done < all_of_it:
        folder.write(SPENT, seconds)
        raise Stopped
    summary = {"steps": all_of_it, "minutes": seconds / 60, "parameters": plan.parameters}
    folder.write(TRAINED, summary)


def _check_data(declared: Declared) -> None:
    """Raise `DataError` where the demonstrations are not those that the run was declared for."""
    data = declared.config.data
    if fingerprint(demonstrations(declared.config)) != declared.fingerprint:
        raise DataError(
            f"{data} holds other demonstrations than when this run was declared. Put those back, "
            "or give the command again: it declares a run on what is there now.",
            file=data,
        )


def main(words: list[str]) -> int:
    """Work in the folder named; 130 where it was stopped."""
    folder = RunFolder(Path(words[0]))
    signs = Signs(folder, int(words[1]) if len(words) > 1 else None)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signs.ask)
    try:
        work(folder, signs)
    except Stopped:
        return STOPPED
    except SteadyhandError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except OSError as error:
        if error.errno not in FULL:
            raise
        sys.stderr.write(f"The disk of {folder.path} is full ({error.strerror}): make room.\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
