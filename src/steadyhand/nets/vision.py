"""From pictures to a few numbers: a residual network and a spatial softmax.

As in the paper (Chi et al. 2023): ResNet-18 (He et al. 2016) with group norms for batch norms, so
that averaged weights need no averaged statistics, and a spatial softmax (Finn et al. 2016) for the
global pooling, so that where a thing is survives.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

CHANNELS_A_GROUP = 16


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(max(channels // CHANNELS_A_GROUP, 1), channels)


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut."""

    def __init__(self, inputs: int, channels: int, stride: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, channels, 3, stride, 1, bias=False),
            _norm(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            _norm(channels),
        )
        self.shortcut = nn.Sequential()
        if inputs != channels or stride != 1:
            shortcut = nn.Conv2d(inputs, channels, 1, stride, bias=False)
            self.shortcut = nn.Sequential(shortcut, _norm(channels))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.layers(x) + self.shortcut(x))


class ResNet(nn.Module):
    """Pictures (B, C, h, w) in ±1 to a map of features (B, 8·width, h/32, w/32)."""

    def __init__(self, channels: int, *, width: int = 64, blocks: Sequence[int] = (2, 2, 2, 2)):
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(channels, width, 7, 2, 3, bias=False),
            _norm(width),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
        ]
        inputs = width
        for level, count in enumerate(blocks):
            for number in range(count):
                stride = 2 if level and not number else 1
                layers.append(ResidualBlock(inputs, width << level, stride))
                inputs = width << level
        self.layers = nn.Sequential(*layers)
        self.features, self._levels = inputs, len(blocks)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def map_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of the map of pictures of that size: each halving rounds up."""
        shrink = 2 << self._levels
        return -(-size[0] // shrink), -(-size[1] // shrink)

    def forward(
        self, pictures: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch features rows columns"]:
        return self.layers(pictures)


class SpatialSoftmax(nn.Module):
    """A map of features (B, C, h, w) to the mean places of `keypoints` things, (B, 2·keypoints).

    Each is x, y in ±1, the expectation of the place under the softmax of its map.
    """

    def __init__(self, channels: int, keypoints: int) -> None:
        super().__init__()
        self.maps = nn.Conv2d(channels, keypoints, 1)
        self.features = 2 * keypoints

    def forward(
        self, x: Float[Tensor, "batch channels rows columns"]
    ) -> Float[Tensor, "batch features"]:
        maps = self.maps(x).float()
        rows, columns = maps.shape[-2:]
        weights = maps.flatten(2).softmax(-1).unflatten(2, (rows, columns))
        across = torch.linspace(-1, 1, columns, device=x.device)
        down = torch.linspace(-1, 1, rows, device=x.device)
        places = ((weights.sum(2) * across).sum(-1), (weights.sum(3) * down).sum(-1))
        return torch.stack(places, -1).flatten(1)
