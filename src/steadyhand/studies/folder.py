"""The folder of a run: what was declared, how far it is, and what came of it.

The engine declares, a worker fills it in, and whoever starts workers needs to know nothing else.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from steadyhand.disk import read_json, write_json
from steadyhand.runtime.card import library_version
from steadyhand.runtime.codec import decode, encode
from steadyhand.studies.plan import PlannedRun, Trial
from steadyhand.training.config import TrainConfig

PLAN, PROGRESS = "plan.json", "progress.json"
SPENT = "spent.json"
"""Seconds of training, over all interruptions."""
TRAINED = "trained.json"
"""{"steps", "minutes", "parameters"}, once all steps are done."""


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What a worker is to do."""

    config: TrainConfig
    fingerprint: str
    """Of the demonstrations."""
    trials: tuple[Trial, ...]
    library: str


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
        return self.path / "log.txt"

    @property
    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").split("\n") if self.log.exists() else []
        return next((line for line in reversed(lines) if line.strip()), "it said nothing.")

    @property
    def share(self) -> float:
        """How much of it is done, 0 to 1."""
        return float(self.read(PROGRESS) or 0.0)

    def declare(self, run: PlannedRun) -> None:
        """Write what is to be done."""
        config = replace(run.config, threads=run.threads)
        if run.distilled_from is not None:
            teacher = RunFolder(self.path.parent / run.distilled_from.key)
            config = replace(config, teacher=teacher.policy.resolve())
        declared = Declared(
            config=config, fingerprint=run.fingerprint, trials=run.trials, library=library_version()
        )
        self.path.mkdir(parents=True, exist_ok=True)
        self.write(PLAN, encode(declared))

    def declared(self) -> Declared:
        """What was declared. Raises `CheckpointError` where another version has declared it."""
        return decode(Declared, self.read(PLAN), str(self.path / PLAN))

    def read(self, name: str) -> Any:
        """What is in a file; None where there is none, or it is damaged: it is to be made again."""
        with suppress(FileNotFoundError, ValueError):
            return read_json(self.path / name)

    def write(self, name: str, content: Any) -> None:
        """Whole or not at all, also where the power fails."""
        write_json(self.path / name, content)
