"""An export made by a stranger: nothing that is not on the list reaches an engine."""

import itertools
import json
import os
from pathlib import Path

import handmade
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from steadyhand.errors import CheckpointError, ConfigurationError
from steadyhand.runtime.engines import load_exported, wire_format
from steadyhand.runtime.engines.checked_model import check_model
from steadyhand.runtime.engines.graph_sizes import follow
from steadyhand.runtime.engines.sized import Sized
from steadyhand.runtime.engines.tensors import sized
from steadyhand.runtime.engines.wire_format import parse
from steadyhand.runtime.exported import read_export

TERA = 1 << 40


def refused(tmp_path: Path, said: str, model=None, **changed) -> None:
    """Such a graph is refused with these words, and no engine sees it."""
    models = None if model is None else {"chunk.onnx": model}
    folder = handmade.write(tmp_path / "theirs", models, **changed)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(onnxruntime, "InferenceSession", None)
        with pytest.raises(CheckpointError, match=said) as caught:
            load_exported(folder)
    assert "cannot run" not in str(caught.value)


def constant(name: str, *values: int, kind: type = np.int64):
    return numpy_helper.from_array(np.array(values, kind), name)


def growing(*nodes, weights=(), start: str = "noise"):
    """A graph whose last step is what is given, before a sum that has the right shape again."""
    last = [
        helper.make_node("ReduceMax", ["large"], ["one"], keepdims=0),
        helper.make_node("Add", ["noise", "one"], ["actions"]),
    ]
    return handmade.model(nodes=[*nodes, *last], initializer=list(weights))


def tripled() -> list:
    """Steps of which each makes one number a thousand; seven of them in a row."""
    names = ["noise", *(f"grown_{n}" for n in range(6)), "large"]
    return [
        helper.make_node("Tile", [before, "thousand"], [after])
        for before, after in itertools.pairwise(names)
    ]


GIANTS = {
    "a constant of a shape": growing(
        helper.make_node("ConstantOfShape", ["shape"], ["large"]), weights=[constant("shape", TERA)]
    ),
    "an expanded number": growing(
        helper.make_node("Expand", ["noise", "shape"], ["large"]),
        weights=[constant("shape", TERA, 1, 1, 1)],
    ),
    "a repeated array": growing(*tripled(), weights=[constant("thousand", 1, 1, 1000)]),
    "a range": growing(
        helper.make_node("Range", ["zero", "end", "one_more"], ["large"]),
        weights=[
            numpy_helper.from_array(np.array(n, np.int64), name)
            for name, n in (("zero", 0), ("end", TERA), ("one_more", 1))
        ],
    ),
    "padding": growing(
        helper.make_node("Pad", ["noise", "pads"], ["large"]),
        weights=[constant("pads", 0, 0, 0, 0, 0, TERA)],
    ),
    "a product of a column and a row": growing(
        helper.make_node("ConstantOfShape", ["column"], ["left"]),
        helper.make_node("ConstantOfShape", ["row"], ["right"]),
        helper.make_node("MatMul", ["left", "right"], ["large"]),
        weights=[constant("column", 1 << 20, 1), constant("row", 1, 1 << 20)],
    ),
    "a sum of a column and a row": growing(
        helper.make_node("ConstantOfShape", ["column"], ["left"]),
        helper.make_node("ConstantOfShape", ["row"], ["right"]),
        helper.make_node("Add", ["left", "right"], ["large"]),
        weights=[constant("column", 1 << 20, 1), constant("row", 1, 1 << 20)],
    ),
    "much at a time": growing(
        *(helper.make_node("ConstantOfShape", ["shape"], [f"part_{n}"]) for n in range(5)),
        helper.make_node("Sum", [f"part_{n}" for n in range(5)], ["large"]),
        weights=[constant("shape", 1 << 28)],
    ),
    "a window that sees much": growing(
        helper.make_node("ConstantOfShape", ["seen"], ["here"]),
        helper.make_node("ConstantOfShape", ["kernel"], ["there"]),
        helper.make_node("Conv", ["here", "there"], ["large"]),
        weights=[constant("seen", 1, 1, 1 << 20), constant("kernel", 1, 1, 1 << 19)],
    ),
}


