"""What ONNX allows and an engine crashes on, or worse: it reads and writes beside its arrays.

Places in an array that depend on what is seen are looked at when a graph runs: by ONNX Runtime
itself, and for OpenVINO in `within.py`.
"""

from collections.abc import Sequence
from math import prod

from steadyhand.runtime.engines.sized import Attributes, Sized, at, need

ELEMENTS = ("GatherElements", "ScatterElements")
SLICES = ("GatherND", "ScatterND")


def check_safe(operator: str, attributes: Attributes, given: Sequence[Sized | None]) -> None:
    """Raise `ValueError` where an engine may not survive an operator."""
    if operator in ("Div", "Mod") and need(given, 0).kind != "f":
        by = need(given, 1).value
        if by is None or not (by > 0).all():
            raise ValueError("whole numbers are divided by what may be 0")
    if operator in ELEMENTS:
        _check_elements(attributes, given)
    if operator in SLICES:
        _check_slices(operator, attributes, given)
    if operator == "LayerNormalization" and attributes.get("stash_type", 1) != 1:
        raise ValueError("it computes in numbers of another kind")
    if operator == "DequantizeLinear" and need(given, 1).kind != "f":
        raise ValueError("a scale is no float")


def _check_elements(attributes: Attributes, given: Sequence[Sized | None]) -> None:
    seen, places = need(given, 0).shape, need(given, 1)
    axis = at(attributes.get("axis", 0), len(seen))
    others = [(a, b) for n, (a, b) in enumerate(zip(seen, places.shape, strict=False)) if n != axis]
    if len(places.shape) != len(seen) or any(many > size for size, many in others):
        raise ValueError("there are more places than numbers")
    if len(given) > 2 and need(given, 2).shape != places.shape:
        raise ValueError("there are other numbers than places")
    _check_within(places, seen[axis])


def _check_slices(operator: str, attributes: Attributes, given: Sequence[Sized | None]) -> None:
    seen, places = need(given, 0).shape, need(given, 1)
    alike, deep = attributes.get("batch_dims", 0), places.shape[-1]
    if not 0 <= alike < len(places.shape) or not 0 < deep <= len(seen) - alike:
        raise ValueError("places are of more axes than the array has")
    if seen[:alike] != places.shape[:alike]:
        raise ValueError("there are more places than numbers")
    if operator == "ScatterND" and need(given, 2).shape != (*places.shape[:-1], *seen[deep:]):
        raise ValueError("there are other numbers than places")
    for column, size in enumerate(seen[alike : alike + deep]):
        value = None if places.value is None else places.value[..., column]
        _check_within(Sized(places.shape, value), size)


def _check_within(places: Sized, size: int) -> None:
    if not prod(places.shape):
        return
    value = places.value
    if not size or (value is not None and not ((value >= -size) & (value < size)).all()):
        raise ValueError("a place is outside of its array")
