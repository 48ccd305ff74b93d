"""What a user names, a run, a checkpoint, an export or the address of a server, as a predictor.

Torch is loaded for a run and a checkpoint alone.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from steadyhand.diffusion.sampling import SolverName
from steadyhand.errors import ConfigurationError
from steadyhand.runtime.card import Provenance, read_provenance, read_spec
from steadyhand.runtime.client import RemotePredictor
from steadyhand.runtime.engine import EnginePredictor
from steadyhand.runtime.engines import load_exported
from steadyhand.runtime.exported import EngineName, is_export, read_export
from steadyhand.runtime.folders import find_policy
from steadyhand.spec import PolicySpec

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.*")
"""Of any kind: that which is none of a server's is told so, and not looked for as a folder."""
TOKEN = "STEADYHAND_TOKEN"
"""The variable of the environment with the token of servers: a word of a command is seen by all."""


SAMPLING = ("solver", "steps", "temperature")
ENGINE = ("engine", "provider", "threads")


@dataclass(frozen=True, kw_only=True)
class Opening:
    """How what is named is opened; what is None is as it was trained or exported."""

    solver: SolverName | None = None
    steps: int | None = None
    temperature: float | None = None
    device: str = "auto"
    """Of a run or checkpoint."""
    engine: EngineName | None = None
    """Of an export, as all below."""
    provider: str | None = None
    threads: int | None = None
    trust_code: bool = False
    batch: int = 1
    """Chunks that are computed together."""

    def predictor(self, name: str | Path) -> EnginePredictor | RemotePredictor:
        """What answers requests as `name` does.

        Raises `CheckpointError` where nothing is there, `PredictorError` where no server is, and
        `ConfigurationError` for settings that it would have to ignore.
        """
        if is_address(name):
            self.refuse_for_server(str(name))
            return remote(str(name))
        if is_export(name):
            self.refuse_for_export(name)
            return load_exported(
                name,
                batch=self.batch,
                engine=self.engine,
                provider=self.provider,
                threads=self.threads,
                trust_code=self.trust_code,
            )
        folder = find_policy(name)
        from steadyhand.policy.card import sampler_of
        from steadyhand.policy.device import choose_device
        from steadyhand.policy.predictor import TorchPredictor
        from steadyhand.policy.storage import load_policy

        sampler = sampler_of(folder, self.solver, self.steps, self.temperature)
        policy = load_policy(folder, sampler=sampler, device=choose_device(self.device))
        return TorchPredictor(policy, batch=self.batch)

    def refuse_for_server(self, name: str) -> None:
        """Raise `ConfigurationError` for what is decided where a policy is served."""
        if given := self._given(*SAMPLING, *ENGINE):
            raise ConfigurationError(
                f"How {name} computes is decided where it is served: steadyhand serve … {given}"
            )

    def _given(self, *names: str) -> str:
        """The first of those settings that is given, as a flag; nothing where none is."""
        given = ((name, getattr(self, name)) for name in names)
        return next((f"--{name} {value}" for name, value in given if value is not None), "")

    def refuse_unused(self, *names: str | Path) -> None:
        """Raise `ConfigurationError` for what is of another kind of policy than any of those named,
        `CheckpointError` where nothing is there.

        Of several, each takes what is for it.
        """
        refused: list[ConfigurationError] = []
        for name in names:
            try:
                self._refuse_unused(name)
            except ConfigurationError as error:
                refused.append(error)
        if refused and len(refused) == len(names):
            raise refused[0]

    def _refuse_unused(self, name: str | Path) -> None:
        if is_address(name):
            return
        if is_export(name):
            if self.device != "auto":
                raise ConfigurationError(
                    f"{name} is an export, whose engine says where it computes: --provider, not "
                    f"--device {self.device}"
                )
            return
        if given := self._given(*ENGINE):
            find_policy(name)
            raise ConfigurationError(
                f"{given} is of an export, and {name} is a run: steadyhand export {name} --to "
                "onnx, or leave it out."
            )

    def refuse_for_export(self, name: str | Path) -> None:
        """Raise `ConfigurationError` for what is part of an export's graph."""
        if given := self._given(*SAMPLING):
            raise ConfigurationError(
                f"How {name} samples is part of it: {given} is chosen where a run is exported, "
                f"steadyhand export RUN {given}"
            )


def is_address(name: str | Path) -> bool:
    """Whether that is an address, and no folder."""
    return ADDRESS.fullmatch(str(name)) is not None


def remote(address: str) -> RemotePredictor:
    """The policy at an address, with the environment's token."""
    return RemotePredictor(address, token=os.environ.get(TOKEN))


def described(name: str | Path) -> tuple[PolicySpec, Provenance]:
    """What goes into the policy that is named and comes out, and where it is from.

    Nothing is built. Raises `CheckpointError` where nothing is there, `PredictorError` where no
    server is.
    """
    if is_address(name):
        server = remote(str(name))
        server.close()
        said = server.greeting
        return said.spec, Provenance(task=said.task, seed=said.seed, step=said.step)
    if is_export(name):
        export = read_export(name)
        return export.spec, export.provenance
    folder = find_policy(name)
    return read_spec(folder), read_provenance(folder)
