"""Derivatives of single operations with regard to their inputs, in operations that engines have.

What torch computes in kernels of its own, in as few plain operations as it takes. The derivatives
with regard to weights are left out: nothing asks for them when a policy is sampled.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._decomp import core_aten_decompositions

aten = torch.ops.aten
Only = tuple[Tensor, None, None]
"""The derivative with regard to the input alone."""


def table() -> dict[Any, Callable[..., Any]]:
    """What stands for each operation that is not plain."""
    known = {key: by for key, by in core_aten_decompositions().items() if "backward" in key.name()}
    return {
        **known,
        aten.convolution_backward.default: _convolution,
        aten.mish_backward.default: _mish,
        aten.native_layer_norm_backward.default: _layer_norm,
        aten.native_group_norm.default: _grouped,
        aten.native_group_norm_backward.default: _group_norm,
    }


def _convolution(
    gradient: Tensor,
    x: Tensor,
    weight: Tensor,
    bias: Any,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Any,
    groups: int,
    asked: Any,
) -> Only:
    """Of a convolution, its transposed one with the same weights, and the other way round."""
    _only_input(asked)
    more = [0] * len(stride)
    if not transposed:
        # Rows that a stride did not reach are there, and 0.
        sizes = zip(x.shape[2:], gradient.shape[2:], weight.shape[2:], strict=True)
        steps = zip(stride, padding, dilation, strict=True)
        for place, ((whole, rows, kernel), (by, at, apart)) in enumerate(
            zip(sizes, steps, strict=True)
        ):
            more[place] = whole - ((rows - 1) * by - 2 * at + apart * (kernel - 1) + 1)
    steps = (stride, padding, dilation, not transposed, more, groups)
    return aten.convolution.default(gradient, weight, None, *steps), None, None


def _mish(gradient: Tensor, x: Tensor) -> Tensor:
    bent = torch.tanh(aten.softplus.default(x))
    return gradient * (bent + x * torch.sigmoid(x) * (1 - bent * bent))


def _layer_norm(
    gradient: Tensor,
    x: Tensor,
    shape: Sequence[int],
    mean: Tensor,
    scale: Tensor,
    weight: Tensor | None,
    bias: Any,
    asked: Any,
) -> Only:
    _only_input(asked)
    axes = list(range(x.ndim - len(shape), x.ndim))
    weighed = gradient if weight is None else gradient * weight
    return _centred(weighed, (x - mean) * scale, scale, axes), None, None


def _grouped(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    batch: Any,
    channels: Any,
    places: Any,
    groups: int,
    least: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Group norm itself. It gives the way back what is normed in place of the mean, so that it is
    computed once."""
    parts = x.reshape(x.shape[0], groups, -1)
    centred = parts - parts.mean(-1, keepdim=True)
    scale = torch.rsqrt((centred * centred).mean(-1, keepdim=True) + least)
    normed = centred * scale
    out = normed.reshape(x.shape)
    if weight is not None:
        out = out * _channels(weight, x)
    return out if bias is None else out + _channels(bias, x), normed, scale


def _group_norm(
    gradient: Tensor,
    x: Tensor,
    normed: Tensor,
    scale: Tensor,
    weight: Tensor | None,
    batch: Any,
    channels: Any,
    places: Any,
    groups: int,
    asked: Any,
) -> Only:
    _only_input(asked)
    weighed = gradient if weight is None else gradient * _channels(weight, x)
    back = _centred(weighed.reshape(normed.shape), normed, scale, [-1])
    return back.reshape(x.shape), None, None


def _centred(weighed: Tensor, normed: Tensor, scale: Tensor, axes: list[int]) -> Tensor:
    """Of what is normed over `axes` to mean 0 and size 1, neither of which it can change."""
    along = normed * (weighed * normed).mean(axes, keepdim=True)
    return scale * (weighed - weighed.mean(axes, keepdim=True) - along)


def _channels(values: Tensor, x: Tensor) -> Tensor:
    return values.view([1, -1] + [1] * (x.ndim - 2))


def _only_input(asked: Sequence[bool]) -> None:
    assert not any(asked[1:]), "weights are constants here"
