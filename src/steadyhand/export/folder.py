"""A policy as a folder that an inference engine runs: its graphs, their weights and the card.

The folder is written whole or not at all.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from steadyhand.data.stages import Stage, unseen
from steadyhand.errors import CheckpointError, ConfigurationError
from steadyhand.export.aoti import compile_package
from steadyhand.export.continuing import continuing_graph
from steadyhand.export.graph import Flat, flat_program, wide_chunks
from steadyhand.export.onnx_file import fix_batch, to_onnx, write_models
from steadyhand.export.precision import require_offered, rounded_weights
from steadyhand.policy.continuing import continuing
from steadyhand.policy.policy import Policy, require_policy
from steadyhand.policy.storage import write_folder
from steadyhand.runtime.card import Provenance, library_version
from steadyhand.runtime.continuation import (
    Continuation,
    Guided,
    Inpainted,
    Prefixed,
    WarmStart,
)
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
NAMES: dict[type[Continuation], str] = {
    Guided: "guided",
    Inpainted: "inpainted",
    Prefixed: "prefixed",
    WarmStart: "warm_start",
}
"""What the graph of each way to continue is called."""
Checking = Callable[[Path, Export], Export]
"""What is done with an export before it takes its place: it is looked at, and its card completed.
What it raises leaves nothing behind."""


def write_export(
    policy: Policy,
    folder: str | Path,
    *,
    engine: EngineName = "onnx",
    precision: ExportPrecision = "float32",
    continuations: Sequence[Continuation] | None = None,
    provenance: Provenance | None = None,
    overwrite: bool = False,
    check: Checking = lambda folder, export: export,
    stage: Stage = unseen,
) -> Export:
    """Write `policy` as an export for an engine to a new folder; its card.

    `continuations` are the ways to go on from the last chunk that it has a graph for, `usual_ways`
    by default. With `overwrite` an export that was there is replaced. Raises `ConfigurationError`
    for a policy that is no graph and for a precision that the engine has not, and `CheckpointError`
    where the folder is in use or cannot be written.
    """
    require_policy("An export", policy)
    folder = Path(folder)
    require_offered(engine, precision)
    _require_numbers(policy, engine)
    if not overwrite and (folder / CARD).exists():
        raise CheckpointError(
            f"{folder} holds an export already, and is left as it is. Name a new folder, or say "
            "that it may be replaced: --overwrite."
        )
    if engine == "aoti" and continuations:
        raise ConfigurationError(
            "An export to aoti begins every chunk anew: leave --continuation out, or take --to "
            "onnx or --to openvino."
        )
    ways = usual_ways(policy) if continuations is None else continuations
    found: list[Export] = []

    def write(target: Path) -> None:
        if engine == "aoti":
            graphs = [_package(policy, target, precision, stage)]
        else:
            graphs = _graphs(policy, target, engine, precision, ways, stage)
        made = described(policy, target, graphs, engine, precision, provenance)
        write_export_card(target, made)
        found.append(check(target, made))
        write_export_card(target, found[0])

    write_folder(folder, write, card=CARD, known=_known, what="an export")
    return found[0]


def usual_ways(policy: Policy) -> list[Continuation]:
    """How an export goes on from the last chunk unless it is said: as the policy was trained, or
    else guided, where it can be."""
    if policy.spec.chunking.prefix:
        return [Prefixed()]
    try:
        continuing(policy, Guided())
    except ConfigurationError:
        return []
    return [Guided()]


def _graphs(
    policy: Policy,
    target: Path,
    engine: EngineName,
    precision: ExportPrecision,
    ways: Sequence[Continuation],
    stage: Stage,
) -> list[Graph]:
    """Write the models of a policy and their weights; what each computes."""
    models: dict[str, Any] = {}
    graphs: list[Graph] = []
    for how in (None, *dict.fromkeys(ways)):
        name = "chunk" if how is None else NAMES[type(how)]
        if f"{name}.onnx" in models:
            raise ConfigurationError(f"An export has one graph that is {name}, not several.")
        flat, batch = Flat(policy, continues=how is not None), None
        with stage(f"tracing {name}", 0):
            if how is None:
                program = flat_program(flat)
            else:
                program, batch = continuing_graph(policy, how)
        with stage(f"making ONNX of {name}", 0):
            model = to_onnx(program, flat.names, batch)
            if rounded_weights(model, precision, engine):
                batch = 1
                fix_batch(model, batch)
        models[f"{name}.onnx"] = model
        graphs.append(Graph(file=f"{name}.onnx", batch=batch, how=how))
    with stage("writing", 0):
        write_models(target, models)
    return graphs


def _package(policy: Policy, target: Path, precision: ExportPrecision, stage: Stage) -> Graph:
    """Compile a policy to machine code, for one chunk at a time."""
    flat = Flat(policy)
    with stage("compiling", 0):
        compile_package(flat, flat.example(1), target / "chunk.pt2", precision)
    return Graph(file="chunk.pt2", batch=1)


def _require_numbers(policy: Policy, engine: EngineName) -> None:
    """Raise `ConfigurationError` where a policy needs float64 and the engine has none."""
    wide = wide_chunks(policy) or any(
        policy.normaliser.far(f.name) for f in policy.spec.observations
    )
    if wide and engine == "openvino":
        raise ConfigurationError(
            "The numbers of this policy lie so far from zero that they need float64, which "
            "OpenVINO has not: --to onnx."
        )


def described(
    policy: Policy,
    folder: Path,
    graphs: Sequence[Graph],
    engine: EngineName,
    precision: ExportPrecision,
    provenance: Provenance | None,
) -> Export:
    """The card of the files in `folder`."""
    spec, sampler, far = policy.spec, policy.sampler, policy.normaliser.far
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
        exact=tuple(dict.fromkeys(f.key for f in spec.observations if far(f.name))),
        told="float64" if wide_chunks(policy) else "float32",
        solver=getattr(sampling, "solver", None),
        steps=getattr(sampler, "steps", 1),
        made_of={
            name: type(part).__name__.removesuffix("Config")
            for name, part in parts.items()
            if part is not None
        },
        parameters=sum(parameter.numel() for parameter in policy.parameters()),
        provenance=_without_places(provenance or Provenance()),
        versions={"steadyhand": library_version(), **_versions()},
    )


def _without_places(origin: Provenance) -> Provenance:
    """Where data lies on this computer is nobody's business who is given the folder."""
    return replace(origin, data=None if origin.data is None else Path(origin.data).name)


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
