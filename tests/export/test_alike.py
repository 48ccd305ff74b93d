"""Weights that are alike are one in a file of ONNX, whatever they are called."""

import numpy as np
import onnx
import onnx_ir
from onnx import TensorProto, helper, numpy_helper

from steadyhand.export.onnx_file import write_models


def test_an_array_that_several_nodes_have_for_themselves_becomes_one(tmp_path) -> None:
    many = np.arange(512, dtype=np.float32)
    arrays = {"a": many, "b": many, "c": many.reshape(8, 64), "d": -many}
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [8, 512])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [8, 512])
    nodes = [
        helper.make_node("Add", ["x", "a"], ["once"]),
        helper.make_node("Mul", ["once", "b"], ["twice"]),
        helper.make_node("MatMul", ["c", "d8"], ["thrice"]),
        helper.make_node("Add", ["twice", "thrice"], ["y"]),
    ]
    arrays["d8"] = np.ones((64, 512), np.float32)
    weights = [numpy_helper.from_array(values, name) for name, values in arrays.items()]
    graph = helper.make_graph(nodes, "alike", [x], [y], weights)
    write_models(tmp_path, {"chunk.onnx": onnx_ir.from_proto(helper.make_model(graph))})
    written = onnx.load(tmp_path / "chunk.onnx").graph
    assert [one.name for one in written.initializer] == ["a", "c", "d", "d8"]
    assert list(written.node[1].input) == ["once", "a"]
    assert (tmp_path / "weights.bin").stat().st_size < 5 * 4096 + arrays["d8"].nbytes
