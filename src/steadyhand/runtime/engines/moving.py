"""Shapes of what operators move about and change nothing of: turned, split, joined, repeated."""

from collections.abc import Sequence
from math import prod

import numpy as np

from steadyhand.runtime.engines.sized import (
    Attributes,
    Shape,
    Sized,
    at,
    broadcast,
    need,
    told,
    wholes,
    without,
)

Given = Sequence[Sized | None]


def reshaped(attributes: Attributes, given: Given) -> list[Shape]:
    shape, wanted = need(given, 0).shape, told(given, 1)
    if not attributes.get("allowzero"):
        wanted = [shape[axis] if size == 0 else size for axis, size in enumerate(wanted)]
    if wanted.count(-1) == 1:
        rest = prod(size for size in wanted if size != -1)
        wanted[wanted.index(-1)] = prod(shape) // rest if rest else 0
    if prod(wanted) != prod(shape):
        raise ValueError("an array is given another number of numbers")
    return [tuple(wanted)]


def turned(attributes: Attributes, given: Given) -> list[Shape]:
    shape = need(given, 0).shape
    order = attributes.get("perm") or list(range(len(shape)))[::-1]
    if sorted(order) != list(range(len(shape))):
        raise ValueError("axes are turned that are not there")
    return [tuple(shape[axis] for axis in order)]


def squeezed(attributes: Attributes, given: Given) -> list[Shape]:
    shape, axes = need(given, 0).shape, wholes(given, 1)
    gone = {axis for axis, size in enumerate(shape) if size == 1}
    if axes is not None:
        gone = {at(axis, len(shape)) for axis in axes}
    if any(shape[axis] != 1 for axis in gone):
        raise ValueError("an axis that has numbers is left out")
    return [without(shape, gone, keep=0)]


def unsqueezed(attributes: Attributes, given: Given) -> list[Shape]:
    shape, axes = need(given, 0).shape, told(given, 1)
    width = len(shape) + len(axes)
    new, rest = {at(axis, width) for axis in axes}, iter(shape)
    if len(new) < len(axes):
        raise ValueError("an axis is added twice")
    return [tuple(1 if axis in new else next(rest) for axis in range(width))]


def flat(attributes: Attributes, given: Given) -> list[Shape]:
    shape, axis = need(given, 0).shape, attributes.get("axis", 1)
    return [(prod(shape[:axis]), prod(shape[axis:]))]


def joined(attributes: Attributes, given: Given) -> list[Shape]:
    shapes = [one.shape for one in given if one is not None]
    axis = at(attributes.get("axis", 0), len(need(given, 0).shape))
    if len({(*shape[:axis], 0, *shape[axis + 1 :]) for shape in shapes}) != 1:
        raise ValueError("arrays of different sizes are joined")
    size = sum(shape[axis] for shape in shapes)
    return [(*shapes[0][:axis], size, *shapes[0][axis + 1 :])]


