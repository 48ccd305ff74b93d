"""A policy as a folder that an inference engine runs: its graphs, their weights and the card.

The folder is written whole or not at all.
"""

from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from steadyhand.data.stages import Stage, unseen
from steadyhand.errors import CheckpointError
from steadyhand.export.graph import Flat, flat_program, wide_chunks
from steadyhand.export.onnx_file import to_onnx, write_models
from steadyhand.policy.policy import Policy, require_policy
from steadyhand.policy.storage import write_folder
from steadyhand.runtime.card import Provenance, library_version
from steadyhand.runtime.exported import (
    CARD,
    NAME,
    EngineName,
    Export,
    ExportedFile,
    ExportPrecision,
    Graph,
    sha256_of,
    write_export_card,
)

MADE_WITH = ("torch", "onnxscript", "onnx")
"""Packages whose versions the card tells."""
Checking = Callable[[Path, Export], Export]
"""What is done with an export before it takes its place: it is looked at, and its card completed.
What it raises leaves nothing behind."""


def write_export(
    policy: Policy,
    folder: str | Path,
    *,
    engine: EngineName = "onnx",
    precision: ExportPrecision = "float32",
    provenance: Provenance | None = None,
    overwrite: bool = False,
    check: Checking = lambda folder, export: export,
    stage: Stage = unseen,
) -> Export:
    """Write `policy` as an export for an engine to a new folder; its card.

    With `overwrite` an export that was there is replaced. Raises `ConfigurationError` for a policy
    that is no graph and for a precision that the engine has not, and `CheckpointError` where the
    folder is in use or cannot be written.
    """
    require_policy("An export", policy)
    folder = Path(folder)
    if not overwrite and (folder / CARD).exists():
        raise CheckpointError(
            f"{folder} holds an export already, and is left as it is. Name a new folder, or say "
            "that it may be replaced: --overwrite."
        )
    graphs, models = _models(policy, stage)

    def write(target: Path) -> None:
        with stage("writing", 0):
            write_models(target, models)
            made = described(policy, target, graphs, engine, precision, provenance)
            write_export_card(target, made)
        found.append(check(target, made))
        write_export_card(target, found[0])

    found: list[Export] = []
    write_folder(folder, write, card=CARD, known=_known, what="an export")
    return found[0]


def _models(policy: Policy, stage: Stage) -> tuple[list[Graph], dict[str, Any]]:
    """The graphs of a policy, and the model of each by its file's name."""
    with stage("tracing the policy", 0):
        flat = Flat(policy)
        program = flat_program(flat)
    with stage("writing it as ONNX", 0):
        return [Graph(file="chunk.onnx")], {"chunk.onnx": to_onnx(program, flat.names, None)}


def described(
    policy: Policy,
    folder: Path,
    graphs: Sequence[Graph],
    engine: EngineName,
    precision: ExportPrecision,
    provenance: Provenance | None,
) -> Export:
    """The card of the files in `folder`."""
    spec, sampler = policy.spec, policy.sampler
    sampling = getattr(policy.config, "sampler", None)
    parts = {name: getattr(policy.config, name, None) for name in ("encoder", "denoiser")}
    parts["process"] = getattr(policy.config, "process", sampler)
    return Export(
        engine=engine,
        precision=precision,
        spec=spec,
        graphs=tuple(graphs),
        files=tuple(
            ExportedFile(name=path.name, bytes=path.stat().st_size, sha256=sha256_of(path))
            for path in sorted(folder.iterdir())
            if NAME.fullmatch(path.name)
        ),
        noise_rows=policy.noise_rows,
        exact=tuple(
            dict.fromkeys(f.key for f in spec.observations if policy.normaliser.far(f.name))
        ),
        told="float64" if wide_chunks(policy) else "float32",
        solver=getattr(sampling, "solver", None),
        steps=getattr(sampler, "steps", 1),
        made_of={
            name: type(part).__name__.removesuffix("Config")
            for name, part in parts.items()
            if part is not None
        },
        parameters=sum(parameter.numel() for parameter in policy.parameters()),
        provenance=provenance or Provenance(),
        versions={"steadyhand": library_version(), **_versions()},
    )


def _versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for package in MADE_WITH:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _known(name: str) -> bool:
    return name == CARD or NAME.fullmatch(name) is not None
