"""The configuration of each network: what a recipe names and a policy's file stores. No torch here.

`build` imports the network when it is called, so that the command line needs no torch for --help.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from steadyhand.errors import ConfigurationError
from steadyhand.spec import PolicySpec

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class StateEncoderConfig:
    """Joins the states; learns nothing."""

    def build(self, spec: PolicySpec) -> nn.Module:
        """The encoder for `spec`; its `condition_shape` is (obs_steps, numbers a step)."""
        from steadyhand.nets.encoder import StateEncoder

        return StateEncoder(spec)


@dataclass(frozen=True, kw_only=True)
class MLPConfig:
    """A residual perceptron over the flattened chunk: small and fast, for states."""

    width: int = 512
    """Features of each hidden layer."""
    blocks: int = 3
    """Residual blocks."""
    expansion: int = 2
    """Width inside a block, in multiples of `width`."""
    dropout: float = 0.0
    """Share of hidden features dropped in training."""

    def __post_init__(self) -> None:
        for name in ("width", "blocks", "expansion"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if not 0 <= self.dropout < 1:
            raise ConfigurationError(f"dropout is {self.dropout}; it must be in [0, 1).")

    def build(self, spec: PolicySpec, condition_shape: tuple[int, int]) -> nn.Module:
        """The denoiser for chunks of `spec`, driven by a condition of shape (N, D)."""
        from steadyhand.nets.mlp import ResidualMLP

        return ResidualMLP(
            horizon=spec.chunking.horizon,
            action_size=spec.action_size,
            condition_shape=condition_shape,
            width=self.width,
            blocks=self.blocks,
            expansion=self.expansion,
            dropout=self.dropout,
        )


@dataclass(frozen=True, kw_only=True)
class UNetConfig:
    """The paper's 1-D U-Net over time; the defaults are a small one, about 4 M parameters."""

    widths: tuple[int, ...] = (64, 128, 256)
    """Channels of each level; every level after the first halves the time axis."""
    kernel: int = 5
    """Time steps one convolution sees; odd."""
    groups: int = 8
    """Groups of the group norm."""
    step_width: int = 128
    """Features of the embedded time."""

    def build(self, spec: PolicySpec, condition_shape: tuple[int, int]) -> nn.Module:
        """The denoiser for chunks of `spec`, driven by a condition of shape (N, D)."""
        from steadyhand.nets.unet import UNet1d

        return UNet1d(
            horizon=spec.chunking.horizon,
            action_size=spec.action_size,
            condition_shape=condition_shape,
            widths=self.widths,
            kernel=self.kernel,
            groups=self.groups,
            step_width=self.step_width,
        )


PAPER_UNET = UNetConfig(widths=(256, 512, 1024), step_width=256)
"""The U-Net of the paper's low-dimensional experiments: 65 M parameters."""
