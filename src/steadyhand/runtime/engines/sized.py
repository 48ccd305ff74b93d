"""Arrays as far as they are known before anything is computed: shapes, and small whole numbers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray

Shape = tuple[int, ...]


class Sized(NamedTuple):
    """An array as far as it is known before anything is computed."""

    shape: Shape
    value: NDArray[Any] | None = None
    """Where it is small, and does not depend on what is seen."""
    kind: str = "f"
    """Of its numbers, as numpy has them: "f", "i" and "u" for whole ones, "b"."""


Attributes = Mapping[str, Any]
Rule = Callable[[Attributes, Sequence[Sized | None]], Sequence[Shape]]
"""Attributes and inputs, None for those left out → the shapes of all outputs that it may have."""


def broadcast(*shapes: Shape) -> Shape:
    """The shape of a sum of arrays. Raises `ValueError` where there is none."""
    width = max(map(len, shapes))
    columns = zip(*((1,) * (width - len(shape)) + shape for shape in shapes), strict=True)
    found: list[int] = []
    for sizes in columns:
        large = {size for size in sizes if size != 1} or {1}
        if len(large) > 1:
            raise ValueError("arrays of different sizes meet")
        found.append(large.pop())
    return tuple(found)


def need(given: Sequence[Sized | None], place: int) -> Sized:
    """That input. Raises `ValueError` where it is left out."""
    if place >= len(given) or (found := given[place]) is None:
        raise ValueError("an input is missing")
    return found


def wholes(given: Sequence[Sized | None], place: int) -> list[int] | None:
    """The whole numbers of that input; None where it is left out.

    Raises `ValueError` where they are not known before anything is computed.
    """
    if place >= len(given) or (found := given[place]) is None:
        return None
    if found.value is None or found.value.dtype.kind not in "iu":
        raise ValueError("sizes depend on what is seen")
    return [int(value) for value in found.value.ravel()]


def told(given: Sequence[Sized | None], place: int) -> list[int]:
    """As `wholes`, of an input that is needed."""
    need(given, place)
    return wholes(given, place) or []


def at(axis: int, width: int) -> int:
    """An axis counted from the front. Raises `ValueError` where there is none such."""
    if not -width <= axis < width:
        raise ValueError("an axis is none of the array's")
    return axis % width


def without(shape: Shape, gone: set[int], *, keep: int) -> Shape:
    """The shape, some of its axes 1, or gone unless they are kept."""
    sizes = ((1 if axis in gone else size, axis) for axis, size in enumerate(shape))
    return tuple(size for size, axis in sizes if keep or axis not in gone)
