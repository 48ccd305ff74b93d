"""Whether the numbers of a graph are whole, which matters where they are divided."""

from collections.abc import Sequence

from steadyhand.runtime.engines.sized import Attributes, Sized, need
from steadyhand.runtime.engines.tensors import KINDS, sized

WHOLE = ("Shape", "Size", "ArgMax", "ArgMin", "MatMulInteger", "ConvInteger")
TRUTHS = (
    *("And", "Or", "Xor", "Not", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"),
    *("IsNaN", "IsInf"),
)
AS_SECOND = ("CastLike", "Where")


def kinds_of(
    operator: str, attributes: Attributes, given: Sequence[Sized | None], many: int
) -> list[str]:
    """The kind of numbers of each of the `many` arrays that an operator answers."""
    if operator in TRUTHS:
        return ["b"] * many
    if operator in WHOLE:
        return ["i"] * many
    if operator == "DequantizeLinear":
        return ["f"] * many
    if operator == "DynamicQuantizeLinear":
        return ["u", "f", "u"][:many]
    if operator == "Cast":
        kind = KINDS.get(attributes.get("to", 0))
        return ["?" if kind is None else kind.kind] * many
    if operator == "ConstantOfShape":
        return [sized(attributes["value"]).kind if "value" in attributes else "f"] * many
    first = need(given, 1 if operator in AS_SECOND else 0).kind
    places = ["i"] if operator in ("TopK", "MaxPool") else [first]
    return [first, *places * (many - 1)]
