"""Graphs that follow the rules of ONNX, and that an engine would crash on."""

from itertools import pairwise

import handmade
import numpy as np
import pytest
from onnx import TensorProto, helper
from test_strangers_export import constant, growing, refused

from steadyhand.errors import CheckpointError
from steadyhand.runtime import engines
from steadyhand.runtime.engines import load_exported
from steadyhand.runtime.predictor import chunk_noise
from steadyhand.serving.served import nothing_seen


def divided(operator: str, *by: int):
    """What is seen, made whole, divided by those."""
    return growing(
        helper.make_node("Cast", ["noise"], ["number"], to=TensorProto.INT32),
        helper.make_node("Add", ["number", "by"], ["seen"]),
        helper.make_node(operator, ["number", "by" if by else "seen"], ["whole"]),
        helper.make_node("Cast", ["whole"], ["large"], to=TensorProto.FLOAT),
        weights=[constant("by", *(by or (0,)), kind=np.int32)],
    )


@pytest.mark.parametrize("operator", ["Div", "Mod"])
@pytest.mark.parametrize("by", [(), (0,), (2, -1)])
def test_whole_numbers_are_divided_by_what_is_known_to_be_above_zero(
    tmp_path, operator, by
) -> None:
    refused(tmp_path, "divided by what may be 0", divided(operator, *by))


@pytest.mark.parametrize("operator", ["Max", "Min", "Sum", "Where", "Concat"])
def test_inputs_that_an_operator_looks_at_are_there(tmp_path, operator) -> None:
    node = helper.make_node(operator, ["noise", "", "noise"], ["large"], axis=0)
    refused(tmp_path, "an input is missing", growing(node))


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_what_is_written_into_a_loaded_export_changes_nothing(tmp_path, engine) -> None:
    most = helper.make_node("ReduceMax", ["noise"], ["most"], keepdims=0)
    more = helper.make_node("Mul", ["many", "most"], ["large"])
    many = np.ones((1, 1 << 16), np.float32)
    model = growing(most, more, weights=[handmade.stored("many", many)])
    folder = handmade.write(tmp_path / "ours", {"chunk.onnx": model}, weights=many.tobytes())
    predictor = load_exported(folder, engine=engine)
    asked = [nothing_seen(predictor.spec)]
    before = predictor.predict(asked)
    with (folder / "weights.bin").open("r+b") as file:
        file.write((7 * many).tobytes())
    np.testing.assert_array_equal(predictor.predict(asked), before)
    (folder / "weights.bin").write_bytes(b"")
    np.testing.assert_array_equal(predictor.predict(2 * asked)[1:], before)


def test_a_folder_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch) -> None:
    folder = handmade.write(tmp_path / "ours")
    check = engines.check_files

    def changed(*given) -> None:
        check(*given)
        (folder / "weights.bin").write_bytes(7 * handmade.TWICE.tobytes()[:1] * 16)

    monkeypatch.setattr(engines, "check_files", changed)
    with pytest.raises(CheckpointError, match="changed while it was read"):
        load_exported(folder)


def picked(operator: str, place: int, *, seen: bool):
    """The largest of four numbers at a place, of 64 numbers of which the last is 63; or of numbers
    that are 0 but where a 4 is written. The place may depend on what is `seen`."""
    writes = operator.startswith("Scatter")
    numbers = np.zeros(64) if writes else np.arange(64)
    weights = [
        constant("numbers", *numbers, kind=np.float32),
        constant("places", *[place] * 4),
        constant("fours", *[4] * 4, kind=np.float32),
        constant("last", -1),
        constant("none", 0, kind=np.float32),
    ]
    nodes = [
        helper.make_node("ReduceMax", ["noise"], ["most"], keepdims=0),
        helper.make_node("Mul", ["most", "none"], ["nothing"]),
        helper.make_node("Cast", ["nothing"], ["no_place"], to=TensorProto.INT64),
        helper.make_node("Add", ["places", "no_place"], ["sought"]),
        helper.make_node("Unsqueeze", ["sought" if seen else "places", "last"], ["deep"]),
    ]
    flat = "sought" if seen else "places"
    given = ["numbers", "deep" if operator.endswith("ND") else flat, *["fours"] * writes]
    return growing(*nodes, helper.make_node(operator, given, ["large"]), weights=weights)


PICKING = ("GatherElements", "GatherND", "ScatterElements", "ScatterND")


@pytest.mark.parametrize("operator", PICKING)
def test_places_that_are_known_to_be_outside_of_their_array_are_refused(tmp_path, operator) -> None:
    for place in (64, -65):
        refused(tmp_path, "a place is outside of its array", picked(operator, place, seen=False))


@pytest.mark.parametrize("operator", PICKING)
def test_openvino_reads_and_writes_within_arrays_alone(tmp_path, operator) -> None:
    for place, found in ((1 << 20, 63), (-(1 << 20), 0), (-1, 63), (-63, 1), (5, 5)):
        models = {"chunk.onnx": picked(operator, place, seen=True)}
        predictor = load_exported(handmade.write(tmp_path / "theirs", models), engine="openvino")
        asked = nothing_seen(predictor.spec)
        noise = chunk_noise(asked.seed, asked.number, (1, *predictor.spec.noise_shape))
        most = 4 if operator.startswith("Scatter") else found
        np.testing.assert_allclose(predictor.predict([asked]), noise + most, rtol=1e-6)


def test_there_are_not_more_places_than_numbers_beside_them(tmp_path) -> None:
    numbers = helper.make_tensor("row", TensorProto.FLOAT, [1, 1], [0.0])
    places = helper.make_tensor("rows", TensorProto.INT64, [64, 1], [0] * 64)
    node = helper.make_node("GatherElements", ["row", "rows"], ["large"], axis=1)
    refused(tmp_path, "more places than numbers", growing(node, weights=[numbers, places]))


def test_an_array_is_split_into_as_many_parts_as_it_says(tmp_path) -> None:
    halves = helper.make_node("Split", ["noise"], ["large", "rest"], axis=1, num_outputs=1)
    refused(tmp_path, "more or fewer parts", growing(halves))
    parts = helper.make_node("Split", ["noise", "sizes"], ["large", "rest"], axis=1)
    refused(tmp_path, "more or fewer parts", growing(parts, weights=[constant("sizes", 2, 1, 1)]))


def test_a_window_moves_by_no_more_than_arrays_have(tmp_path) -> None:
    pool = helper.make_node("MaxPool", ["noise"], ["large"], kernel_shape=[1], strides=[1 << 62])
    refused(tmp_path, "wider than any array", growing(pool))


def test_what_would_run_for_years_is_refused(tmp_path) -> None:
    squares = [f"square_{number}" for number in range(20)]
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["square_0"]),
        *(
            helper.make_node("MatMul", [before, before], [after])
            for before, after in pairwise([*squares, "large"])
        ),
    ]
    graph = growing(*nodes, weights=[constant("shape", 1 << 14, 1 << 14)])
    refused(tmp_path, "it computes more than", graph)


def test_the_same_weights_are_not_taken_again_and_again(tmp_path) -> None:
    content = bytes(1 << 20)
    many = np.frombuffer(content, np.float32)
    weights = [handmade.stored(f"again_{number}", many) for number in range(81)]
    graph = growing(helper.make_node("Neg", ["again_0"], ["large"]), weights=weights)
    refused(tmp_path, "again and again", graph, weights=content)
