"""ONNX Runtime: numpy and one library, on every computer and with the most providers."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from steadyhand.errors import ConfigurationError, library, unknown
from steadyhand.runtime.engines.checked_model import read_graph
from steadyhand.runtime.engines.exported_engine import Array, Compile, Compiled
from steadyhand.runtime.engines.graph_inputs import ANSWER, GraphInput, inputs_of
from steadyhand.runtime.engines.stored import aligned, stored_in
from steadyhand.runtime.engines.tensors import WEIGHTS
from steadyhand.runtime.exported import Export, Graph

SUFFIX = "ExecutionProvider"
ELSEWHERE = "AzureExecutionProvider"
"""It sends what the robot sees to a service."""


def onnx_runtime(folder: Path, export: Export, provider: str | None, threads: int) -> Compile:
    """What compiles the graphs of `export` for a provider, as "CPUExecutionProvider" or "cpu".

    Raises `ConfigurationError` for a provider that is not there, and for a precision that it has
    not.
    """
    runtime = library("onnxruntime")
    if export.precision == "bfloat16":
        raise ConfigurationError(
            "ONNX Runtime has no bfloat16 on a processor. Run this export by OpenVINO "
            "(--engine openvino), or export the run in float32 or float16."
        )
    chosen = _provider(runtime, provider or "CPU")
    weights = aligned(folder / WEIGHTS) if WEIGHTS in {one.name for one in export.files} else None
    read = {graph.file: read_graph(folder, graph) for graph in export.graphs}

    def compile(graph: Graph, batch: int) -> Compiled:
        options, content = _options(runtime, threads, batch), read[graph.file]
        there: dict[str, Array] = {}
        # What ONNX Runtime finds in a file by itself it maps: a file that is written anew would
        # be other weights, or the end of all.
        if weights is not None and (there := stored_in(content, weights)):
            held = [runtime.OrtValue.ortvalue_from_numpy(each) for each in there.values()]
            options.add_external_initializers(list(there), held)
        session = runtime.InferenceSession(content, options, providers=[chosen])
        if chosen not in session.get_providers():
            raise ConfigurationError(
                f"ONNX Runtime has {chosen}, and could not start it: see what it wrote above. "
                "Leave --provider out to compute on the processor."
            )
        return _running(session, inputs_of(export, graph), there)

    return compile


def _provider(runtime: Any, name: str) -> str:
    have = [one for one in runtime.get_available_providers() if one != ELSEWHERE]
    for one in have:
        if name.lower() in (one.lower(), one.removesuffix(SUFFIX).lower()):
            return one
    raise ConfigurationError(
        f"{unknown('provider', name, have)} Others come with other packages of ONNX Runtime, as "
        "CUDA with onnxruntime-gpu."
    )


def _options(runtime: Any, threads: int, batch: int) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    options.use_deterministic_compute = True
    options.log_severity_level = 3
    options.add_free_dimension_override_by_name("batch", batch)
    options.add_session_config_entry("session.load_model_format", "ONNX")
    # Threads that wait for the next chunk by turning in circles take a core from the loop.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _running(
    session: Any, inputs: Sequence[GraphInput], weights: Mapping[str, Array]
) -> Callable[[Sequence[Array]], Array]:
    """What runs the session, and keeps `weights` as long: it may compute with them in place."""
    names = [one.name for one in inputs]

    def run(given: Sequence[Array]) -> Array:
        return session.run([ANSWER], dict(zip(names, given, strict=True)))[0]

    run.weights = weights  # type: ignore[attr-defined]
    return run
