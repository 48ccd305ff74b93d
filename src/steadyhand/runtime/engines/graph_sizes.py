"""Follows the sizes of a graph's arrays from its inputs on, before an engine allocates any.

Nothing is computed but small whole numbers of which sizes are made.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from steadyhand.runtime.engines.crashes import check_safe
from steadyhand.runtime.engines.effort import MOST, effort
from steadyhand.runtime.engines.kinds import kinds_of
from steadyhand.runtime.engines.moving import slices
from steadyhand.runtime.engines.operators import OPTIONAL, RULES
from steadyhand.runtime.engines.sized import Attributes, Shape, Sized, need
from steadyhand.runtime.engines.small_numbers import computed
from steadyhand.runtime.engines.tensors import FEW, sized
from steadyhand.values import shown

Message = Mapping[str, Any]
MOST_NUMBERS = 1 << 30
"""That may be there at one time, inputs and weights besides: 4 GiB in float32."""
OUTPUTS = 256
"""Of one node."""
FIELDS = {1: "float", 2: "whole", 3: "text", 4: "tensor", 6: "floats", 7: "wholes"}
"""Where the value of an attribute is, by its type."""
NOTHING = {"float": 0.0, "whole": 0, "text": b""}
"""What an attribute is whose value is not written."""


def attributes_of(node: Message) -> Attributes:
    """The attributes of a node by name. Raises `ValueError` for those of no known type."""
    found: dict[str, Any] = {"outputs": len(node["outputs"])}
    for one in node["attributes"]:
        name, field = one["name"], FIELDS.get(one["type"])
        if name is None or field is None or name in found:
            raise ValueError(f"the attribute {shown(name)} is none of an operator of an export")
        value: Any = NOTHING.get(field) if one[field] is None else one[field]
        found[name] = bytes(value) if field == "text" else value
    return found


def follow(
    nodes: Sequence[Message], known: Mapping[str, Sized], chunks: int = 1
) -> dict[str, Sized]:
    """Every array of a graph for so many chunks whose inputs and weights are `known`, by name.

    Raises `ValueError` for an operator that is not on the list, for arrays that do not fit
    together, and for more numbers at a time, or more to compute, than any policy has.
    """
    found = dict(known)
    uses = Counter(name for node in nodes for name in node["inputs"])
    there = spent = 0
    for node in nodes:
        operator = node["operator"]
        try:
            given = [found[name] if name else None for name in node["inputs"]]
            made = _answers(node, given)
            spent += effort(operator, attributes_of(node), given, made)
        except KeyError as error:
            raise ValueError(f"the input {error} of a node is made by none before it") from None
        except (ValueError, IndexError, TypeError, AttributeError, ArithmeticError) as error:
            raise ValueError(f"{error} (operator {shown(operator)})") from None
        for name, one in zip(node["outputs"], made, strict=True):
            if name in found:
                raise ValueError(f"two arrays are called {shown(name)}")
            there += prod(one.shape) if name else 0
            found.update({name: one} if name else {})
        if there > MOST_NUMBERS:
            raise ValueError(
                f"it computes with {there} numbers at a time (operator {operator}), more than the "
                f"{MOST_NUMBERS} that a policy may have"
            )
        if spent > MOST * chunks:
            raise ValueError(f"it computes more than {MOST} products of numbers for a chunk")
        for name in {*node["inputs"]} - known.keys() - {""}:
            uses[name] -= node["inputs"].count(name)
            there -= 0 if uses[name] else prod(found[name].shape)
    return found


def _answers(node: Message, given: Sequence[Sized | None]) -> list[Sized]:
    """What a node answers."""
    operator, outputs = node["operator"], node["outputs"]
    if not 0 < len(outputs) <= OUTPUTS:
        raise ValueError("it answers nothing, or too much")
    attributes = attributes_of(node)
    if operator == "Constant":
        return [_constant(attributes)]
    rule = RULES.get(operator)
    if rule is None or node["domain"]:
        raise ValueError("it is none of the operators that exports have")
    if any(one is None for one in given[: min(OPTIONAL.get(operator, len(given)), len(given))]):
        raise ValueError("an input is missing")  # an engine may look at it without asking
    check_safe(operator, attributes, given)
    shapes = list(rule(attributes, given))[: len(outputs)]
    if len(shapes) < len(outputs):
        raise ValueError("it answers more than such an operator does")
    if any(size < 0 for shape in shapes for size in shape):
        raise ValueError("an array has less than no numbers")
    kinds = kinds_of(operator, attributes, given, len(shapes))
    return [
        _known(operator, attributes, given, shape)._replace(kind=kind)
        for shape, kind in zip(shapes, kinds, strict=True)
    ]


def _constant(attributes: Attributes) -> Sized:
    for name, kind in (("value_int", np.int64), ("value_float", np.float32)):
        if name in attributes:
            return Sized((), np.array(attributes[name], kind), np.dtype(kind).kind)
    for name, kind in (("value_ints", np.int64), ("value_floats", np.float32)):
        if name in attributes:
            told = np.array(attributes[name], kind)
            return Sized(told.shape, told, told.dtype.kind)
    if "value" not in attributes:
        raise ValueError("it holds no numbers")
    return sized(attributes["value"])


def _known(
    operator: str, attributes: Attributes, given: Sequence[Sized | None], shape: Shape
) -> Sized:
    """An array of that shape; with its numbers, where they are few, whole and can be known."""
    if prod(shape) > FEW:
        return Sized(shape)
    if operator == "Slice":
        value = need(given, 0).value
        return Sized(shape, None if value is None else value[tuple(slices(given))])
    if operator in ("Shape", "Size"):
        values = [np.array(need(given, 0).shape, np.int64)]
    else:
        values = [one.value for one in given if one is not None and one.value is not None]
        if len(values) < len(given) or any(value.dtype.kind not in "iub" for value in values):
            return Sized(shape)
    with np.errstate(all="ignore"):
        value = computed(operator, attributes, values)
    if value is None or value.dtype.kind not in "iub":
        return Sized(shape)
    return Sized(shape, value.reshape(shape))
