"""Exports made by hand, whose chunks are known: twice the noise and what was seen last."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from steadyhand.runtime.continuation import Inpainted
from steadyhand.runtime.exported import Export, ExportedFile, Graph, write_export_card
from steadyhand.spec import Chunking, PolicySpec

SPEC = PolicySpec.select(
    {"picture": (8, 8, 3), "state": (3,), "place": (2,), "action": (2,)},
    observations=["state", "place", "picture", "state[:2]"],
    chunking=Chunking(obs_steps=2, horizon=4, execute=2),
    rate_hz=20.0,
)
ORIGIN = {True: 1e9, False: 3.0}
"""Where places are, with and without numbers far from zero for their range."""
KINDS = {"u": TensorProto.UINT8, "f": TensorProto.FLOAT, "d": TensorProto.DOUBLE}


def value(name: str, kind: str, *shape: int | str):
    return helper.make_tensor_value_info(name, KINDS[kind], shape)


def inputs(batch: int | str = "batch", *, far: bool = False) -> list:
    return [
        value("seen_0", "f", batch, 2, 3),
        value("seen_1", "d" if far else "f", batch, 2, 2),
        value("seen_2", "u", batch, 2, 8, 8, 3),
        value("noise", "f", batch, 4, 2),
    ]


def stored(name: str, values: np.ndarray, offset: int = 0):
    """An initializer whose numbers are in weights.bin."""
    made = numpy_helper.from_array(values, name)
    onnx.external_data_helper.set_external_data(made, "weights.bin", offset, values.nbytes)
    made.ClearField("raw_data")
    return made


TWICE = np.full((2, 2), 0, np.float32) + np.diag([2, 2]).astype(np.float32)


def nodes(*, continues: bool = False) -> list:
    """actions = noise @ TWICE + now[:2] + place - ORIGIN + brightest pixel (+ weights * rows)."""
    made = [
        helper.make_node("MatMul", ["noise", "twice"], ["doubled"]),
        helper.make_node("Slice", ["seen_0", "one", "two", "axis"], ["now"]),
        helper.make_node("Slice", ["now", "zero", "two", "last"], ["first"]),
        helper.make_node("Add", ["doubled", "first"], ["moved"]),
        helper.make_node("Slice", ["seen_1", "one", "two", "axis"], ["place"]),
        helper.make_node("Sub", ["place", "origin"], ["near"]),
        helper.make_node("Cast", ["near"], ["close"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["moved", "close"], ["there"]),
        helper.make_node("Cast", ["seen_2"], ["colours"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["colours", "all"], ["brightest"], keepdims=0),
        helper.make_node("Unsqueeze", ["brightest", "ends"], ["bright"]),
        helper.make_node("Add", ["there", "bright"], ["plain" if continues else "actions"]),
    ]
    if continues:
        made += [
            helper.make_node("Unsqueeze", ["weights", "last"], ["weight"]),
            helper.make_node("Mul", ["rows", "weight"], ["kept"]),
            helper.make_node("Add", ["plain", "kept"], ["actions"]),
        ]
    return made


def constants(*, far: bool = False) -> list:
    whole = {"zero": [0], "one": [1], "two": [2], "axis": [1], "last": [2], "ends": [1, 2]}
    whole["all"] = [1, 2, 3, 4]
    made = [numpy_helper.from_array(np.array(v, np.int64), k) for k, v in whole.items()]
    origin = np.full(2, ORIGIN[far], np.float64 if far else np.float32)
    return [*made, numpy_helper.from_array(origin, "origin"), stored("twice", TWICE)]


def model(*, continues: bool = False, far: bool = False, batch: int | str = "batch", **changed):
    """The graph, with any of its nodes, inputs, outputs or initializers as given."""
    given = inputs(batch, far=far)
    if continues:
        given += [value("rows", "f", batch, 4, 2), value("weights", "f", batch, 4)]
    parts = {
        "nodes": nodes(continues=continues),
        "name": "chunk",
        "inputs": given,
        "outputs": [value("actions", "f", batch, 4, 2)],
        "initializer": constants(far=far),
        **changed,
    }
    return helper.make_model(
        helper.make_graph(**parts), opset_imports=[helper.make_opsetid("", 20)], ir_version=10
    )


def write(
    folder: Path, models=None, *, weights: bytes = TWICE.tobytes(), far: bool = False, **changed
) -> Path:
    """The folder of an export that is sound but for what is given."""
    folder.mkdir(exist_ok=True)
    models = models or {
        "chunk.onnx": model(far=far),
        "inpainted.onnx": model(continues=True, batch=1, far=far),
    }
    contents = {"weights.bin": weights}
    for name, made in models.items():
        contents[name] = made if isinstance(made, bytes) else made.SerializeToString()
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    graphs = [Graph(file="chunk.onnx")]
    if "inpainted.onnx" in models:
        graphs.append(Graph(file="inpainted.onnx", batch=1, how=Inpainted()))
    card = {
        "engine": "onnx",
        "precision": "float32",
        "spec": SPEC,
        "graphs": tuple(graphs),
        "files": tuple(described(name, content) for name, content in contents.items()),
        "noise_rows": 1,
        "exact": ("place",) if far else (),
        **changed,
    }
    write_export_card(folder, Export(**card))
    return folder


def described(name: str, content: bytes) -> ExportedFile:
    return ExportedFile(name=name, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def edited(folder: Path, **changed) -> Path:
    """The folder, with other words in its card."""
    card = json.loads((folder / "export.json").read_text())
    (folder / "export.json").write_text(json.dumps({**card, **changed}))
    return folder
