"""Weights of an ONNX model in 16 or 8 bits: half or a quarter of the file.

Only matrices and the kernels of convolutions are rounded. What is computed stays float32, but for
the products of matrices in 8 bits, which engines compute faster.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError
from steadyhand.runtime.exported import EngineName, ExportPrecision

OFFERED: dict[EngineName, tuple[ExportPrecision, ...]] = {
    "onnx": ("float32", "float16", "int8"),
    "openvino": ("float32", "bfloat16", "float16", "int8"),
    "aoti": ("float32", "bfloat16"),
}
"""What each engine has. A processor computes in bfloat16, where it can, by OpenVINO and AOTInductor
alone."""
LEAST = 1024
"""Numbers that a weight has to have for its rounding to save anything."""


def require_offered(engine: EngineName, precision: ExportPrecision) -> None:
    """Raise `ConfigurationError` where the engine has no such precision."""
    if precision in OFFERED[engine]:
        return
    having = " or ".join(f"--to {name}" for name, has in OFFERED.items() if precision in has)
    own = ", ".join(OFFERED[engine])
    raise ConfigurationError(
        f"An export to {engine} has no {precision}: it has {own}. {precision} comes with {having}."
    )


def rounded_weights(model: Any, precision: ExportPrecision, engine: EngineName) -> bool:
    """Store the weights of a model in 16 or 8 bits; as they are for any other precision.

    In 8 bits, for ONNX Runtime, products of matrices are of whole numbers too: it is then several
    times as fast. What comes in is rounded for that in the range of all that is multiplied, so a
    chunk would depend on those beside it: whether that is so, and it has to be computed alone.
    """
    alone = False
    for value, (axis, nodes) in _weights(model).items():
        products = [node for node in nodes if node.op_type in ("MatMul", "Gemm")]
        # Kernels of convolutions get 16 bits at least: of 8, OpenVINO makes graphs that do not fit.
        if precision == "float16" or (precision == "int8" and len(products) < len(nodes)):
            _half(model.graph, value)
        elif precision == "int8" and engine == "onnx":
            _products(model.graph, value, axis, products)
            alone = True
        elif precision == "int8":
            _bytes(model.graph, value, axis)
    return alone


def _weights(model: Any) -> dict[Any, tuple[int, list[Any]]]:
    """Each weight of the model: the axis of what it makes, and the nodes that it is used in."""
    import onnx_ir

    found: dict[Any, tuple[int, list[Any]]] = {}
    for node in model.graph.all_nodes():
        if node.op_type not in ("MatMul", "Gemm", "Conv", "ConvTranspose"):
            continue
        value: Any = node.inputs[1]
        held = value.const_value if value.is_initializer() else None
        if held is None or held.dtype != onnx_ir.DataType.FLOAT:
            continue
        if held.size < LEAST or len(held.shape) < 2:
            continue
        turned = node.op_type == "Gemm" and bool(node.attributes.get_int("transB", 0))
        last = len(held.shape) - 1
        axis = {"MatMul": last, "Gemm": 0 if turned else 1, "Conv": 0, "ConvTranspose": 1}
        found.setdefault(value, (axis[node.op_type], []))[1].append(node)
    return {v: at for v, at in found.items() if len(v.uses()) == len(at[1])}


def _half(graph: Any, value: Any) -> None:
    """16 bits, made wide again in the graph."""
    import onnx_ir

    numbers = value.const_value.numpy()
    if np.abs(numbers).max() > np.finfo(np.float16).max:
        return
    stored = _stored(graph, f"{value.name}.float16", numbers.astype(np.float16))
    wide = onnx_ir.node("Cast", [stored], {"to": onnx_ir.DataType.FLOAT})
    _in_place_of(graph, value, wide)


def _bytes(graph: Any, value: Any, axis: int) -> None:
    """8 bits and a scale for each number that it makes, multiplied again in the graph."""
    import onnx_ir

    small, scale = _eight_bits(value.const_value.numpy(), axis)
    parts = [
        _stored(graph, f"{value.name}.int8", small),
        _stored(graph, f"{value.name}.scale", scale),
    ]
    wide = onnx_ir.node("Cast", parts[:1], {"to": onnx_ir.DataType.FLOAT})
    _in_place_of(graph, value, onnx_ir.node("Mul", [wide.outputs[0], parts[1]]), wide)


def _products(graph: Any, value: Any, axis: int, nodes: list[Any]) -> None:
    """8 bits, multiplied with others of 8 bits wherever the weight is used.

    Both have no sign: ONNX Runtime's sums of such are right on every processor, those of numbers
    with a sign overflow on older ones.
    """
    import onnx_ir

    small, scale = _eight_bits(value.const_value.numpy(), axis)
    turned = small.T if axis == 0 else small
    stored = _stored(graph, f"{value.name}.int8", (turned.astype(np.int16) + 128).astype(np.uint8))
    scales = _stored(graph, f"{value.name}.scale", scale.reshape(-1))
    middle = _stored(graph, f"{value.name}.middle", np.array(128, np.uint8))
    for node in nodes:
        x, out = node.inputs[0], node.outputs[0]
        seen = next((u.node for u in x.uses() if u.node.op_type == "DynamicQuantizeLinear"), None)
        added = [] if seen else [seen := onnx_ir.node("DynamicQuantizeLinear", [x], num_outputs=3)]
        rounded, size, zero = seen.outputs
        whole = onnx_ir.node("MatMulInteger", [rounded, stored, zero, middle])
        wide = onnx_ir.node("Cast", whole.outputs, {"to": onnx_ir.DataType.FLOAT})
        both = onnx_ir.node("Mul", [size, scales])
        made = onnx_ir.node("Mul", [wide.outputs[0], both.outputs[0]])
        added += [whole, wide, both, made]
        if node.op_type == "Gemm" and len(node.inputs) > 2:
            added.append(onnx_ir.node("Add", [made.outputs[0], node.inputs[2]]))
        last = added[-1].outputs[0]
        last.shape, last.type = out.shape, out.type
        out.replace_all_uses_with(last)
        graph.insert_before(node, added)
        graph.remove(node, safe=True)
    graph.initializers.pop(value.name)


def _eight_bits(
    numbers: NDArray[np.float32], axis: int
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Whole numbers in ±127, and the scale of each row along `axis`."""
    others = tuple(place for place in range(numbers.ndim) if place != axis)
    scale = np.maximum(np.abs(numbers).max(others, keepdims=True) / 127, 1e-30).astype(np.float32)
    return np.clip(np.rint(numbers / scale), -127, 127).astype(np.int8), scale


def _stored(graph: Any, name: str, numbers: NDArray[Any]) -> Any:
    import onnx_ir

    numbers = np.ascontiguousarray(numbers)
    tensor = onnx_ir.tensor(numbers, name=name)
    value = onnx_ir.Value(
        name=name,
        shape=onnx_ir.Shape(numbers.shape),
        type=onnx_ir.TensorType(tensor.dtype),
        const_value=tensor,
    )
    graph.register_initializer(value)
    return value


def _in_place_of(graph: Any, value: Any, node: Any, *before: Any) -> None:
    """What used `value` uses what `node` makes."""
    made = node.outputs[0]
    made.name, made.shape, made.type = f"{value.name}.wide", value.shape, value.type
    value.replace_all_uses_with(made)
    graph.initializers.pop(value.name)
    graph.insert_before(graph[0], [*before, node])