@pytest.mark.parametrize("name", GIANTS)
def test_what_would_take_more_memory_than_any_policy_is_refused(tmp_path, name) -> None:
    refused(tmp_path, "at a time|larger than any policy has", GIANTS[name])


def test_inputs_that_no_robot_has_are_refused(tmp_path) -> None:
    more = handmade.value("step_noise", "f", "batch", TERA, 4, 2)
    model = handmade.model(inputs=[*handmade.inputs(), more])
    refused(tmp_path, r"is given \d+ numbers at a time", model, noise_rows=TERA + 1)


def test_sizes_that_depend_on_what_is_seen_are_refused(tmp_path) -> None:
    cast = helper.make_node("Cast", ["noise"], ["number"], to=TensorProto.INT64)
    flat = helper.make_node("Reshape", ["number", "all"], ["shape"])
    fill = helper.make_node("ConstantOfShape", ["shape"], ["large"])
    refused(
        tmp_path, "depend on what is seen", growing(cast, flat, fill, weights=[constant("all", -1)])
    )


def placed(key: str, value: str):
    weights = handmade.constants()
    (entry,) = [pair for pair in weights[-1].external_data if pair.key == key]
    entry.value = value
    return handmade.model(initializer=weights)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("location", place) for place in ("/etc/passwd", "../weights.bin", "chunk.onnx", "")),
        *(("offset", place) for place in ("1", "-16", "0x0", "٣", "9" * 30, "")),
        *(("length", size) for size in ("15", "17", "1" * 19)),
    ],
)
def test_weights_are_in_the_one_file_and_nowhere_else(tmp_path, key, value) -> None:
    refused(tmp_path, "weights", placed(key, value))


def changed(change, *, graph: bool = True):
    model = handmade.model()
    change(model.graph if graph else model)
    return model


def nested(graph) -> None:
    inner = helper.make_graph([], "inner", [], [])
    graph.node[0].attribute.append(AttributeProto(name="body", type=AttributeProto.GRAPH, g=inner))


