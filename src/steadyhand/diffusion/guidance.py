"""Samplers that go on from the last chunk, each around a `Sampler` and with the same signature.

`previous` is an `Overlap`: what is left of the last chunk, laid over the rows of the new one, and
how much each row is to follow it. What is asked for is a value of `runtime/continuation.py`.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from steadyhand.diffusion.process import Array
from steadyhand.diffusion.sampler import Context, Sampler
from steadyhand.diffusion.shapes import Chunk, Condition, Loss, Mask, Noises, Overlap, Rows
from steadyhand.errors import ConfigurationError

WAY_ON = (
    "Flow() and DDPM() policies continue a chunk; with any other use the controller receding, "
    "asynchronous, blend or ensemble."
)


class Continuing(nn.Module, ABC):
    """A sampler that is given what is left of the last chunk; without it, the sampler it is around.

    Raises `ConfigurationError` for a method whose chunks cannot be continued.
    """

    def __init__(self, sampler: nn.Module) -> None:
        super().__init__()
        if not isinstance(sampler, Sampler):
            raise ConfigurationError(
                f"A {type(sampler).__name__} answers in one go: there is no way from noise to a "
                f"chunk on which it could be made to continue another. {WAY_ON}"
            )
        if not sampler.levels[0][1]:
            raise ConfigurationError(
                f"{type(sampler.process).__name__} begins at zeros and always answers the same: "
                f"it cannot continue another chunk. {WAY_ON}"
            )
        self.sampler = sampler

    @property
    def steps(self) -> int:
        """Steps of a whole chunk: draws of step noise, where there are any."""
        return self.sampler.steps

    @property
    def stochastic(self) -> bool:
        """Whether `step_noise` is needed."""
        return self.sampler.stochastic

    def loss(
        self,
        x0: Chunk,
        eps: Chunk,
        uniform: Array,
        condition: Condition,
        weight: Rows = None,
        mask: Mask = None,
    ) -> Loss:
        """What the sampler itself learns by."""
        return self.sampler.loss(x0, eps, uniform, condition, weight, mask)

    def forward(
        self,
        noise: Chunk,
        condition: Condition,
        step_noise: Noises = None,
        previous: Overlap | None = None,
        mask: Mask = None,
    ) -> Chunk:
        """Sample; `previous` has rows (B, H, A), normalised, and weights (B, H)."""
        if previous is None:
            return self.sampler(noise, condition, step_noise, None, mask)
        rows, weights = previous
        if rows.shape != noise.shape or weights.shape != noise.shape[:2]:
            raise ConfigurationError(
                f"What is left of the last chunk has rows {tuple(rows.shape)} and weights "
                f"{tuple(weights.shape)}; they are laid over the new one, {tuple(noise.shape)}."
            )
        return self.continued(noise, condition, step_noise, Overlap(rows, weights), mask)

    @abstractmethod
    def continued(
        self,
        noise: Tensor,
        condition: Tensor,
        step_noise: Tensor | None,
        previous: Overlap,
        mask: Tensor | None,
    ) -> Tensor:
        """A chunk that goes on from `previous`."""


class Guided(Continuing):
    """Pseudo-inverse guidance (Song et al. 2023), as in real-time chunking (Black et al. 2025).

    In each step the denoised chunk is pulled towards what is left, Y, along the gradient of its
    weighted error: `g = (dx0/dx)ᵀ·W·(Y - x0)`, `x0 + sigma·c·g`, with `c = min(beta, sigma / (alpha
    r²))` and `r² = sigma² / (alpha² + sigma²)`; both x0 are bounded as the sampler's are. On the
    straight path of flow that is the velocity `v + c·g` of arXiv 2506.07339. The gradient goes
    through the network and costs about as much again as one call of it, or more. Raises
    `ConfigurationError` under `torch.inference_mode`.
    """

    def __init__(self, sampler: nn.Module, beta: float = 5.0) -> None:
        super().__init__(sampler)
        if self.sampler.objective is not None:
            raise ConfigurationError(
                "Guidance follows the mean of the clean chunks, and this network was taught to "
                f"answer with one of them (a consistency model). {WAY_ON}"
            )
        self.strengths = [_strength(alpha, sigma, beta) for alpha, sigma in self.sampler.levels]

    def continued(
        self,
        noise: Tensor,
        condition: Tensor,
        step_noise: Tensor | None,
        previous: Overlap,
        mask: Tensor | None,
    ) -> Tensor:
        if torch.is_inference_mode_enabled():
            raise ConfigurationError(
                "Guidance takes a gradient, which torch.inference_mode() forbids. Sample under "
                "torch.no_grad()."
            )

        def predict(step: int, x: Tensor, context: Context) -> tuple[Tensor, Tensor | None]:
            return self.led(step, *self.pulled(step, x, context, previous))

        return self.sampler.path(noise, condition, step_noise, mask, predict=predict)[-1]

    def pulled(
        self, step: int, x: Tensor, context: Context, previous: Overlap
    ) -> tuple[Tensor, Tensor | None, Tensor]:
        """(x0, eps, pull): as the network sees them in `x`, and where `previous` pulls x0."""
        # Gradients are on before the network is asked: asked earlier, it would be a constant, and
        # what is left of the gradient of x0 the identity.
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            x0, eps = self.sampler.denoised(step, x, context)
            wanted = previous.weights[:, :, None] * (
                previous.rows - self.sampler.bounded(x0.detach())
            )
            (pull,) = torch.autograd.grad(x0, x, wanted)
        return x0.detach(), None if eps is None else eps.detach(), pull

    def led(
        self, step: int, x0: Tensor, eps: Tensor | None, pull: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """(x0, eps) after the pull."""
        alpha, sigma = self.sampler.levels[step]
        before = self.sampler.bounded(x0)
        after = self.sampler.bounded(x0 + sigma * self.strengths[step] * pull)
        # What was cut off must not go into eps: near alpha = 0 an 'epsilon' network's x0, and with
        # it the pull, are thousands of times its errors.
        return after, None if eps is None else eps - alpha / sigma * (after - before)


class Inpainted(Continuing):
    """Rows of weight 1 are held where they are to be: the cheap way, which no other row is told of.

    Before each step they are as noisy as the rest, with the first noise; what the network makes of
    them is replaced.
    """

    def continued(
        self,
        noise: Tensor,
        condition: Tensor,
        step_noise: Tensor | None,
        previous: Overlap,
        mask: Tensor | None,
    ) -> Tensor:
        rows, held = previous.rows, previous.weights[:, :, None] >= 1

        def predict(step: int, x: Tensor, context: Context) -> tuple[Tensor, Tensor | None]:
            x = torch.where(held, self.sampler.noised(rows, noise, step), x)
            x0, eps = self.sampler.predict(step, x, context)
            return torch.where(held, rows, x0), eps

        path = self.sampler.path(noise, condition, step_noise, mask, predict=predict)
        return torch.where(held, rows, path[-1])


class Prefixed(Continuing):
    """Rows of weight 1 are given clean, as in the network's training; it costs nothing.

    Raises `ConfigurationError` for a sampler that was not trained with a prefix.
    """

    def __init__(self, sampler: nn.Module) -> None:
        super().__init__(sampler)
        if self.sampler.prefix is None:
            raise ConfigurationError(
                "This policy was not trained to be given the beginning of its chunk. Train it "
                "with --chunking.prefix 4 (the most rows that are committed when a chunk is asked "
                "for), or use the controller real_time, which guides any Flow() or DDPM() policy."
            )

    def continued(
        self,
        noise: Tensor,
        condition: Tensor,
        step_noise: Tensor | None,
        previous: Overlap,
        mask: Tensor | None,
    ) -> Tensor:
        rows, clean = previous.rows, previous.weights >= 1
        held, given = clean[:, :, None], (rows, clean)

        def predict(step: int, x: Tensor, context: Context) -> tuple[Tensor, Tensor | None]:
            return self.sampler.predict(step, torch.where(held, rows, x), context)

        path = self.sampler.path(noise, condition, step_noise, mask, predict=predict, given=given)
        return torch.where(held, rows, path[-1])


class WarmStart(Continuing):
    """Begins in the middle, from what is left of the last chunk with noise on it: fewer calls.

    `level` is the share of the steps that is left out. Raises `ConfigurationError` where that is
    none of them.
    """

    def __init__(self, sampler: nn.Module, level: float = 0.5) -> None:
        super().__init__(sampler)
        self.first = min(round(level * self.steps), self.steps - 1)
        if not self.first:
            raise ConfigurationError(
                f"A warm start leaves out {level:.0%} of the steps, and of {self.steps} that is "
                "none. Take more --steps or a larger level, or another controller."
            )

    def continued(
        self,
        noise: Tensor,
        condition: Tensor,
        step_noise: Tensor | None,
        previous: Overlap,
        mask: Tensor | None,
    ) -> Tensor:
        begun = self.sampler.noised(previous.rows, noise, self.first)
        return self.sampler.path(begun, condition, step_noise, mask, first=self.first)[-1]


def _strength(alpha: float, sigma: float, beta: float) -> float:
    """What the pull counts: sigma/(alpha·r²), at most `beta`."""
    return min(beta, (alpha**2 + sigma**2) / (alpha * sigma)) if alpha and sigma else beta
