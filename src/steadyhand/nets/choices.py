"""The configuration of each denoiser, as recipes name it and policies store it. No torch here.

`build` imports the network when it is called, so that the command line needs no torch for --help.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from steadyhand.sizes import Depth, Share, Width, check_levels
from steadyhand.spec import PolicySpec
from steadyhand.values import Bound, checked

if TYPE_CHECKING:
    from torch import nn

TokenWidth = Annotated[
    Width, Bound("even, and at least 4", lambda width: width >= 4 and width % 2 == 0)
]


def _sizes(spec: PolicySpec, condition: tuple[int, int], outputs: int | None) -> dict[str, Any]:
    """What every denoiser is told; it answers with the numbers of an action unless `outputs`.

    Where rows may be given clean, it sees one number more of each: whether it is.
    """
    seen = spec.network_size + (spec.chunking.prefix > 0)
    chunk = {"horizon": spec.chunking.horizon, "action_size": seen}
    return {**chunk, "condition_shape": condition, "out_features": outputs or spec.network_size}


@checked
@dataclass(frozen=True, kw_only=True)
class MLPConfig:
    """A residual perceptron over the flattened chunk: small and fast, for states."""

    width: Width = 512
    """Features of each hidden layer."""
    blocks: Depth = 3
    """Residual blocks."""
    expansion: Depth = 2
    """Width inside a block, in multiples of `width`."""
    dropout: Share = 0.0
    """Share of hidden features dropped in training."""

    def build(
        self, spec: PolicySpec, condition_shape: tuple[int, int], out_features: int | None = None
    ) -> nn.Module:
        """The denoiser for chunks of `spec`, driven by a condition of shape (N, D)."""
        from steadyhand.nets.mlp import ResidualMLP

        return ResidualMLP(**_sizes(spec, condition_shape, out_features), **vars(self))


@checked
@dataclass(frozen=True, kw_only=True)
class UNetConfig:
    """The paper's 1-D U-Net over time; the defaults are a small one, about 4 M parameters."""

    widths: tuple[Width, ...] = (64, 128, 256)
    """Channels of each level; every level after the first halves the time axis."""
    kernel: Depth = 5
    """Time steps one convolution sees; odd."""
    groups: Width = 8
    """Groups of the group norm."""
    step_width: Width = 128
    """Features of the embedded time."""

    def __post_init__(self) -> None:
        check_levels("widths", self.widths)

    def build(
        self, spec: PolicySpec, condition_shape: tuple[int, int], out_features: int | None = None
    ) -> nn.Module:
        """The denoiser for chunks of `spec`, driven by a condition of shape (N, D)."""
        from steadyhand.nets.unet import UNet1d

        return UNet1d(**_sizes(spec, condition_shape, out_features), **vars(self))


@checked
@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """The paper's Transformer; the defaults are half as deep as it, about 5 M parameters."""

    width: TokenWidth = 256
    """Features of each token."""
    layers: Depth = 4
    """Blocks."""
    heads: Depth = 4
    """Heads of each attention; they divide the width."""
    dropout: Share = 0.0
    """Share of features and attention dropped in training."""
    causal: bool = True
    """Whether an action sees no action and no observation that comes after it."""

    def build(
        self, spec: PolicySpec, condition_shape: tuple[int, int], out_features: int | None = None
    ) -> nn.Module:
        """The denoiser for chunks of `spec`, driven by a condition of shape (N, D).

        Where N is not the number of observation steps, tokens have no time, and all are seen.
        """
        from steadyhand.nets.transformer import Transformer

        chunking, options = spec.chunking, {**vars(self)}
        if options.pop("causal"):
            options["row_times"] = chunking.action_offsets.tolist()
            if condition_shape[0] == chunking.obs_steps:
                options["token_times"] = chunking.observation_offsets.tolist()
        return Transformer(**_sizes(spec, condition_shape, out_features), **options)


@checked
@dataclass(frozen=True, kw_only=True)
class DiTConfig:
    """A diffusion transformer with adaptive layer norm, about 7 M parameters."""

    width: TokenWidth = 256
    """Features of each token."""
    layers: Depth = 4
    """Blocks."""
    heads: Depth = 4
    """Heads of each attention; they divide the width."""
    expansion: Depth = 4
    """Width inside a block's perceptron, in multiples of `width`."""
    dropout: Share = 0.0
    """Share of features and attention dropped in training."""
    positions: bool = True
    """Whether condition tokens are told apart by their place; without, any number may be given."""

    def build(
        self, spec: PolicySpec, condition_shape: tuple[int, int], out_features: int | None = None
    ) -> nn.Module:
        """The denoiser for chunks of `spec`, driven by a condition of shape (N, D)."""
        from steadyhand.nets.dit import DiffusionTransformer

        return DiffusionTransformer(**_sizes(spec, condition_shape, out_features), **vars(self))


PAPER_UNET = UNetConfig(widths=(256, 512, 1024), step_width=256)
"""The U-Net of the paper's low-dimensional experiments: 65 M parameters."""


PAPER_TRANSFORMER = TransformerConfig(layers=8, dropout=0.01)
"""The Transformer of the paper's low-dimensional experiments: 9.0 M parameters."""