STRANGE = {
    "operator": (changed(lambda g: setattr(g.node[0], "op_type", "Loop")), "none of the operators"),
    "random": (
        changed(lambda g: setattr(g.node[0], "op_type", "RandomNormalLike")),
        "none of the operators",
    ),
    "domain": (changed(lambda g: setattr(g.node[0], "domain", "evil")), "none of the operators"),
    "graph in a graph": (changed(nested), "a graph within the graph"),
    "sparse": (changed(lambda g: g.sparse_initializer.add()), "sparse weights"),
    "functions": (changed(lambda m: m.functions.add(), graph=False), "functions of its own"),
    "training": (changed(lambda m: m.training_info.add(), graph=False), "for training"),
    "settings": (
        changed(
            lambda m: m.metadata_props.add(key="ort_config", value='{"session_options": {}}'),
            graph=False,
        ),
        "settings of an engine",
    ),
    "opsets": (
        changed(lambda m: m.opset_import.add(domain="com.microsoft", version=1), graph=False),
        "not the standard ones",
    ),
    "unordered": (changed(lambda g: g.node.insert(0, g.node[-1])), "made by none before it"),
    "made twice": (
        changed(lambda g: g.node[1].output.__setitem__(0, "doubled")),
        "two arrays are called 'doubled'",
    ),
    "texts": (
        changed(lambda g: g.initializer[0].CopyFrom(helper.make_tensor("zero", 8, [1], [b"x"]))),
        "texts for numbers",
    ),
    "too few numbers": (
        changed(lambda g: setattr(g.initializer[0], "raw_data", b"1234")),
        "another number of numbers",
    ),
    "inputs in another order": (
        handmade.model(inputs=[handmade.inputs()[n] for n in (1, 0, 2, 3)]),
        r"given .seen_1., float32 .batch×2×2., where its card says seen_0, float32 .batch×2×3",
    ),
    "another kind": (
        handmade.model(inputs=handmade.inputs(far=True)),
        "'seen_1', float64 .*, where its card says seen_1, float32",
    ),
    "one input more": (
        handmade.model(inputs=[*handmade.inputs(), handmade.value("more", "f", "batch")]),
        "given 5 arrays; its card says seen_0, seen_1, seen_2, noise",
    ),
    "another answer": (
        handmade.model(outputs=[handmade.value("actions", "f", "batch", 5, 2)]),
        r"where its card says actions, float32 .batch×4×2",
    ),
    "an answer of another size": (
        handmade.model(nodes=[helper.make_node("Transpose", ["noise"], ["actions"])]),
        "does not compute actions of shape",
    ),
    "nothing": (b"", "standard"),
    "no protobuf": (b"\x07" * 100, "unknown field"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_no_export_has_is_refused_before_an_engine_sees_it(tmp_path, name) -> None:
    model, said = STRANGE[name]
    refused(tmp_path, said, model)


def test_a_file_of_empty_nodes_takes_no_more_memory_than_a_graph(monkeypatch) -> None:
    monkeypatch.setattr(wire_format, "MOST_FIELDS", 1000)
    many = handmade.model(nodes=[onnx.NodeProto() for _ in range(100)])
    with pytest.raises(ValueError, match="more in it than 1000"):
        parse(memoryview(many.SerializeToString()))


def test_files_are_regular_ones_inside_the_folder(tmp_path) -> None:
    outside = tmp_path / "outside.bin"
    outside.write_bytes(handmade.TWICE.tobytes())
    for name, change, said in (
        ("link", lambda path: path.symlink_to(outside), "leads out of"),
        ("pipe", lambda path: os.mkfifo(path), "no regular file"),
        ("none", lambda path: None, "cannot be read"),
        ("longer", lambda path: path.write_bytes(bytes(17)), "size or checksum differs"),
    ):
        folder = handmade.write(tmp_path / name)
        (folder / "weights.bin").unlink()
        change(folder / "weights.bin")
        with pytest.raises(CheckpointError, match=said):
            load_exported(folder)
    for name in ("../outside.bin", "/etc/passwd", "run.py", "weights.bin\x00"):
        folder = handmade.write(tmp_path / "named")
        handmade.edited(folder, files=[{"name": name, "bytes": 1, "sha256": "0"}])
        with pytest.raises(CheckpointError, match="no file of an export"):
            load_exported(folder)


def test_damaged_graphs_are_refused_or_run(tmp_path) -> None:
    random = np.random.default_rng(0)
    whole = handmade.model().SerializeToString()
    folder = handmade.write(tmp_path / "theirs")
    export = read_export(folder)
    passed = 0
    for number in range(500):
        content = bytearray(whole)
        if number % 5 == 0:
            del content[random.integers(1, len(content)) :]
        content[random.integers(len(content))] = random.integers(256)
        (folder / "chunk.onnx").write_bytes(content)
        try:
            check_model(folder, export, export.graphs[0], 2)
        except CheckpointError:
            continue
        passed += 1
        if passed <= 5:
            handmade.write(folder, {"chunk.onnx": bytes(content)})
            try:
                load_exported(folder)
            except CheckpointError:
                continue
    assert 5 < passed < 50  # names, numbers and what nobody reads may change
    for size in range(300):
        content = random.bytes(size)
        (folder / "chunk.onnx").write_bytes(content)
        with pytest.raises(CheckpointError):
            check_model(folder, export, export.graphs[0], 2)


IMAGE, ROWS = (2, 3, 9, 8), (2, 4, 6)
ALIKE = [
    ("MatMul", [ROWS, (6, 5)], {}),
    ("MatMul", [(6,), (2, 6, 5)], {}),
    ("MatMul", [ROWS, (6,)], {}),
    ("Gemm", [(6, 4), (5, 6)], {"transA": 1, "transB": 1}),
    ("Conv", [IMAGE, (6, 1, 3, 2)], {"group": 3, "strides": [2, 3], "pads": [1, 0, 2, 1]}),
    ("Conv", [IMAGE, (4, 3, 3, 3)], {"dilations": [2, 1]}),
    (
        "ConvTranspose",
        [IMAGE, (3, 5, 4, 3)],
        {"strides": [2, 2], "pads": [1, 1, 1, 0], "output_padding": [1, 0]},
    ),
    ("MaxPool", [IMAGE], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ("AveragePool", [IMAGE], {"kernel_shape": [2, 3], "strides": [2, 2], "ceil_mode": 1}),
    ("GlobalAveragePool", [IMAGE], {}),
    ("LayerNormalization", [ROWS, (6,)], {"outputs": 3}),
    ("ReduceMean", [IMAGE, [1, -1]], {"keepdims": 0}),
    ("ReduceSum", [IMAGE], {}),
    ("ArgMax", [ROWS], {"axis": -2, "keepdims": 0}),
    ("Reshape", [ROWS, [0, -1, 2]], {}),
    ("Transpose", [IMAGE], {"perm": [0, 2, 3, 1]}),
    ("Squeeze", [(1, 4, 1)], {}),
    ("Squeeze", [(1, 4, 1), [-1]], {}),
    ("Unsqueeze", [ROWS, [0, -1]], {}),
    ("Flatten", [IMAGE], {"axis": 2}),
    ("Concat", [ROWS, (2, 1, 6)], {"axis": 1}),
    ("Split", [ROWS, [1, 5]], {"axis": 2, "outputs": 2}),
    ("Split", [ROWS], {"axis": 1, "num_outputs": 3, "outputs": 3}),
    ("Slice", [IMAGE, [-1, 1], [-100, 7], [2, 3], [-2, 2]], {}),
    ("Slice", [IMAGE, [1], [1 << 62]], {}),
    ("Gather", [ROWS, [[0, 1, 1]]], {"axis": 1}),
    ("GatherND", [ROWS, [[0, 1], [1, 3]]], {}),
    ("GatherElements", [(2, 4), [[0, 1], [1, 1]]], {"axis": 1}),
    ("Pad", [ROWS, [0, 1, 2, 3, 0, 1]], {}),
    ("Expand", [(4, 1), [2, 1, 6]], {}),
    ("Tile", [ROWS, [1, 2, 3]], {}),
    ("ConstantOfShape", [[3, 2]], {}),
    ("Range", [7, 0, -2], {}),
    ("Resize", [IMAGE, None, None, [2, 3, 20, 4]], {}),
    ("TopK", [ROWS, [3]], {"outputs": 2}),
    ("Shape", [IMAGE], {"start": 1, "end": -1}),
    ("Where", [(4, 1), ROWS, (6,)], {}),
    ("CumSum", [ROWS, 1], {}),
]


@pytest.mark.parametrize(("operator", "given", "told"), ALIKE)
def test_sizes_are_those_that_onnx_itself_finds(operator, given, told) -> None:
    names, inputs, weights = [], [], []
    for place, one in enumerate(given):
        names.append("" if one is None else f"in_{place}")
        if isinstance(one, tuple):
            kind = TensorProto.BOOL if operator == "Where" and not place else TensorProto.FLOAT
            inputs.append(helper.make_tensor_value_info(names[-1], kind, one))
        elif one is not None:
            weights.append(numpy_helper.from_array(np.array(one, np.int64), names[-1]))
    outputs = [f"out_{n}" for n in range(told.get("outputs", 1))]
    more = {key: value for key, value in told.items() if key != "outputs"}
    node = helper.make_node(operator, names, outputs, **more)
    empty = [onnx.ValueInfoProto(name=name) for name in outputs]
    graph = helper.make_graph([node], "one", inputs, empty, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    read = parse(memoryview(model.SerializeToString()))["graph"]
    known = {tensor["name"]: sized(tensor) for tensor in read["initializers"]}
    known |= {f"in_{n}": Sized(one) for n, one in enumerate(given) if isinstance(one, tuple)}
    found = follow(read["nodes"], known)
    for value in onnx.shape_inference.infer_shapes(model, data_prop=True).graph.output:
        dims = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        assert found[value.name].shape == dims


def leaves(content, path=()):
    """Where the values of a card are."""
    pairs = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in pairs:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from leaves(value, (*path, key))


def test_whatever_a_card_says_is_answered_with_one_message_or_an_export(tmp_path) -> None:
    folder = handmade.write(tmp_path / "theirs")
    whole = (folder / "export.json").read_text()
    ran = 0
    for path in leaves(json.loads(whole)):
        for value in (None, 1 << 62, "../weights.bin", [1e308]):
            card = content = json.loads(whole)
            for key in path[:-1]:
                content = content[key]
            content[path[-1]] = value
            (folder / "export.json").write_text(json.dumps(card))
            try:
                load_exported(folder)
            except (CheckpointError, ConfigurationError):
                continue
            ran += 1
    assert 0 < ran < 200
