"""A head that answers with one normal distribution over the chunk."""

import torch.nn.functional as F
from torch import Tensor, nn

from steadyhand.diffusion.loss import mean_of_rows
from steadyhand.diffusion.shapes import Chunk, Condition, Loss, Mask, Noises, Rows
from steadyhand.methods.answer import OneCall, surprisal


class GaussianHead(OneCall):
    """The denoiser answers with 2·A numbers a row: means, and what deviations are made of.

    `temperature` scales the deviation of what is drawn: at 0 it is the mean.
    """

    def __init__(
        self,
        denoiser: nn.Module,
        *,
        smallest_deviation: float = 0.01,
        clip: float | None = None,
        temperature: float = 1.0,
    ) -> None:
        super().__init__(denoiser, clip, temperature)
        self.smallest_deviation = smallest_deviation

    def answer(self, like: Chunk, condition: Condition, mask: Mask) -> tuple[Tensor, Tensor]:
        out = self.ask(like, condition, mask, 2 * like.shape[2])
        mean, spread = out.chunk(2, dim=-1)
        return mean, self.smallest_deviation + F.softplus(spread)

    def draw(self, answer: tuple[Tensor, Tensor], noise: Chunk, step_noise: Noises) -> Chunk:
        mean, deviation = answer
        return mean + self.temperature * deviation * noise

    def surprise(self, answer: tuple[Tensor, Tensor], x0: Chunk, weight: Rows) -> Loss:
        return mean_of_rows(surprisal(x0, *answer).mean(-1), weight)
