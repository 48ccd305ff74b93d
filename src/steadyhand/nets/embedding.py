"""The time of the process as a vector: sinusoids, then a small perceptron."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Sinusoids(nn.Module):
    """`t` in units of steps (about 0…100) → its shape and `width`, even; learns nothing.

    Those of Vaswani et al. (2017), as in the Diffusion Policy code.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        frequencies = torch.exp(-math.log(10_000) / (half - 1) * torch.arange(half))
        self.frequencies: Tensor
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch width"]:
        angles = t[..., None].to(self.frequencies.dtype) * self.frequencies
        return torch.cat([angles.sin(), angles.cos()], dim=-1)


class TimeEmbedding(nn.Module):
    """`t` in units of steps (about 0…100) → its shape and `width`: sinusoids, then a perceptron."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.sinusoids = Sinusoids(width)
        self.perceptron = nn.Sequential(
            nn.Linear(2 * (width // 2), 4 * width), nn.Mish(), nn.Linear(4 * width, width)
        )

    def forward(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch width"]:
        return self.perceptron(self.sinusoids(t))
