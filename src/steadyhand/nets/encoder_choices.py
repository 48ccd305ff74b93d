"""The configuration of what sees: what a recipe names and a policy's file stores. No torch here.

`build` imports the network when it is called, so that the command line needs no torch for --help.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError
from steadyhand.nets.task_choices import TaskEncoding
from steadyhand.sizes import LARGEST_NUMBER, Depth, Share, Width, check_levels
from steadyhand.spec import PolicySpec
from steadyhand.values import Bound, at_least, at_most, checked

if TYPE_CHECKING:
    from torch import nn

    from steadyhand.nets.encoder import ImageEncoder, StateEncoder


@checked
@dataclass(frozen=True, kw_only=True)
class StateEncoderConfig:
    """Joins the states; learns nothing but what stands for a task."""

    tasks: TaskEncoding = field(default_factory=TaskEncoding)
    """How it is told which task is to be done, where `task` is observed."""

    def settled(self) -> StateEncoderConfig:
        """As it is: nothing has to be read from elsewhere."""
        return self

    def task_vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """What tells these tasks apart, (n, K)."""
        return self.tasks.vectors(texts)

    def build(self, spec: PolicySpec) -> StateEncoder:
        """The encoder for `spec`; its `condition_shape` is (obs_steps, numbers a step)."""
        from steadyhand.nets.encoder import StateEncoder

        return StateEncoder(spec, self.tasks)


@checked
@dataclass(frozen=True, kw_only=True)
class ResNetConfig:
    """ResNet-18 with group norms, trained from scratch, as in the paper."""

    width: Width = 64
    """Channels of the first level; each of the others doubles them."""
    blocks: tuple[Depth, ...] = (2, 2, 2, 2)
    """Residual blocks of each level; every level after the first halves the picture."""

    def __post_init__(self) -> None:
        check_levels("blocks", self.blocks)

    def build(self, channels: int, size: tuple[int, int]) -> nn.Module:
        """The network for pictures of `channels`, any size."""
        from steadyhand.nets.vision import ResNet

        return ResNet(channels, **vars(self))


@checked
@dataclass(frozen=True, kw_only=True)
class BackboneConfig:
    """A vision backbone of `transformers`: DINOv2, SigLIP, ConvNeXt and others."""

    called = "backbone"

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
        from steadyhand.nets.architecture import describe

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
        if channels not in (1, 3):
            raise ConfigurationError(
                f"A backbone sees 3 channels, or one three times, and a camera has {channels}."
            )
        return Backbone(**vars(self), size=size)


@checked
@dataclass(frozen=True, kw_only=True)
class PointNetConfig:
    """Each point by itself, and of all of them the most, as in DP3."""

    points: Annotated[int, at_least(1), at_most(1 << 16)] = 512
    """Of a cloud's points, so many are seen: drawn anew in training, else evenly spaced."""
    widths: tuple[Width, ...] = (64, 128, 256)
    """Features of a point behind each layer."""

    def __post_init__(self) -> None:
        check_levels("widths", self.widths)

    def build(self, columns: int, features: int) -> nn.Module:
        """The network for clouds of points of so many `columns`."""
        from steadyhand.nets.points import PointNet

        return PointNet(columns, features, **vars(self))


@checked
@dataclass(frozen=True, kw_only=True)
class ImageEncoderConfig:
    """Cameras, depth and clouds of points through a network each, joined with the states."""

    network: ResNetConfig | BackboneConfig = field(default_factory=ResNetConfig)
    """What looks at a picture; depth is one of one channel."""
    cloud: PointNetConfig = field(default_factory=PointNetConfig)
    """What looks at a cloud of points."""
    depth_range: tuple[float, ...] = ()
    """Nearest and farthest metres of depth that are told apart, as 0.2 1.5; from the data unless
    named."""
    shared: bool = False
    """Whether all cameras go through one network."""
    keypoints: Annotated[int, at_least(1), at_most(4_096)] = 32
    """Places that the spatial softmax finds in each picture."""
    features: Width = 64
    """Numbers that stand for one picture, or one cloud, in the condition."""
    crop: Annotated[float, Bound("in (0, 1]", lambda crop: 0 < crop <= 1)] = 0.875
    """Share of each side that is seen: at a random place in training, else in the centre."""
    jitter: Share = 0.0
    """Brightness and contrast vary by up to this share in training."""
    tasks: TaskEncoding = field(default_factory=TaskEncoding)
    """How it is told which task is to be done, where `task` is observed."""

    def __post_init__(self) -> None:
        near, far = self.depth_range or (0.0, 1.0) if len(self.depth_range) in (0, 2) else (0, 0)
        if not 0 <= near < far <= LARGEST_NUMBER:
            raise ConfigurationError(
                f"depth_range is {self.depth_range}; give the nearest and the farthest metres that "
                "are told apart, as 0.2 1.5, or none: then it is taken from the data."
            )

    def settled(self) -> ImageEncoderConfig:
        """With what has to be read from elsewhere filled in."""
        if isinstance(self.network, BackboneConfig):
            return replace(self, network=self.network.settled())
        return self

    def task_vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """What tells these tasks apart, (n, K)."""
        return self.tasks.vectors(texts)

    def build(self, spec: PolicySpec) -> ImageEncoder:
        """The encoder for `spec`; its `condition_shape` is (obs_steps, numbers a step)."""
        from steadyhand.nets.encoder import ImageEncoder

        made = {"network": self.network.build, "cloud": self.cloud.build}
        options: dict[str, Any] = {**vars(self), **made}
        del options["depth_range"]  # which is in the features of `spec`
        return ImageEncoder(spec, **options)
