"""From a cloud of points to a few numbers: each point by itself, and of all of them the most.

A PointNet (Qi et al. 2017), small and normalised as in DP3 (Ze et al. 2024). The order of points
says nothing; one with a number that is not finite is none.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from steadyhand.nets.resampling import middles


class PointNet(nn.Module):
    """Normalised clouds (B, T_o, N, columns) to (B, T_o, features).

    Of more than `points`, so many are seen: evenly spaced ones, or in training, for each window,
    one drawn of each of so many equal parts. Random numbers come from torch's global generator, as
    for dropout.
    """

    def __init__(
        self,
        columns: int,
        features: int,
        *,
        widths: Sequence[int] = (64, 128, 256),
        points: int = 512,
    ) -> None:
        super().__init__()
        self.points = points
        layers: list[nn.Module] = []
        for inputs, width in pairwise((columns, *widths)):
            layers += [nn.Linear(inputs, width), nn.LayerNorm(width), nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Linear(widths[-1], features), nn.LayerNorm(features))

    def forward(
        self, clouds: Float[Tensor, "batch steps points columns"]
    ) -> Float[Tensor, "batch steps features"]:
        seen = self._sampled(clouds)
        there = (seen.abs() <= torch.finfo(seen.dtype).max).all(-1, keepdim=True)
        # Behind a ReLU nothing is below 0, which so stands for no point.
        found = torch.where(there, self.layers(torch.where(there, seen, 0.0)), 0.0)
        return self.head(found.amax(2))

    def _sampled(self, clouds: Tensor) -> Tensor:
        count, steps, many, columns = clouds.shape
        if many <= self.points:
            return clouds
        if not self.training:
            places = torch.from_numpy(middles(many, self.points)).to(clouds.device)
            return clouds.index_select(2, places)
        parts = torch.arange(self.points, device=clouds.device)
        drawn = torch.rand(count, self.points, device=clouds.device)
        places = ((parts + drawn) * (many / self.points)).long().clamp(max=many - 1)
        return clouds.gather(2, places[:, None, :, None].expand(-1, steps, -1, columns))
