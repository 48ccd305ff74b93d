"""A run on disk: `config.json`, `log.jsonl`, `checkpoints/<step>/` and the links `last`, `best`.

Each checkpoint is a whole policy (its averaged weights). The newest also holds what resuming
needs; it is written before the older one gives up its own, so that a kill at any moment leaves
one of the two whole.
"""

import math
import os
import re
import shutil
from contextlib import ExitStack
from pathlib import Path

from torch import Tensor

from steadyhand.disk import inside, lock, read_object, require_room, write_json
from steadyhand.errors import CheckpointError, UsageError
from steadyhand.policy.policy import Policy
from steadyhand.policy.storage import put_back, save_policy
from steadyhand.policy.weights import read_tensors
from steadyhand.runtime.card import Provenance, read_provenance
from steadyhand.runtime.codec import decode, encode
from steadyhand.runtime.folders import CARD, refuse_export
from steadyhand.training.config import TrainConfig

STATE = "train_state"
KEEP = 10
_STEP = re.compile("[0-9]{8}|[1-9][0-9]{8,15}")
FIGURES = {"score": -1.0, "validation_loss": 1.0}
"""What checkpoints are judged by, the first where there are both; -1 where more is better."""


class Run:
    """The folder of one training run."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.checkpoints = self.path / "checkpoints"
        self.log = self.path / "log.jsonl"

    @property
    def exists(self) -> bool:
        return (self.path / "config.json").exists()

    def require_free(self) -> None:
        """Raise `UsageError` where the folder holds something, `CheckpointError` where none can be.

        What a run that was killed while it was being made leaves behind does not count, nor what
        a file manager hides there.
        """
        held = [self.path]
        if self.path.is_dir():
            held = [p for p in self.path.glob("[!.]*") if p != self.checkpoints]
        if self.path.exists() and (held or any(self.checkpoints.glob("*"))):
            go_on = (
                f"Continue that run with steadyhand train --resume --out {self.path} (resume=True "
                "in Python), or choose"
            )
            raise UsageError(
                f"{self.path} already holds something. "
                f"{go_on if self.exists else 'Choose'} another --out."
            )
        try:
            require_room(self.path)
        except OSError as error:
            raise self._unmade(error) from error

    def lock(self) -> ExitStack:
        """Make the folder, and keep other processes out until it is closed, or this one ends.

        Raises `UsageError` where another has it, and `CheckpointError` where it cannot be made.
        """
        try:
            return lock(self.path / ".lock")
        except BlockingIOError:
            raise UsageError(
                f"Another process is training in {self.path}. Wait for it, stop it, or choose "
                "another --out."
            ) from None
        except OSError as error:
            raise self._unmade(error) from error

    def create(self, config: TrainConfig) -> None:
        """Make the run; whoever does has the lock. Raises as `require_free` and `lock` do."""
        self.require_free()
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            write_json(self.path / "config.json", encode(config))
        except OSError as error:
            raise self._unmade(error) from error

    def _unmade(self, error: OSError) -> CheckpointError:
        return CheckpointError(f"{self.path} cannot be made ({error}). Choose another --out.")

    def read_config(self) -> TrainConfig:
        """The configuration this run was started with, its number of steps fixed."""
        try:
            content = read_object(inside(self.path, "config.json"))
        except (FileNotFoundError, NotADirectoryError):
            refuse_export(self.path)
            raise CheckpointError(
                f"{self.path} is not a run: it has no config.json. Name the folder that "
                "`steadyhand train --out` made."
            ) from None
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"{self.path}/config.json is damaged ({error}), and without it the run cannot go "
                "on. Its checkpoints can still be evaluated; start a new run with another --out."
            ) from error
        return decode(TrainConfig, content, f"{self.path}/config.json")

    def steps_saved(self) -> list[int]:
        """Steps of the whole checkpoints, ascending: folders of its own, named as in `folder`."""
        try:
            place = inside(self.path, "checkpoints")
        except ValueError as error:
            raise CheckpointError(f"{self.path}: {error}. Name a checkpoint itself.") from error
        named = (p for p in (place.iterdir() if place.is_dir() else ()) if _STEP.fullmatch(p.name))
        return sorted(int(p.name) for p in named if not p.is_symlink() and (p / CARD).exists())

    def folder(self, step: int) -> Path:
        return self.checkpoints / f"{step:08d}"

    def save(
        self,
        step: int,
        policy: Policy,
        provenance: Provenance,
        state: dict[str, Tensor],
    ) -> Path:
        """Write the checkpoint of `step`, point `last` to it and drop what is no longer kept."""
        folder = self.folder(step)
        save_policy(folder, policy, provenance, overwrite=True, extra={STATE: state})
        self.tidy(step)
        return folder

    def tidy(self, newest: int) -> None:
        """Point `last` to the checkpoint of that step and `best` to the best; drop the others.

        All of it follows from the checkpoints that are there, so it can be done again whenever a
        kill came in between.
        """
        saved, bests = self.steps_saved(), self.bests()
        kept = {newest, *saved[-KEEP:], *bests.values()}
        try:
            self.link("last", self.folder(newest))
            if bests:
                self.link("best", self.folder(next(iter(bests.values()))))
            for step in saved:
                if step != newest:
                    (self.folder(step) / f"{STATE}.safetensors").unlink(missing_ok=True)
                if step not in kept:
                    shutil.rmtree(self.folder(step))
        except OSError as error:
            raise CheckpointError(f"{self.path} cannot be written ({error}).") from error

    def bests(self) -> dict[str, int]:
        """The step of the best checkpoint by each figure that was taken: highest score, lowest
        validation loss. First comes what the newest checkpoint with a figure was judged by.
        """
        judged = {step: self._figures(step) for step in self.steps_saved()}
        newest = next((found for found in reversed(judged.values()) if found), {})
        bests: dict[str, int] = {}
        for name in sorted(FIGURES, key=lambda name: name not in newest):
            ranks = {s: FIGURES[name] * found[name] for s, found in judged.items() if name in found}
            if ranks:
                bests[name] = min(ranks, key=lambda step: ranks[step])
        return bests

    def _figures(self, step: int) -> dict[str, float]:
        """What the checkpoint of that step was judged by, as far as it is a number."""
        try:
            details = read_provenance(self.folder(step)).details
            values = {name: float(details[name]) for name in FIGURES if name in details}
        except (CheckpointError, TypeError, ValueError):
            return {}
        return {name: value for name, value in values.items() if math.isfinite(value)}

    def resumable(self) -> tuple[int, dict[str, Tensor], dict[str, Tensor]] | None:
        """(step, averaged weights, training state) of the newest whole checkpoint."""
        for partial in self.checkpoints.glob(".*.partial"):
            put_back(self.checkpoints / partial.name.split(".")[1])
            shutil.rmtree(partial, ignore_errors=True)
        step = self.resume_step()
        if step is None:
            return None
        folder = self.folder(step)
        weights = read_tensors(folder / "policy.safetensors")
        return step, weights, read_tensors(folder / f"{STATE}.safetensors")

    def resume_step(self) -> int | None:
        """The step of the newest checkpoint that can be resumed from."""
        saved = reversed(self.steps_saved())
        return next((s for s in saved if (self.folder(s) / f"{STATE}.safetensors").exists()), None)

    def link(self, name: str, folder: Path) -> None:
        """Point `name` to a checkpoint, in one atomic step."""
        partial = self.path / f".{name}.partial"
        partial.unlink(missing_ok=True)
        partial.symlink_to(folder.relative_to(self.path))
        partial.replace(self.path / name)

    def resolve(self, name: str) -> Path | None:
        link = self.path / name
        return self.path / os.readlink(link) if link.is_symlink() else None
