"""The configuration of each network: what a recipe names and a policy's file stores. No torch here.

`build` imports the network when it is called, so that the command line needs no torch for --help.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from steadyhand.errors import ConfigurationError
from steadyhand.spec import PolicySpec

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class StateEncoderConfig:
    """Joins the states; learns nothing."""

    def settled(self) -> StateEncoderConfig:
        """As it is: nothing has to be read from elsewhere."""
        return self

    def build(self, spec: PolicySpec) -> nn.Module:
        """The encoder for `spec`; its `condition_shape` is (obs_steps, numbers a step)."""
        from steadyhand.nets.encoder import StateEncoder

        return StateEncoder(spec)


@dataclass(frozen=True, kw_only=True)
class ResNetConfig:
    """ResNet-18 with group norms, trained from scratch, as in the paper."""

    width: int = 64
    """Channels of the first level; each of the others doubles them."""
    blocks: tuple[int, ...] = (2, 2, 2, 2)
    """Residual blocks of each level; every level after the first halves the picture."""

    def __post_init__(self) -> None:
        if self.width < 1 or not self.blocks or min(self.blocks) < 1:
            raise ConfigurationError(
                f"A ResNet of width {self.width} with blocks {self.blocks} cannot be built; all of "
                "them are at least 1."
            )

    def build(self, channels: int, size: tuple[int, int]) -> nn.Module:
        """The network for pictures of `channels`, any size."""
        from steadyhand.nets.vision import ResNet

        return ResNet(channels, width=self.width, blocks=self.blocks)


@dataclass(frozen=True, kw_only=True)
class BackboneConfig:
    """A vision backbone of `transformers`: DINOv2, SigLIP, ConvNeXt and others."""

    source: str = "facebook/dinov2-small"
    """A folder with its weights, or its name on the hub; read when training begins."""
    frozen: bool = True
    """Whether its weights stay as they are."""
    architecture: str = ""
    """Its configuration as JSON; filled in from `source` when training begins."""
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    """Mean of the pictures it was trained on, filled in with the architecture."""
    deviation: tuple[float, ...] = (0.5, 0.5, 0.5)
    """Their standard deviation."""

    def settled(self) -> BackboneConfig:
        """With the architecture read from `source`. Raises `ConfigurationError` where it cannot."""
        if self.architecture:
            return self
        from steadyhand.nets.backbone import describe

        architecture, mean, deviation = describe(self.source)
        return replace(self, architecture=architecture, mean=mean, deviation=deviation)

    def build(self, channels: int, size: tuple[int, int]) -> nn.Module:
        """The untrained network for pictures of this size; `settled` comes first."""
        from steadyhand.nets.backbone import Backbone

        if not self.architecture:
            raise ConfigurationError(
                "This backbone has no architecture yet: use build_policy, which reads it from "
                f"'{self.source}'. A policy's file never fetches one."
            )
        if channels != 3:
            raise ConfigurationError(f"A backbone sees 3 channels, and a camera has {channels}.")
        return Backbone(
            self.architecture,
            mean=self.mean,
            deviation=self.deviation,
            frozen=self.frozen,
            size=size,
        )


@dataclass(frozen=True, kw_only=True)
class ImageEncoderConfig:
    """Cameras through a network each, their features joined with the states."""

    network: ResNetConfig | BackboneConfig = field(default_factory=ResNetConfig)
    """What looks at a picture."""
    shared: bool = False
    """Whether all cameras go through one network."""
    keypoints: int = 32
    """Places that the spatial softmax finds in each picture."""
    features: int = 64
    """Numbers that stand for one picture in the condition."""
    crop: float = 0.875
    """Share of each side that is seen: at a random place in training, else in the centre."""
    jitter: float = 0.0
    """Brightness and contrast vary by up to this share in training."""

    def __post_init__(self) -> None:
        for name in ("keypoints", "features"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if not 0 < self.crop <= 1 or not 0 <= self.jitter < 1:
            raise ConfigurationError(
                f"crop is {self.crop}, in (0, 1], and jitter {self.jitter}, in [0, 1)."
            )

    def settled(self) -> ImageEncoderConfig:
        """With what has to be read from elsewhere filled in."""
        if isinstance(self.network, BackboneConfig):
            return replace(self, network=self.network.settled())
        return self

    def build(self, spec: PolicySpec) -> nn.Module:
        """The encoder for `spec`; its `condition_shape` is (obs_steps, numbers a step)."""
        from steadyhand.nets.encoder import ImageEncoder

        return ImageEncoder(
            spec,
            self.network.build,
            keypoints=self.keypoints,
            features=self.features,
            shared=self.shared,
            crop=self.crop,
            jitter=self.jitter,
        )


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
