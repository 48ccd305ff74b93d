"""What `steadyhand inspect` says of an export: its card, its verification, whether it is whole."""

from pathlib import Path
from typing import Any

from steadyhand.cli.screen import results, show
from steadyhand.feature import told_apart
from steadyhand.runtime.codec import encode
from steadyhand.runtime.exported import (
    FORMAT,
    VERSION,
    Export,
    Graph,
    Verification,
    check_files,
    read_export,
)


def described_export(folder: Path, *, as_json: bool) -> dict[str, Any]:
    """Show what is in an export; what `--json` prints of it.

    Raises `CheckpointError` where it is damaged: files are compared with their checksums, and
    nothing is loaded.
    """
    export = read_export(folder)
    check_files(folder, export)
    spec, origin = export.spec, export.provenance
    size = sum(file.bytes for file in export.files)
    sees = ", ".join(feature.name for feature in spec.observations)
    parts = ", ".join(export.made_of.values()) or "its author's own parts"
    chunking = {key: value for key, value in encode(spec.chunking).items() if key != "type"}
    show(
        results(as_json=as_json),
        f"{folder}: an export to {export.engine} in {export.precision}, {size / 1e6:.1f} MB, of "
        f"{parts}, {export.parameters / 1e6:.1f} M parameters",
        f"sees {sees}; predicts {spec.action.name} {spec.action.shape} in {_calls(export)}",
        *(f"  {feature.name}: {told_apart(feature)}" for feature in spec.depths),
        *(f"  {said}" for said in spec.transform.described if spec.action_parts),
        f"chunking {chunking}",
        f"graphs: {', '.join(map(_graph, export.graphs))}",
        f"trained for {origin.task or 'no task'} on {origin.data or 'data in memory'}, "
        f"step {origin.step}, seed {origin.seed}; made with "
        f"{', '.join(f'{name} {version}' for name, version in export.versions.items())}",
        *_verified(export.verification),
        f"Its {len(export.files)} files are whole.",
    )
    return _as_json(export, size)


def _calls(export: Export) -> str:
    """In how many network calls, by which solver; regression's one call needs none."""
    many = "1 call" if export.steps == 1 else f"{export.steps} calls"
    solved = export.solver is not None and export.made_of.get("process") != "Regression"
    return many + (f" by {export.solver}" if solved else "")


def _graph(graph: Graph) -> str:
    how = "begins anew" if graph.how is None else f"goes on as {graph.how}"
    many = "" if graph.batch is None else f", {graph.batch} at a time"
    return f"{graph.file} ({how}{many})"


def _verified(found: Verification | None) -> list[str]:
    """The record of how it was compared with the original, in words."""
    if found is None:
        return ["It was not compared with the policy that it was made of."]
    said = [
        f"compared with the original on {found.chunks} chunks of {found.observations}: differs by "
        f"{found.largest:.2g} of how far actions go at most (let pass: {found.bound:g}), by "
        f"{found.typical:.2g} typically",
        f"one chunk took {found.exported_ms:.1f} ms, the original {found.original_ms:.1f} ms, both "
        "on one thread, where it was exported",
    ]
    if (paired := found.success) is not None:
        said.append(
            f"success over {paired.episodes} episodes: {paired.exported:.3f}, the original "
            f"{paired.original:.3f}; difference {paired.difference:+.3f} [{paired.low:+.3f}, "
            f"{paired.high:+.3f}]"
        )
    return said


def _as_json(export: Export, size: int) -> dict[str, Any]:
    spec = encode(export.spec)
    return {
        "format": FORMAT,
        "version": str(VERSION),
        "rate_hz": export.spec.rate_hz,
        "features": {
            **{f["name"]: {"shape": f["shape"], "kind": f["kind"]} for f in spec["observations"]},
            spec["action"]["name"]: {"shape": spec["action"]["shape"], "kind": "action"},
        },
        "spec": spec,
        "engine": export.engine,
        "precision": export.precision,
        "bytes": size,
        "graphs": encode(export.graphs),
        "parameters": export.parameters,
        "verification": encode(export.verification),
        "versions": dict(export.versions),
        "provenance": encode(export.provenance),
        "problems": [],
    }
