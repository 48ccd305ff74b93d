"""OpenVINO: the fastest on Intel's and AMD's processors, and the one that has bfloat16 there."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import numpy as np

from steadyhand.errors import ConfigurationError, library, unknown
from steadyhand.runtime.continuation import Guided
from steadyhand.runtime.engines.exported_engine import Array, Compile, Compiled
from steadyhand.runtime.engines.graph_inputs import GraphInput, inputs_of
from steadyhand.runtime.engines.signal_stack import own_signal_stack
from steadyhand.runtime.engines.within import keep_within
from steadyhand.runtime.exported import Export, Graph


def openvino(folder: Path, export: Export, provider: str | None, threads: int) -> Compile:
    """What compiles the graphs of `export` for a device, as "CPU" or "GPU".

    Raises `ConfigurationError` for a device that is not there, and for float64.
    """
    found = library("openvino")
    if export.exact or export.told == "float64":
        what = f"'{export.exact[0]}' lies" if export.exact else "its actions lie"
        raise ConfigurationError(
            f"OpenVINO computes in no float64, and {what} so far from zero that float32 would lose "
            "what changes. Run this export by ONNX Runtime: --engine onnx"
        )
    core = found.Core()
    device = _device(core, provider or "CPU")
    options: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": "bf16" if export.precision == "bfloat16" else "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }
    if device == "CPU":  # whose cores others use, too: the loop, and evaluations beside this one
        options |= {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,
        }

    # By this one alone: another reader might see something else in the same file.
    reader = library("openvino.frontend").FrontEndManager().load_by_framework("onnx")
    place, read = _without_links(folder, export), dict[str, Any]()

    def compile(graph: Graph, batch: int) -> Compiled:
        inputs = inputs_of(export, graph)
        if graph.file not in read:
            # Not mapped: a file that is written anew would be other weights, or the end of all.
            found_there = reader.load(str(Path(place.name) / graph.file), enable_mmap=False)
            read[graph.file] = reader.convert(found_there)
        model = read[graph.file].clone()
        model.reshape({one.name: [batch, *one.shape] for one in inputs})
        keep_within(model)
        asked = {**options, **_around(graph, options)}
        with own_signal_stack():
            request = core.compile_model(model, device, asked).create_infer_request()
        return _running(found, request, inputs)

    return compile


def _around(graph: Graph, options: dict[str, Any]) -> dict[str, Any]:
    """What keeps OpenVINO 2026.4 from a crash: on one thread it takes for a chain of layers what,
    in a gradient, comes back to where it began."""
    alone = options.get("INFERENCE_NUM_THREADS") == 1
    return {"SNIPPETS_MODE": "DISABLE"} if alone and isinstance(graph.how, Guided) else {}


def _without_links(folder: Path, export: Export) -> Any:
    """An object whose `name` is a folder of the export's files themselves, as long as it is there.

    A hub keeps files elsewhere and links to them, which OpenVINO refuses to follow.
    """
    if not any((folder / file.name).is_symlink() for file in export.files):
        return SimpleNamespace(name=folder)
    made = TemporaryDirectory(prefix="steadyhand-")
    for file in export.files:
        shutil.copyfile(folder / file.name, Path(made.name) / file.name)
    return made


def _device(core: Any, name: str) -> str:
    have: list[str] = core.available_devices
    if name.upper() in have:
        return name.upper()
    raise ConfigurationError(unknown("device of OpenVINO", name, have))


def _running(
    found: Any, request: Any, inputs: Sequence[GraphInput]
) -> Callable[[Sequence[Array]], Array]:
    names = [one.name for one in inputs]

    def run(given: Sequence[Array]) -> Array:
        for name, array in zip(names, given, strict=True):
            request.set_tensor(name, found.Tensor(array, shared_memory=True))
        request.infer()
        return np.array(request.get_output_tensor(0).data)  # the next answer goes to the same place

    return run
