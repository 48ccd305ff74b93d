"""Exports run by an inference engine, behind the one predictor: numpy, and torch for none but AOTI.

Each engine is imported when it is used.
"""

from importlib import import_module
from pathlib import Path

from steadyhand.errors import CheckpointError, ConfigurationError, unknown
from steadyhand.runtime.engine import EnginePredictor
from steadyhand.runtime.engines.checked_model import check_model, read_graph
from steadyhand.runtime.engines.exported_engine import Compile, Compiled, ExportedEngine
from steadyhand.runtime.exported import (
    EngineName,
    Export,
    Graph,
    check_files,
    read_export,
    stamps,
)
from steadyhand.values import checked, whole

THREADS = 1
"""Of a chunk, unless named: an answer then has the same bits on every core, and the loop that
commands the robot keeps one to itself."""
MOST_THREADS = 1024
ENGINES = {
    "onnx": ("onnx_runtime", "onnx_runtime", "ONNX Runtime"),
    "openvino": ("openvino", "openvino", "OpenVINO"),
    "aoti": ("aoti", "aot_inductor", "AOTInductor"),
}
"""The module of each engine here, what in it makes graphs ready, and what people call it."""


@checked
def load_exported(
    folder: str | Path,
    *,
    batch: int = 1,
    engine: EngineName | None = None,
    provider: str | None = None,
    threads: int | None = None,
    trust_code: bool = False,
) -> EnginePredictor:
    """A predictor that runs the export in `folder`, warmed up: its first chunk is not late.

    `batch` is how many chunks are computed together, 1 on a robot. `engine` is the one it was
    exported for unless named: "onnx" (ONNX Runtime), "openvino" or "aoti" (AOTInductor, which needs
    torch). `provider` is where it computes, in the engine's own words, as "CUDAExecutionProvider"
    or "GPU"; `threads` are how many it may use, 1 unless named. An AOTInductor export is machine
    code and can do whatever its reader can: it is loaded with `trust_code` alone.

    Raises `CheckpointError` for a folder that is no export, or one that is damaged,
    `ConfigurationError` for an engine or a provider that cannot run it, and `MissingExtraError`
    where its engine is not installed.
    """
    folder = Path(folder)
    export = read_export(folder)
    name = _engine(folder, export, engine, trust_code)
    before = stamps(folder, export)
    check_files(folder, export)
    module, making, called = ENGINES[name]
    make = getattr(import_module(f"{__name__}.{module}"), making)
    many = THREADS if threads is None else whole("threads", threads, 1, MOST_THREADS)
    compile: Compile = make(folder, export, provider, many)
    if name != "aoti":
        compile = _checked(folder, export, compile)
    made = ExportedEngine(export, compile, called=called)
    predictor = EnginePredictor(made, batch=batch)
    made.warm_up(predictor.batch)
    if stamps(folder, export) != before:
        raise CheckpointError(
            f"{folder} was changed while it was read. Load it again once it is whole."
        )
    return predictor


def _checked(folder: Path, export: Export, compile: Compile) -> Compile:
    """The same, of graphs that were looked at before."""
    contents = {graph.file: read_graph(folder, graph) for graph in export.graphs}

    def looked_at(graph: Graph, batch: int) -> Compiled:
        check_model(folder, export, graph, batch, contents[graph.file])
        return compile(graph, batch)

    return looked_at


def _engine(folder: Path, export: Export, asked: EngineName | None, trusted: bool) -> EngineName:
    """What runs the export. Raises `ConfigurationError` for what cannot, or may not."""
    name = asked or export.engine
    if name not in ENGINES:
        raise ConfigurationError(unknown("engine", name, ENGINES))
    if "aoti" in (name, export.engine) and name != export.engine:
        raise ConfigurationError(
            f"{folder} was exported to {export.engine}, which {name} does not run. Export the run "
            f"again: steadyhand export RUN --to {name}"
        )
    if name == "aoti" and not trusted:
        raise ConfigurationError(
            f"{folder} is machine code, which can do whatever you can. Where you made it yourself "
            "or trust who did, say so: --trust-code (in Python, trust_code=True). Exports to onnx "
            "and openvino need no trust."
        )
    return name
