"""Whether the numbers of a graph are whole, which matters where they are divided.

A processor stops a program that divides whole numbers by 0, and engines do not look before.
"""

from collections.abc import Sequence

from steadyhand.runtime.engines.sized import Attributes, Sized, need
from steadyhand.runtime.engines.tensors import KINDS, sized

WHOLE = ("Shape", "Size", "ArgMax", "ArgMin", "MatMulInteger", "ConvInteger", "QuantizeLinear")
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


def check_divided(operator: str, given: Sequence[Sized | None]) -> None:
    """Raise `ValueError` where whole numbers are divided by what may not be above 0."""
    if operator not in ("Div", "Mod") or need(given, 0).kind == "f":
        return
    by = need(given, 1).value
    if by is None or not (by > 0).all():
        raise ValueError("whole numbers are divided by what may be 0")