def split(attributes: Attributes, given: Given) -> list[Shape]:
    shape, sizes = need(given, 0).shape, wholes(given, 1)
    axis, many = at(attributes.get("axis", 0), len(shape)), attributes["outputs"]
    if attributes.get("num_outputs", many) != many or len(sizes or [0] * many) != many:
        raise ValueError("an array is split into more or fewer parts than it says")
    if sizes is None:
        each = -(-shape[axis] // many)
        sizes = [each] * (many - 1) + [shape[axis] - each * (many - 1)]
    if sum(sizes) != shape[axis]:
        raise ValueError("an array is split into another number of numbers")
    return [(*shape[:axis], size, *shape[axis + 1 :]) for size in sizes]


def slices(given: Given) -> list[slice]:
    """What a Slice takes of each axis of its first input."""
    shape, starts, stops = need(given, 0).shape, told(given, 1), told(given, 2)
    axes = wholes(given, 3) or list(range(len(starts)))
    steps = wholes(given, 4) or [1] * len(starts)
    if not len(starts) == len(stops) == len(axes) == len(steps) or 0 in steps:
        raise ValueError("a slice is not said for every axis of it")
    taken = [slice(None)] * len(shape)
    for start, stop, axis, step in zip(starts, stops, axes, steps, strict=True):
        place = at(axis, len(shape))
        before = step < 0 and stop < -shape[place]  # the first one is taken, too
        taken[place] = slice(start, None if before else stop, step)
    return taken


def sliced(attributes: Attributes, given: Given) -> list[Shape]:
    shape = need(given, 0).shape
    each = zip(shape, slices(given), strict=True)
    return [tuple(len(range(size)[taken]) for size, taken in each)]


def gathered(attributes: Attributes, given: Given) -> list[Shape]:
    shape, places = need(given, 0).shape, need(given, 1).shape
    axis = at(attributes.get("axis", 0), len(shape))
    return [(*shape[:axis], *places, *shape[axis + 1 :])]


def gathered_nd(attributes: Attributes, given: Given) -> list[Shape]:
    shape, places = need(given, 0).shape, need(given, 1).shape
    alike = attributes.get("batch_dims", 0)
    return [(*places[:-1], *shape[alike + places[-1] :])]


def padded(attributes: Attributes, given: Given) -> list[Shape]:
    shape, pads = list(need(given, 0).shape), told(given, 1)
    axes = wholes(given, 3) or list(range(len(shape)))
    if len(pads) != 2 * len(axes):
        raise ValueError("padding is not said for every axis of it")
    for place, axis in enumerate(axes):
        shape[at(axis, len(shape))] += pads[place] + pads[place + len(axes)]
    return [tuple(shape)]


def expanded(attributes: Attributes, given: Given) -> list[Shape]:
    return [broadcast(need(given, 0).shape, tuple(told(given, 1)))]


def tiled(attributes: Attributes, given: Given) -> list[Shape]:
    shape, times = need(given, 0).shape, told(given, 1)
    if len(times) != len(shape):
        raise ValueError("an array is repeated along axes that it has not")
    return [tuple(size * many for size, many in zip(shape, times, strict=True))]


def filled(attributes: Attributes, given: Given) -> list[Shape]:
    return [tuple(told(given, 0))]


def resized(attributes: Attributes, given: Given) -> list[Shape]:
    shape = list(need(given, 0).shape)
    axes = attributes.get("axes") or list(range(len(shape)))
    if attributes.get("keep_aspect_ratio_policy", b"stretch") != b"stretch":
        raise ValueError("sizes are not said in numbers")
    if (sizes := wholes(given, 3)) is None:
        scales = need(given, 2).value
        if scales is None or not np.isfinite(scales).all():
            raise ValueError("sizes depend on what is seen")
        each = zip(axes, scales.ravel().tolist(), strict=True)
        sizes = [int(np.floor(shape[at(axis, len(shape))] * scale)) for axis, scale in each]
    for axis, size in zip(axes, sizes, strict=True):
        shape[at(axis, len(shape))] = size
    return [tuple(shape)]


def ranged(attributes: Attributes, given: Given) -> list[Shape]:
    values = [need(given, place).value for place in range(3)]
    known = [float(value.item()) for value in values if value is not None and value.size == 1]
    if len(known) < 3 or not known[2] or not np.isfinite(known).all():
        raise ValueError("sizes depend on what is seen")
    start, stop, step = known
    return [(max(0, int(np.ceil((stop - start) / step))),)]


def highest(attributes: Attributes, given: Given) -> list[Shape]:
    shape = list(need(given, 0).shape)
    (shape[at(attributes.get("axis", -1), len(shape))],) = told(given, 1)
    return [tuple(shape)] * 2


def of_its_shape(attributes: Attributes, given: Given) -> list[Shape]:
    whole = len(need(given, 0).shape)
    return [(len(range(whole)[attributes.get("start", 0) : attributes.get("end", whole)]),)]


def one(attributes: Attributes, given: Given) -> list[Shape]:
    return [()]
