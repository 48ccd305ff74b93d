"""What a user names, a run, a checkpoint, an export or the address of a server, as a predictor.

Torch is loaded for a run and a checkpoint alone.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steadyhand.diffusion.sampling import SolverName
from steadyhand.errors import ConfigurationError
from steadyhand.runtime.card import Provenance, read_provenance, read_spec
from steadyhand.runtime.engine import EnginePredictor
from steadyhand.runtime.engines import load_exported
from steadyhand.runtime.exported import EngineName, is_export, read_export
from steadyhand.runtime.folders import find_policy
from steadyhand.spec import PolicySpec

ADDRESS = re.compile(r"wss?://.+")


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

    def predictor(self, name: str | Path) -> EnginePredictor:
        """What answers requests as `name` does.

        Raises `CheckpointError` where nothing is there, and `ConfigurationError` for settings that
        it would have to ignore.
        """
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

    def refuse_for_export(self, name: str | Path) -> None:
        """Raise `ConfigurationError` for what is part of an export's graph."""
        given: dict[str, Any] = {
            "--solver": self.solver,
            "--steps": self.steps,
            "--temperature": self.temperature,
        }
        for flag, value in given.items():
            if value is not None:
                raise ConfigurationError(
                    f"How {name} samples is part of it: {flag} {value} is chosen where a run is "
                    f"exported, steadyhand export RUN {flag} {value}"
                )


def described(name: str | Path) -> tuple[PolicySpec, Provenance]:
    """What goes into the policy that is named and comes out, and where it is from.

    Nothing is built. Raises `CheckpointError` where nothing is there.
    """
    if is_export(name):
        export = read_export(name)
        return export.spec, export.provenance
    folder = find_policy(name)
    return read_spec(folder), read_provenance(folder)
