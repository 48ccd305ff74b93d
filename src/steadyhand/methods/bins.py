"""A discretised head: each number of the chunk is drawn from bins, given the numbers before it."""

import warnings

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from steadyhand.diffusion.loss import mean_of_rows
from steadyhand.diffusion.shapes import Chunk, Condition, Loss, Mask, Noises, Rows
from steadyhand.methods.answer import OneCall, cumulative

MANY = 0.01
"""Share of actions beyond the bins that is worth a word."""


class BinsHead(OneCall):
    """The denoiser answers once with `width` features a row; numbers follow one after the other.

    Number i has its own map from features to bins; the features are those of its row plus a learned
    vector for the bin of each number before it (NADE, Uria et al. 2016). A number is spread evenly
    over its bin. `noise` decides what is drawn; at a `temperature` below 1 likelier bins are drawn
    more often, at 0 always the likeliest.
    """

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
        super().__init__(denoiser, clip, temperature)
        numbers = chunk_shape[0] * chunk_shape[1]
        self.bins, self.bound, self.width = bins, bound, width
        self.places = nn.Embedding(numbers, width)
        # One vector for each bin of each number but the last, which nothing follows.
        self.before = nn.Embedding(max(numbers - 1, 1) * bins, width)
        nn.init.normal_(self.before.weight, std=0.1)
        self.mix = nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self._looked = False
        self.leave = nn.Parameter(torch.randn(numbers, width, bins) * width**-0.5)
        self.bias = nn.Parameter(torch.zeros(numbers, bins))

    def answer(self, like: Chunk, condition: Condition, mask: Mask) -> Tensor:
        """(B, H·A, width): those of each number's row, and what is its own."""
        rows = self.ask(like, condition, mask, self.width)
        return rows.repeat_interleave(like.shape[2], dim=1) + self.places.weight

    def draw(self, answer: Tensor, noise: Chunk, step_noise: Noises) -> Chunk:
        uniform = cumulative(noise.flatten(1))
        known = torch.zeros_like(answer[:, 0])
        drawn: list[Tensor] = []
        last = answer.shape[1] - 1
        for number in range(last + 1):
            h = self.mix(answer[:, number] + known)
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
        return torch.cat(drawn, dim=-1).view_as(noise)

    def surprise(self, answer: Tensor, x0: Chunk, weight: Rows) -> Loss:
        """Cross-entropy of each number's bin, given the true ones before it.

        Warns, at its first call, where many actions lie beyond the outermost bins.
        """
        if not (self._looked or x0.is_meta):
            self._looked, beyond = True, float((x0.abs() > self.bound).float().mean())
            if beyond > MANY:
                warnings.warn(
                    f"{beyond:.0%} of the actions lie beyond the bins, which end at "
                    f"±{self.bound:g}: they are learned as if they were there. Normalise the "
                    "actions, or give a larger bound.",
                    stacklevel=3,
                )
        place = (x0 + self.bound) * (self.bins / (2 * self.bound))
        bins = place.flatten(1).long().clamp(0, self.bins - 1)
        known = torch.zeros_like(answer)
        if bins.shape[1] > 1:
            offsets = torch.arange(bins.shape[1] - 1, device=bins.device) * self.bins
            known = F.pad(self.before(bins[:, :-1] + offsets).cumsum(1), (0, 0, 1, 0))
        h = self.mix(answer + known)
        logits = torch.einsum("bnw,nwk->bnk", h, self.leave.to(h.dtype)) + self.bias
        surprise = F.cross_entropy(logits.float().flatten(0, 1), bins.flatten(), reduction="none")
        return mean_of_rows(surprise.view(x0.shape).mean(-1), weight)

    def _shares(self, logits: Tensor) -> Tensor:
        if self.temperature == 0:
            return F.one_hot(logits.argmax(-1), self.bins).to(logits.dtype)
        return (logits / self.temperature).softmax(-1)
