"""The folder of a run: what was declared, how far it is, and what came of it.

The engine declares, a worker fills it in, and whoever starts workers needs to know nothing else.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.disk import read_json, write_json, written_whole
from steadyhand.errors import SteadyhandError
from steadyhand.runtime.card import library_version
from steadyhand.runtime.codec import decode, encode
from steadyhand.studies.plan import PlannedRun, Trial
from steadyhand.studies.process import LOG
from steadyhand.tasks.own import mark_of
from steadyhand.training.config import TrainConfig

PLAN, PROGRESS = "plan.json", "progress.json"
BEGINNING = "beginning"
"""What is said of a run that was submitted, until it tells more."""
SPENT = "spent.json"
"""Seconds of training, over all interruptions."""
TRAINED = "trained.json"
"""{"steps", "minutes", "parameters"}, once all steps are done."""
SUMMARY = ("steps", "minutes", "parameters")
TRAINING = 10
"""Training is taken for as long as so many trials."""


@dataclass(frozen=True, kw_only=True)
class OwnTask:
    """A task in a user's file, which they named in the call that declared the run."""

    name: str
    mark: str
    """Of what the file held then."""


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What a worker is to do."""

    config: TrainConfig
    fingerprint: str
    """Of the demonstrations."""
    trials: tuple[Trial, ...]
    library: str
    own: tuple[OwnTask, ...] = ()
    """What a worker may run, and does before all else."""


@dataclass(frozen=True)
class Progress:
    """How far a run is."""

    share: float = 0.0
    """How much of it is done, 0 to 1."""
    doing: str = ""
    """What is being done of it, in words; nothing while nobody works at it."""


def done_share(trained: float, tried: int, trials: int) -> float:
    """How much of a run is done, with a share of its steps and some of its trials."""
    return (TRAINING * trained + tried) / (TRAINING + trials)


@dataclass(frozen=True)
class RunFolder:
    """Its files are written whole; one that is damaged counts as not there, and is redone."""

    path: Path

    @property
    def policy(self) -> Path:
        """The run as `steadyhand train` writes one."""
        return self.path / "run"

    @property
    def log(self) -> Path:
        """What the worker said."""
        return self.path / LOG

    @property
    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").split("\n") if self.log.exists() else []
        return next((line for line in reversed(lines) if line.strip()), "it said nothing.")

    @property
    def progress(self) -> Progress:
        """What was told last, whoever told it."""
        try:
            return decode(Progress, self.read(PROGRESS), PROGRESS)
        except SteadyhandError:
            return Progress()

    def tell(self, share: float, doing: str) -> None:
        """Say how far the run is. Where it cannot be said, the work goes on all the same."""
        with suppress(OSError):
            self.write(PROGRESS, encode(Progress(share, doing)))

    @property
    def share(self) -> float:
        """How much of it is done, 0 to 1."""
        return self.progress.share

    def declare(self, run: PlannedRun) -> None:
        """Write what is to be done."""
        config = replace(run.config, threads=run.threads)
        if run.distilled_from is not None:
            teacher = RunFolder(self.path.parent / run.distilled_from.key)
            config = replace(config, teacher=teacher.policy.resolve())
        declared = Declared(
            config=config,
            fingerprint=run.fingerprint,
            trials=run.trials,
            library=library_version(),
            own=_own([run.config.task, *(trial.task for trial in run.trials)]),
        )
        self.path.mkdir(parents=True, exist_ok=True)
        self.write(PLAN, encode(declared))

    def declared(self) -> Declared:
        """What was declared. Raises `CheckpointError` where another version has declared it."""
        return decode(Declared, self.read(PLAN), str(self.path / PLAN))

    def untried(self, trials: Iterable[Trial]) -> list[Trial]:
        """Those of which nothing is kept yet."""
        return [trial for trial in trials if self.tried(trial) is None]

    @property
    def trained(self) -> dict[str, Any] | None:
        """What `TRAINED` says; None while that is to be done."""
        found = self.read(TRAINED)
        return {n: found[n] for n in SUMMARY} if _holds(found, SUMMARY, int | float) else None

    def tried(self, trial: Trial) -> dict[str, Any] | None:
        """What is kept of a trial; None where it is to be tried, chunks that it draws among it."""
        found = self.read(trial.file)
        if not _holds(found, ("seeds",), list) or not _holds(found, ("scores", "motion"), dict):
            return None
        return found if trial.samples == 0 or self.read_array(trial.drawn) is not None else None

    def read(self, name: str) -> Any:
        """What is in a file; None where there is none, or it is damaged: it is to be made again."""
        with suppress(FileNotFoundError, ValueError):
            return read_json(self.path / name)

    def write(self, name: str, content: Any) -> None:
        """Whole or not at all, also where the power fails."""
        write_json(self.path / name, content)

    def read_array(self, name: str) -> NDArray[Any] | None:
        """As `read`."""
        with suppress(OSError, ValueError, EOFError):
            return np.load(self.path / name, mmap_mode="r", allow_pickle=False)

    def write_array(self, name: str, content: NDArray[Any]) -> None:
        """As `write`."""
        with written_whole(self.path / name) as partial, partial.open("wb") as file:
            np.save(file, content, allow_pickle=False)


def _holds(found: Any, names: Iterable[str], kind: Any) -> bool:
    return isinstance(found, dict) and all(isinstance(found.get(name), kind) for name in names)


def _own(names: Iterable[str | None]) -> tuple[OwnTask, ...]:
    """Those of the names that are of files. Raises where the user has not named one of them."""
    marks = {name: mark_of(name) for name in names if name is not None}
    return tuple(OwnTask(name=n, mark=mark) for n, mark in marks.items() if mark is not None)
