"""Turns a dataclass and the words of a command line into options, or into one clear message.

What was wrong is said in tyro's own words, out of its box; the next step is added.
"""

import contextlib
import io
import itertools
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields
from inspect import get_annotations
from typing import TYPE_CHECKING, Any, TypeVar, dataclass_transform

import tyro

from steadyhand.diffusion.sampling import SolverName
from steadyhand.errors import SteadyhandError, UsageError, unknown
from steadyhand.policy.named import Opening
from steadyhand.runtime.exported import EngineName
from steadyhand.values import whole

if TYPE_CHECKING:
    from steadyhand.studies.executor import Executor

T = TypeVar("T")
KINDS = {"INT": "a whole number", "FLOAT": "a number"}
OPTION_FOLLOWS = ("Argument helptext:", "Perhaps you meant:")
"""What stands in tyro's complaint before an option and what it takes."""


@dataclass_transform(kw_only_default=True, frozen_default=True)
def flags(kind: type[T]) -> type[T]:
    """A class with a flag a field: help tells its own first, then those it shares with others."""
    made: Any = dataclass(frozen=True, kw_only=True)(kind)
    names = [name for part in kind.__mro__ for name in get_annotations(part)]
    made.__dataclass_fields__ = {name: made.__dataclass_fields__[name] for name in names}
    return made


@flags
class Sampled:
    solver: SolverName | None = None
    """Another solver than the policy's own, where its process allows it."""
    steps: int | None = None
    """Another number of network calls a chunk."""
    temperature: float | None = None
    """Another scale of the first noise; below 1 chunks are likelier and less diverse."""


@flags
class OnDevice:
    device: str = "auto"
    """cpu, cuda, mps, or auto."""


@flags
class Opened(Sampled, OnDevice):
    engine: EngineName | None = None
    """What runs an export: the engine that it was exported for by default."""
    provider: str | None = None
    """Where an engine computes, in its own words, as CUDAExecutionProvider or GPU."""
    threads: int | None = None
    """Threads of an engine; 1 by default, which leaves the other cores to the loop."""
    trust_code: bool = False
    """Load an export that is machine code (aoti), which can do whatever you can."""

    @property
    def opening(self) -> Opening:
        """How a policy that is named is opened."""
        return Opening(**{field.name: getattr(self, field.name) for field in fields(Opened)})


@flags
class Printed:
    json: bool = False
    """Print one JSON object on standard output."""


@flags
class Spread:
    workers: int | None = None
    """Runs at once; one a core by default, and one on a GPU."""
    threads: int = 1
    """Threads of each run; another number makes other runs."""
    ray: str | None = None
    """Do the runs on a Ray cluster: HOST:PORT of its head, auto on one of its nodes, or local to
    start one here. Every node has to see --out and the data under the same path."""

    def __post_init__(self) -> None:
        for name in ("threads", "workers"):
            if (value := getattr(self, name)) is not None:
                whole(f"--{name}", value)

    def executor(self) -> "AbstractContextManager[Executor]":
        """Who does the runs, as long as the context lasts.

        Raises `UsageError` where a cluster is not reached, and `MissingExtraError` without Ray.
        """
        if self.ray is not None:
            from steadyhand.studies.cluster import RayCluster

            return RayCluster(self.ray, self.workers)
        from steadyhand.studies.executor import LocalProcesses

        return nullcontext(LocalProcesses(self.workers))


def parse(
    kind: type[T],
    verb: str,
    arguments: Sequence[str],
    *,
    description: str | None = None,
    default: Any = tyro.MISSING_NONPROP,
) -> T:
    """Options of type `kind`. `--help` prints and exits with 0; a mistake raises `UsageError`.

    What help says first is the docstring of `kind` unless it is given. A value that the
    configuration itself refuses is a `ConfigurationError` in its own words.
    """
    with contextlib.ExitStack() as stack:
        asks_help = "--help" in arguments or "-h" in arguments
        printed = io.StringIO() if asks_help else stack.enter_context(_printed())
        try:
            return tyro.cli(
                kind,
                args=list(arguments),
                prog=f"steadyhand {verb}",
                description=description,
                default=default,
                config=(tyro.conf.AvoidSubcommands, tyro.conf.FlagCreatePairsOff),
            )
        except SystemExit as stop:
            if stop.code in (0, None):
                sys.exit(0)
            refused: BaseException | None = stop
            while refused := refused.__context__:
                if isinstance(refused, SteadyhandError):
                    raise refused from None
            said = _said(printed.getvalue())
    raise UsageError(f"{said}{'' if said[-1] in '.?' else '.'} See steadyhand {verb} --help.")


def _said(box: str) -> str:
    """tyro's complaint without its box, title and footer, and what it would have taken."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", box)
    lines = [line.strip("╭╮╰╯│─ ") for line in plain.splitlines()[1:]]
    parts = itertools.groupby(lines, key=lambda line: bool(line.strip("-")))
    first, *more = [list(part) for full, part in parts if full]
    said = " ".join(first).replace(" (required)", "")
    known = next((part[1] for part in more if part[0] in OPTION_FOLLOWS), "")
    option, _, takes = known.partition(" ")
    if said.startswith("invalid choice '") and "' for argument '" in said:
        value, _, rest = said.removeprefix("invalid choice '").rpartition("' for argument '")
        chosen, _, choices = rest.partition("'. ")
        return unknown(chosen, value, {*re.findall("'(.*?)'", choices)} - {"None"})
    if said.startswith("Unrecognized options: --map"):
        return "A map is read by convert alone, which makes a set of it: convert SET OUT --map MAP"
    if said.startswith("Unrecognized options: ") and option:
        return f"{said}. Did you mean {option}?"
    if said.startswith("Missing value for argument '") and "'-" not in said:
        return f"{said} It is given without a name."
    if said.startswith("Error parsing ") and takes:
        takes = takes.removeprefix("{None}|")
        return f"{option} takes {KINDS.get(takes, takes)}: {said.partition(': ')[2]}"
    return said


@contextlib.contextmanager
def _printed() -> Iterator[io.StringIO]:
    """What is printed inside, on a screen so wide that no complaint is broken into lines."""
    printed, before = io.StringIO(), os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "2000"
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            yield printed
    finally:
        os.environ.pop("COLUMNS")
        if before is not None:
            os.environ["COLUMNS"] = before
