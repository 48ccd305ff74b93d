"""Places in arrays that OpenVINO is told while a graph runs, kept within those arrays.

It reads and writes wherever it is told, beside an array as well: a stranger's graph could change
what else is in memory.
"""

from typing import Any

from steadyhand.errors import library

ELEMENTS = ("GatherElements", "ScatterElementsUpdate")
SLICES = ("GatherND", "ScatterNDUpdate")


def keep_within(model: Any) -> None:
    """Put before each operator that picks numbers, or writes them, what holds its places.

    Of a model whose shapes are known. Places from the end, below 0, mean what they did.
    """
    changed = False
    for node in model.get_ordered_ops():
        if node.get_type_name() in (*ELEMENTS, *SLICES):
            _hold(node)
            changed = True
    if changed:
        model.validate_nodes_and_infer_types()


def _hold(node: Any) -> None:
    operators, place = library("openvino.opset13"), node.input(1)
    told, seen = place.get_source_output(), list(node.input(0).get_shape())
    if node.get_type_name() in ELEMENTS:
        by_input = node.get_type_name() == "ScatterElementsUpdate"
        axis = _constant(node.input(3)) if by_input else node.get_attributes()["axis"]
        sizes: Any = seen[axis]
    else:
        alike = node.get_attributes().get("batch_dims", 0)
        sizes = seen[alike : alike + list(place.get_shape())[-1]]
    kind = told.get_element_type()
    zero = operators.constant(0, kind)
    size = operators.constant(sizes, kind)
    last = operators.subtract(size, operators.constant(1, kind))
    from_end = operators.select(operators.less(told, zero), operators.add(told, size), told)
    held = operators.minimum(operators.maximum(from_end, zero), last)
    place.replace_source_output(held.output(0))


def _constant(given: Any) -> int:
    return int(given.get_source_output().get_node().get_data().item())
