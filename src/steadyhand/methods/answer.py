"""What the methods share that answer in one call: how they ask, how noise becomes what is drawn."""

import math
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from steadyhand.diffusion.loss import ask, refuse_previous
from steadyhand.diffusion.process import Array
from steadyhand.diffusion.shapes import Chunk, Condition, Loss, Mask, Noises, Rest, Rows


class OneCall(nn.Module, ABC):
    """A head that asks its denoiser once a chunk; it says what it draws and learns of the answer.

    `clip` bounds what is drawn, None leaves it free; what `temperature` does, each head says.
    """

    steps, stochastic = 1, False

    def __init__(self, denoiser: nn.Module, clip: float | None, temperature: float) -> None:
        super().__init__()
        self.denoiser, self.clip, self.temperature = denoiser, clip, temperature

    @abstractmethod
    def answer(self, like: Chunk, condition: Condition, mask: Mask) -> Any:
        """What is known of chunks of that shape, given the condition, by what `ask` gives."""

    @abstractmethod
    def draw(self, answer: Any, noise: Chunk, step_noise: Noises) -> Chunk:
        """One of these chunks: `noise` decides which, `step_noise` where it is `stochastic`."""

    @abstractmethod
    def surprise(self, answer: Any, x0: Chunk, weight: Rows) -> Loss:
        """The negative log-likelihood of a number of `x0`, on average."""

    def ask(self, like: Chunk, condition: Condition, mask: Mask, features: int) -> Tensor:
        """(B, H, features): what the denoiser says to nothing but the condition, in float32."""
        nothing, t = torch.zeros_like(like), like.new_zeros(like.shape[0])
        return ask(self.denoiser, nothing, t, condition, mask, features=features).float()

    def forward(
        self,
        noise: Chunk,
        condition: Condition,
        step_noise: Noises = None,
        previous: Rest = None,
        mask: Mask = None,
    ) -> Chunk:
        """Draw a chunk."""
        refuse_previous(previous)
        drawn = self.draw(self.answer(noise, condition, mask), noise, step_noise)
        return clipped(drawn, self.clip)

    def loss(
        self,
        x0: Chunk,
        eps: Chunk,
        uniform: Array,
        condition: Condition,
        weight: Rows = None,
        mask: Mask = None,
    ) -> Loss:
        """How unlikely `x0` is; nothing is noised."""
        return self.surprise(self.answer(x0, condition, mask), x0, weight)


def cumulative(normal: Tensor) -> Tensor:
    """Standard normal numbers as uniform ones: their distribution function."""
    return 0.5 * (1 + torch.erf(normal / math.sqrt(2)))


def clipped(actions: Tensor, clip: float | None) -> Tensor:
    """Within ±clip."""
    return actions if clip is None else actions.clamp(-clip, clip)


def surprisal(x0: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """The negative log-density of each number."""
    far = ((x0 - mean) / deviation).square()
    return 0.5 * far + deviation.log() + 0.5 * math.log(2 * math.pi)
