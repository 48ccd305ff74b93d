"""An exported program as an ONNX file of standard operators, its weights in a file beside it.

Inputs and outputs are named as the engines ask for them. The graphs of a folder share one file of
weights, in which the same numbers are kept once.
"""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from steadyhand.errors import ConfigurationError, library
from steadyhand.export.graph import quiet

OPSET = 20
"""Of the operators, and the version of the format: ONNX Runtime reads both since 1.17."""
IR_VERSION = 10
WEIGHTS = "weights.bin"
OPERATION = re.compile(r"op='\w+\.(\w+)'")
"""The name of an operation, as torch writes it."""
SMALL = 1024
"""Bytes of a constant up to which it is kept in the graph itself."""
LARGEST = 1 << 28
"""Numbers of the largest constant that is worked out ahead."""
PAGE = 4096
"""What stands in the file begins at a multiple of so many bytes, so that it can be mapped."""


def to_onnx(program: torch.export.ExportedProgram, names: Sequence[str], batch: int | None) -> Any:
    """The ONNX model (`onnx_ir.Model`) of a program that takes those inputs and answers `actions`.

    Raises `ConfigurationError` where it has an operation that ONNX knows nothing of.
    """
    library("onnxscript")
    from torch.onnx.errors import OnnxExporterError

    with quiet():
        try:
            made = torch.onnx.export(
                program, dynamo=True, opset_version=OPSET, optimize=False, verbose=False
            )
        except OnnxExporterError as error:
            raise ConfigurationError(
                f"This policy has an operation that ONNX does not know: {_reason(error)}. Write "
                "it with others where it is your own, or export the policy with --to aoti."
            ) from error
    assert made is not None
    model: Any = made.model
    _tidy(model)
    _check_standard(model)
    _forget(model)
    graph = model.graph
    told = (*graph.inputs, *graph.outputs)
    for value in (value for node in graph.all_nodes() for value in node.outputs):
        if value not in told and value.shape is not None and not value.shape.is_static():
            value.shape = None  # in torch's own names
    for value, name in zip(told, (*names, "actions"), strict=True):
        value.name = name
    fix_batch(model, batch or "batch")
    model.ir_version = min(model.ir_version, IR_VERSION)
    return model


def fix_batch(model: Any, batch: int | str) -> None:
    """Let the model take so many chunks at once, any number where that is a name."""
    import onnx_ir

    for value in (*model.graph.inputs, *model.graph.outputs):
        value.shape = onnx_ir.Shape([batch, *value.shape[1:]])


def write_models(folder: Path, models: dict[str, Any]) -> None:
    """Write models, each by its file's name, and the one file of their weights."""
    import onnx_ir

    with (folder / WEIGHTS).open("wb") as file:
        places: dict[bytes, tuple[int, int]] = {}
        for name, model in models.items():
            _share_alike(model.graph)
            for value in model.graph.initializers.values():
                if value.const_value.nbytes > SMALL:
                    value.const_value = _moved(value.const_value, file, places)
            onnx_ir.save(model, folder / name)


def _share_alike(graph: Any) -> None:
    """Weights that are alike become one: a gradient has its own in every step, and an engine makes
    a copy of each."""
    first: dict[Any, Any] = {}
    for value in list(graph.initializers.values()):
        held = value.const_value
        if held.nbytes <= SMALL:
            continue
        mark = (hashlib.sha256(held.tobytes()).digest(), held.dtype, tuple(held.shape))
        if (same := first.setdefault(mark, value)) is not value:
            value.replace_all_uses_with(same)
            graph.initializers.pop(value.name)


def _moved(tensor: Any, file: Any, places: dict[bytes, tuple[int, int]]) -> Any:
    """The same numbers in the file of weights, written there unless they are already."""
    import onnx_ir

    content = tensor.tobytes()
    mark = hashlib.sha256(content).digest()
    if mark not in places:
        file.write(bytes(-file.tell() % PAGE))
        places[mark] = (file.tell(), len(content))
        file.write(content)
    offset, length = places[mark]
    return onnx_ir.ExternalTensor(
        WEIGHTS,
        offset,
        length,
        tensor.dtype,
        shape=tensor.shape,
        name=tensor.name,
        base_dir=str(Path(file.name).parent),
    )


def _tidy(model: Any) -> None:
    """What does not depend on what comes in is worked out: embeddings of times, parts of weights.

    torch's own tidying takes as long as all the rest, and leaves that undone. Weights that a
    gradient uses both ways then have their transpose beside them: OpenVINO 2026.4 takes a square
    one for the same both times.
    """
    import onnxscript.optimizer
    from onnx_ir.passes.common import CommonSubexpressionEliminationPass

    _unfold_mish(model.graph)
    with quiet():
        onnxscript.optimizer.fold_constants(
            model, onnx_shape_inference=True, input_size_limit=2**40, output_size_limit=LARGEST
        )
    CommonSubexpressionEliminationPass()(model)
    onnxscript.optimizer.remove_unused_nodes(model)


def _unfold_mish(graph: Any) -> None:
    """Mish as what it is made of: ONNX Runtime has no other way, and cannot work it out ahead."""
    import onnx_ir

    for node in [node for node in graph.all_nodes() if node.op_type == "Mish"]:
        x, out = node.inputs[0], node.outputs[0]
        soft = onnx_ir.node("Softplus", [x])
        bent = onnx_ir.node("Tanh", soft.outputs)
        made = onnx_ir.node("Mul", [x, bent.outputs[0]])
        for value in (soft.outputs[0], bent.outputs[0], made.outputs[0]):
            value.shape, value.type = out.shape, out.type
        out.replace_all_uses_with(made.outputs[0])
        graph.insert_before(node, [soft, bent, made])
        graph.remove(node, safe=True)


def _forget(model: Any) -> None:
    """Nothing is left of where it was made: torch notes lines of source at every node."""
    graph = model.graph
    for noted in (model, graph, *graph.all_nodes()):
        noted.metadata_props.clear()
        noted.doc_string = None
    outputs = (value for node in graph.all_nodes() for value in node.outputs)
    for value in (*graph.inputs, *graph.initializers.values(), *outputs):
        value.metadata_props.clear()
        value.doc_string = None


def _check_standard(model: Any) -> None:
    """Raise `ConfigurationError` for operators that not every engine has."""
    strange = sorted({n.domain for n in model.graph.all_nodes()} | {*model.opset_imports} - {""})
    strange = [domain for domain in strange if domain]
    newer = model.opset_imports[""] > OPSET
    if strange or newer or model.functions:
        what = f"of opset {model.opset_imports['']}" if newer else f"of {', '.join(strange)}"
        raise ConfigurationError(
            f"This torch ({torch.__version__}) makes a graph of operators {what}, which not every "
            "engine has. Use another version of torch or onnxscript."
        )


def _reason(error: BaseException) -> str:
    """Which operation torch complains of, or what it says, in a line."""
    while error.__cause__ is not None:
        error = error.__cause__
    if found := sorted({*OPERATION.findall(str(error))}):
        return ", ".join(found)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__
