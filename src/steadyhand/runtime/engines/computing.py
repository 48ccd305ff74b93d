"""Shapes of what operators compute: sums, products, convolutions, what is summed up."""

from collections.abc import Sequence
from math import prod

from steadyhand.runtime.engines.sized import (
    Attributes,
    Shape,
    Sized,
    at,
    broadcast,
    need,
    wholes,
    without,
)

Given = Sequence[Sized | None]
WIDEST = 1 << 24
"""Numbers that a window may reach over, or move by."""
MOST_GATHERED = 1 << 30
"""Numbers under all places of a window."""


def together(attributes: Attributes, given: Given) -> list[Shape]:
    return [broadcast(*(one.shape for one in given if one is not None))]


def as_first(attributes: Attributes, given: Given) -> list[Shape]:
    return [need(given, 0).shape]


def as_second(attributes: Attributes, given: Given) -> list[Shape]:
    return [need(given, 1).shape]


def normalised(attributes: Attributes, given: Given) -> list[Shape]:
    shape = need(given, 0).shape
    axis = at(attributes.get("axis", -1), len(shape))
    of_each = (*shape[:axis], *(1 for _ in shape[axis:]))
    return [shape, of_each, of_each]


def quantised(attributes: Attributes, given: Given) -> list[Shape]:
    return [need(given, 0).shape, (), ()]


def product(attributes: Attributes, given: Given) -> list[Shape]:
    left, right = need(given, 0).shape, need(given, 1).shape
    if not left or not right or left[-1] != right[max(len(right) - 2, 0)]:
        raise ValueError("matrices do not fit together")
    if len(left) == 1 or len(right) == 1:
        return [(*left[:-1], *right[:-2], *(right[-1:] if len(right) > 1 else ()))]
    return [(*broadcast(left[:-2], right[:-2]), left[-2], right[-1])]


def gemm(attributes: Attributes, given: Given) -> list[Shape]:
    left, right = need(given, 0).shape, need(given, 1).shape
    left = left[::-1] if attributes.get("transA") else left
    right = right[::-1] if attributes.get("transB") else right
    if len(left) != 2 or len(right) != 2 or left[1] != right[0]:
        raise ValueError("matrices do not fit together")
    return [(left[0], right[1])]


def window(
    attributes: Attributes, sizes: Shape, kernel: Shape, *, across: bool = False
) -> list[int]:
    """What a window that is moved over an array leaves of its sizes; `across`, what it makes."""
    many = len(sizes)
    if attributes.get("auto_pad", b"NOTSET") != b"NOTSET" or attributes.get("output_shape"):
        raise ValueError("padding is not said in numbers")
    strides = attributes.get("strides") or [1] * many
    spread = attributes.get("dilations") or [1] * many
    pads = attributes.get("pads") or [0] * 2 * many
    more = attributes.get("output_padding") or [0] * many
    if {len(kernel), len(strides), len(spread), len(more), len(pads) // 2} != {many}:
        raise ValueError("a window has other axes than what it is moved over")
    if min((*strides, *spread, *kernel)) < 1:
        raise ValueError("a window does not move")
    if max(map(abs, (*strides, *spread, *kernel, *pads, *more))) > WIDEST:
        raise ValueError("a window is wider than any array")
    found: list[int] = []
    for axis, size in enumerate(sizes):
        reach = spread[axis] * (kernel[axis] - 1) + 1
        padding = pads[axis] + pads[axis + many]
        if across:
            found.append(strides[axis] * (size - 1) + more[axis] + reach - padding)
        else:
            room = size + padding - reach + (strides[axis] - 1) * (attributes.get("ceil_mode") or 0)
            found.append(room // strides[axis] + 1)
    return found


def conv(attributes: Attributes, given: Given) -> list[Shape]:
    seen, weight = need(given, 0).shape, need(given, 1).shape
    if len(seen) < 3 or len(weight) != len(seen):
        raise ValueError("a convolution has other axes than what it is moved over")
    made = window(attributes, seen[2:], weight[2:])
    if prod((*made, *weight[1:])) > MOST_GATHERED:  # engines lay out what every place sees
        raise ValueError("a convolution is larger than any policy has")
    return [(seen[0], weight[0], *made)]


def conv_across(attributes: Attributes, given: Given) -> list[Shape]:
    seen, weight = need(given, 0).shape, need(given, 1).shape
    if len(seen) < 3 or len(weight) != len(seen):
        raise ValueError("a convolution has other axes than what it is moved over")
    channels = weight[1] * (attributes.get("group") or 1)
    return [(seen[0], channels, *window(attributes, seen[2:], weight[2:], across=True))]


def pool(attributes: Attributes, given: Given) -> list[Shape]:
    seen = need(given, 0).shape
    shape = (*seen[:2], *window(attributes, seen[2:], tuple(attributes.get("kernel_shape") or ())))
    return [shape, shape]


def pool_all(attributes: Attributes, given: Given) -> list[Shape]:
    seen = need(given, 0).shape
    return [(*seen[:2], *(1 for _ in seen[2:]))]


def reduced(attributes: Attributes, given: Given) -> list[Shape]:
    shape, axes = need(given, 0).shape, wholes(given, 1)
    if not axes and attributes.get("noop_with_empty_axes"):
        return [shape]
    gone = {at(axis, len(shape)) for axis in axes or range(len(shape))}
    return [without(shape, gone, keep=attributes.get("keepdims", 1))]


def placed(attributes: Attributes, given: Given) -> list[Shape]:
    shape = need(given, 0).shape
    gone = {at(attributes.get("axis", 0), len(shape))}
    return [without(shape, gone, keep=attributes.get("keepdims", 1))]
