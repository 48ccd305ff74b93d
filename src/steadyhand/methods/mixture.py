"""A head that answers with a mixture of normal distributions over the chunk."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from steadyhand.diffusion.process import Array
from steadyhand.errors import ConfigurationError
from steadyhand.methods.answer import ask_once, clipped, cumulative, require_no_previous, surprisal


class MixtureHead(nn.Module):
    """The denoiser answers with K·(2·A + 1) numbers a row: K means and deviations, and K votes.

    A component's weight is made of its votes in all rows, so that one draw decides for the chunk.
    Drawing needs `step_noise` (B, 1, H, A), whose first number chooses the component.
    `temperature` scales the deviations, not the choice.
    """

    steps, stochastic = 1, True

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
        super().__init__()
        self.denoiser, self.components = denoiser, components
        self.smallest_deviation, self.clip, self.temperature = smallest_deviation, clip, temperature
        # Networks begin by answering with zeros: without centres of their own, the components
        # would be equal and stay so.
        spread = torch.randn(components, 1, chunk_shape[1]).expand(-1, chunk_shape[0], -1)
        self.centres = nn.Parameter(spread.clone())

    def forward(
        self,
        noise: Float[Tensor, "batch horizon action"],
        condition: Float[Tensor, "batch tokens features"],
        step_noise: Float[Tensor, "batch steps horizon action"] | None = None,
        previous: Float[Tensor, "batch rest action"] | None = None,
        mask: Bool[Tensor, "batch tokens"] | None = None,
    ) -> Float[Tensor, "batch horizon action"]:
        """Draw a chunk; `step_noise` decides which component, `noise` where in it."""
        require_no_previous(previous)
        if step_noise is None:
            raise ConfigurationError(
                "A mixture draws which of its components to follow: pass step_noise, (B, 1, H, A)."
            )
        weights, means, deviations = self._answer(noise, condition, mask)
        share = cumulative(step_noise[:, 0, 0, 0])[:, None]
        chosen = (weights.softmax(-1).cumsum(-1)[:, :-1] < share).sum(-1)
        index = chosen.view(-1, 1, 1, 1).expand(-1, 1, *noise.shape[1:])
        mean, deviation = (part.gather(1, index)[:, 0] for part in (means, deviations))
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
        """Negative log-likelihood of whole chunks, over the numbers in them; nothing is noised."""
        weights, means, deviations = self._answer(x0, condition, mask)
        surprise = surprisal(x0[:, None], means, deviations).sum(-1)
        if weight is not None:
            surprise = surprise * weight[:, None]
        chunks = -torch.logsumexp(weights.log_softmax(-1) - surprise.sum(-1), dim=-1)
        rows = x0[..., 0].numel() if weight is None else weight.sum().clamp(min=1)
        return chunks.sum() / (rows * x0.shape[2])

    def _answer(
        self, like: Tensor, condition: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of the components (B, K), their means and deviations (B, K, H, A)."""
        size = like.shape[2]
        features = self.components * (2 * size + 1)
        out = ask_once(self.denoiser, like, condition, mask, features=features)
        votes, numbers = out[..., : self.components], out[..., self.components :]
        parts = numbers.reshape(*numbers.shape[:2], self.components, 2, size)
        means, spread = parts.permute(3, 0, 2, 1, 4)
        return votes.mean(1), self.centres + means, self.smallest_deviation + F.softplus(spread)
