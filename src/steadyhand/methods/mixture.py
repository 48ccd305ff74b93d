"""A head that answers with a mixture of normal distributions over the chunk."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from steadyhand.diffusion.shapes import Chunk, Condition, Loss, Mask, Noises, Rows
from steadyhand.errors import ConfigurationError
from steadyhand.methods.answer import OneCall, cumulative, surprisal

Components = tuple[Tensor, Tensor, Tensor]
"""Logits (B, K) of each, its means and its deviations (B, K, H, A)."""


class MixtureHead(OneCall):
    """The denoiser answers with K·(2·A + 1) numbers a row: K means and deviations, and K votes.

    A component's weight is made of its votes in all rows, so that one draw decides for the chunk.
    Drawing needs `step_noise` (B, 1, H, A), whose first number chooses the component.
    `temperature` scales the deviations, not the choice.
    """

    stochastic = True

    def __init__(
        self,
        denoiser: nn.Module,
        chunk_shape: tuple[int, int],
        *,
        components: int = 8,
        smallest_deviation: float = 0.01,
        clip: float | None = None,
        temperature: float = 1.0,
    ) -> None:
        super().__init__(denoiser, clip, temperature)
        self.components, self.smallest_deviation = components, smallest_deviation
        # Networks begin by answering with zeros: without centres of their own, the components
        # would be equal and stay so.
        spread = torch.randn(components, 1, chunk_shape[1]).expand(-1, chunk_shape[0], -1)
        self.centres = nn.Parameter(spread.clone())

    def answer(self, like: Chunk, condition: Condition, mask: Mask) -> Components:
        size = like.shape[2]
        out = self.ask(like, condition, mask, self.components * (2 * size + 1))
        votes, numbers = out[..., : self.components], out[..., self.components :]
        parts = numbers.reshape(*numbers.shape[:2], self.components, 2, size)
        means, spread = parts.permute(3, 0, 2, 1, 4)
        return votes.mean(1), self.centres + means, self.smallest_deviation + F.softplus(spread)

    def draw(self, answer: Components, noise: Chunk, step_noise: Noises) -> Chunk:
        if step_noise is None:
            raise ConfigurationError(
                "A mixture draws which of its components to follow: pass step_noise, (B, 1, H, A)."
            )
        weights, means, deviations = answer
        share = cumulative(step_noise[:, 0, 0, 0])[:, None]
        chosen = (weights.softmax(-1).cumsum(-1)[:, :-1] < share).sum(-1)
        index = chosen.view(-1, 1, 1, 1).expand(-1, 1, *noise.shape[1:])
        mean, deviation = (part.gather(1, index)[:, 0] for part in (means, deviations))
        return mean + self.temperature * deviation * noise

    def surprise(self, answer: Components, x0: Chunk, weight: Rows) -> Loss:
        """That of whole chunks, over the numbers in them."""
        weights, means, deviations = answer
        surprise = surprisal(x0[:, None], means, deviations).sum(-1)
        if weight is not None:
            surprise = surprise * weight[:, None]
        chunks = -torch.logsumexp(weights.log_softmax(-1) - surprise.sum(-1), dim=-1)
        rows = x0[..., 0].numel() if weight is None else weight.sum().clamp(min=1)
        return chunks.sum() / (rows * x0.shape[2])
