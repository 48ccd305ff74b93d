"""A policy under its name: opened at the sizes of batches it is run at, warmed up, and reloaded.

What is loaded anew takes the old one's place between two batches, if it is a policy for the same
robot; nobody is disconnected.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from steadyhand.errors import CheckpointError, ConfigurationError, UsageError
from steadyhand.policy.named import Opening, described, is_address
from steadyhand.runtime.engine import EnginePredictor
from steadyhand.runtime.exported import CARD as EXPORT_CARD
from steadyhand.runtime.exported import is_export
from steadyhand.runtime.folders import CARD, find_policy
from steadyhand.runtime.predictor import ChunkRequest, Predictor
from steadyhand.spec import TASK, PolicySpec

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
RESERVED = ("healthz", "readyz", "metrics")


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a policy is, and how it is opened."""

    name: str
    """What clients call it: ws://HOST:PORT/NAME."""
    path: str
    opening: Opening
    sizes: tuple[int, ...]

    def predictors(self) -> dict[int, Predictor]:
        """One for each size of a batch, all with one engine, each warmed up.

        Sizes that the engine does not take are left out. Raises what `Opening.predictor` does.
        """
        opened = self.opening.predictor(self.path)
        if not isinstance(opened, EnginePredictor):
            raise UsageError(f"{self.path} is served elsewhere; a run or an export is served here.")
        return warmed(opened, self.sizes)

    def stamp(self) -> tuple[object, ...]:
        """Something that is another where another policy lies there; empty where none does.

        Of every file: one that is copied there may come after the card, which then fits nothing.
        """
        try:
            folder = Path(self.path) if is_export(self.path) else find_policy(self.path)
            (folder / (EXPORT_CARD if is_export(self.path) else CARD)).stat()
            found = {path.name: path.stat() for path in sorted(folder.iterdir()) if path.is_file()}
        except (OSError, CheckpointError):
            return ()
        each = ((name, one.st_mtime_ns, one.st_size, one.st_ino) for name, one in found.items())
        return os.path.realpath(folder), *each


def sources(named: Sequence[str], opening: Opening, sizes: tuple[int, ...]) -> list[Source]:
    """What the command line names, each a path or NAME=PATH. Raises `UsageError`."""
    found: dict[str, Source] = {}
    for given in named:
        name, equals, path = given.partition("=")
        if not equals or Path(given).exists():
            name, path = Path(given).resolve().name, given
        if is_address(path):
            raise UsageError(f"{path} is a server's address; a run or an export is served.")
        if not NAME.fullmatch(name) or name in RESERVED:
            raise UsageError(
                f"'{name}' cannot be part of an address; give {path} another name: first={path}. "
                f"Letters, digits, '.', '_' and '-' are taken, but for {', '.join(RESERVED)}."
            )
        if name in found:
            raise UsageError(
                f"Two policies are called '{name}'; give one another name: {name}-2={path}"
            )
        found[name] = Source(name=name, path=path, opening=opening, sizes=sizes)
    return list(found.values())


def warmed(predictor: EnginePredictor, sizes: Sequence[int]) -> dict[int, Predictor]:
    """The predictor at each of these sizes of a batch, each of which has answered once."""
    found, refused = dict[int, Predictor](), None
    for size in sizes:
        at_size = EnginePredictor(predictor.engine, batch=size, embed=predictor.embed)
        try:
            at_size.predict([nothing_seen(predictor.spec)])
        except ConfigurationError as error:  # a graph of another, fixed size
            refused = error
            continue
        found[size] = at_size
    if not found and predictor.batch not in sizes:
        return warmed(predictor, (predictor.batch,))
    if not found and refused is not None:
        raise refused
    return found


def nothing_seen(spec: PolicySpec) -> ChunkRequest:
    """A request that sees zeros, to warm a policy up."""
    steps = spec.chunking.obs_steps
    seen = {
        f.key: np.zeros((steps, *f.recorded_shape), np.uint8 if f.kind == "image" else np.float32)
        for f in spec.observations
    }
    if spec.tasks is not None:
        seen[TASK] = np.repeat(spec.tasks.array[:1], steps, axis=0)
    return ChunkRequest(observation=seen)


def reloaded(source: Source, spec: PolicySpec) -> dict[int, Predictor]:
    """What lies there now, opened anew.

    Raises `ConfigurationError` where it is a policy for another robot, and what `Opening.predictor`
    does.
    """
    check_same(source, described(source.path)[0], spec)  # before it is loaded
    found = source.predictors()
    check_same(source, next(iter(found.values())).spec, spec)
    return found


def check_same(source: Source, found: PolicySpec, spec: PolicySpec) -> None:
    """Raise `ConfigurationError` where what lies there is a policy for another robot."""
    if found != spec:
        raise ConfigurationError(
            f"What lies at {source.path} now sees or does something else than '{source.name}' "
            "did, and those who are connected to that would not fit. Serve it under another name."
        )
