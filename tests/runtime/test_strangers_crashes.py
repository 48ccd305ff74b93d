"""Graphs that follow the rules of ONNX, and that an engine would crash on."""

import numpy as np
import pytest
from onnx import TensorProto, helper
from test_strangers_export import constant, growing, refused


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
