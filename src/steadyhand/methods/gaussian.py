"""A head that answers with one normal distribution over the chunk."""

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from steadyhand.diffusion.loss import mean_of_rows
from steadyhand.diffusion.process import Array
from steadyhand.methods.answer import ask_once, clipped, require_no_previous, surprisal


class GaussianHead(nn.Module):
    """The denoiser answers with 2·A numbers a row: means, and what deviations are made of.

    `temperature` scales the deviation of what is drawn: at 0 it is the mean.
    """

    steps, stochastic = 1, False

    def __init__(
        self,
        denoiser: nn.Module,
        *,
        smallest_deviation: float = 0.01,
        clip: float | None = None,
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.smallest_deviation, self.clip, self.temperature = smallest_deviation, clip, temperature

    def forward(
        self,
        noise: Float[Tensor, "batch horizon action"],
        condition: Float[Tensor, "batch tokens features"],
        step_noise: Float[Tensor, "batch steps horizon action"] | None = None,
        previous: Float[Tensor, "batch rest action"] | None = None,
        mask: Bool[Tensor, "batch tokens"] | None = None,
    ) -> Float[Tensor, "batch horizon action"]:
        """Draw a chunk; `noise` decides which."""
        require_no_previous(previous)
        mean, deviation = self._answer(noise, condition, mask)
        return clipped(mean + self.temperature * deviation * noise, self.clip)

    def loss(
        self,
        x0: Float[Tensor, "batch horizon action"],
        eps: Float[Tensor, "batch horizon action"],
        uniform: Array,
        condition: Float[Tensor, "batch tokens features"],
        weight: Float[Tensor, "batch horizon"] | None = None,
        mask: Bool[Tensor, "batch tokens"] | None = None,
    ) -> Float[Tensor, ""]:
        """Negative log-likelihood of a number of the chunk, on average; nothing is noised."""
        mean, deviation = self._answer(x0, condition, mask)
        surprise = surprisal(x0, mean, deviation).mean(-1)
        return mean_of_rows(surprise, weight)

    def _answer(
        self, like: Tensor, condition: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        out = ask_once(self.denoiser, like, condition, mask, features=2 * like.shape[2])
        mean, spread = out.chunk(2, dim=-1)
        return mean, self.smallest_deviation + F.softplus(spread)
