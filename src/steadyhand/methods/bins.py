"""A discretised head: each number of the chunk is drawn from bins, given the numbers before it."""

import warnings

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from steadyhand.diffusion.loss import mean_of_rows
from steadyhand.diffusion.process import Array
from steadyhand.methods.answer import ask_once, clipped, cumulative, require_no_previous

MANY = 0.01
"""Share of actions beyond the bins that is worth a word."""


class BinsHead(nn.Module):
    """The denoiser answers once with `width` features a row; numbers follow one after the other.

    Number i has its own map from features to bins; the features are those of its row plus a learned
    vector for the bin of each number before it (NADE, Uria et al. 2016). A number is spread evenly
    over its bin. `noise` decides what is drawn; at a `temperature` below 1 likelier bins are drawn
    more often, at 0 always the likeliest.
    """

    steps, stochastic = 1, False

    def __init__(
        self,
        denoiser: nn.Module,
        chunk_shape: tuple[int, int],
        *,
        bins: int = 128,
        bound: float = 2.0,
        width: int = 128,
        clip: float | None = None,
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        numbers = chunk_shape[0] * chunk_shape[1]
        self.denoiser = denoiser
        self.bins, self.bound, self.width = bins, bound, width
        self.clip, self.temperature = clip, temperature
        self.places = nn.Embedding(numbers, width)
        # One vector for each bin of each number but the last, which nothing follows.
        self.before = nn.Embedding(max(numbers - 1, 1) * bins, width)
        nn.init.normal_(self.before.weight, std=0.1)
        self.mix = nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self._looked = False
        self.leave = nn.Parameter(torch.randn(numbers, width, bins) * width**-0.5)
        self.bias = nn.Parameter(torch.zeros(numbers, bins))

    def forward(
        self,
        noise: Float[Tensor, "batch horizon action"],
        condition: Float[Tensor, "batch tokens features"],
        step_noise: Float[Tensor, "batch steps horizon action"] | None = None,
        previous: Float[Tensor, "batch rest action"] | None = None,
        mask: Bool[Tensor, "batch tokens"] | None = None,
    ) -> Float[Tensor, "batch horizon action"]:
        """Draw a chunk, number by number."""
        require_no_previous(previous)
        features = self._features(noise, condition, mask)
        uniform = cumulative(noise.flatten(1))
        known = torch.zeros_like(features[:, 0])
        drawn: list[Tensor] = []
        last = features.shape[1] - 1
        for number in range(last + 1):
            h = self.mix(features[:, number] + known)
            shares = self._shares(h @ self.leave[number] + self.bias[number])
            ends = shares.cumsum(-1)
            u = uniform[:, number, None]
            chosen = (ends[:, :-1] < u).sum(-1, keepdim=True)
            share = shares.gather(-1, chosen)
            within = (u - ends.gather(-1, chosen) + share) / share.clamp(min=1e-12)
            place = chosen + within.clamp(0, 1)
            drawn.append(place * (2 * self.bound / self.bins) - self.bound)
            if number < last:
                known = known + self.before(chosen[:, 0] + number * self.bins)
        return clipped(torch.cat(drawn, dim=-1).view_as(noise), self.clip)

    def loss(
        self,
        x0: Float[Tensor, "batch horizon action"],
        eps: Float[Tensor, "batch horizon action"],
        uniform: Array,
        condition: Float[Tensor, "batch tokens features"],
        weight: Float[Tensor, "batch horizon"] | None = None,
        mask: Bool[Tensor, "batch tokens"] | None = None,
    ) -> Float[Tensor, ""]:
        """Cross-entropy of each number's bin, given the true ones before it; nothing is noised.

        Warns, at its first call, where many actions lie beyond the outermost bins.
        """
        if not (self._looked or x0.is_meta):
            self._looked, beyond = True, float((x0.abs() > self.bound).float().mean())
            if beyond > MANY:
                warnings.warn(
                    f"{beyond:.0%} of the actions lie beyond the bins, which end at "
                    f"±{self.bound:g}: they are learned as if they were there. Normalise the "
                    "actions, or give a larger bound.",
                    stacklevel=2,
                )
        place = (x0 + self.bound) * (self.bins / (2 * self.bound))
        bins = place.flatten(1).long().clamp(0, self.bins - 1)
        known = torch.zeros_like(features := self._features(x0, condition, mask))
        if bins.shape[1] > 1:
            offsets = torch.arange(bins.shape[1] - 1, device=bins.device) * self.bins
            known = F.pad(self.before(bins[:, :-1] + offsets).cumsum(1), (0, 0, 1, 0))
        h = self.mix(features + known)
        logits = torch.einsum("bnw,nwk->bnk", h, self.leave.to(h.dtype)) + self.bias
        surprise = F.cross_entropy(logits.float().flatten(0, 1), bins.flatten(), reduction="none")
        rows = surprise.view(x0.shape).mean(-1)
        return mean_of_rows(rows, weight)

    def _shares(self, logits: Tensor) -> Tensor:
        if self.temperature == 0:
            return F.one_hot(logits.argmax(-1), self.bins).to(logits.dtype)
        return (logits / self.temperature).softmax(-1)

    def _features(self, like: Tensor, condition: Tensor, mask: Tensor | None) -> Tensor:
        """(B, H·A, width): those of each number's row, and what is its own."""
        rows = ask_once(self.denoiser, like, condition, mask, features=self.width)
        return rows.repeat_interleave(like.shape[2], dim=1) + self.places.weight
