"""What the methods share that answer in one call: how they ask, how noise becomes what is drawn."""

import math

import torch
from torch import Tensor, nn

from steadyhand.diffusion.loss import ask
from steadyhand.errors import ConfigurationError


def ask_once(
    denoiser: nn.Module, like: Tensor, condition: Tensor, mask: Tensor | None, *, features: int
) -> Tensor:
    """What the denoiser answers when it is given nothing but the condition, in float32."""
    nothing, t = torch.zeros_like(like), like.new_zeros(like.shape[0])
    return ask(denoiser, nothing, t, condition, mask, features=features).float()


def cumulative(normal: Tensor) -> Tensor:
    """Standard normal numbers as uniform ones: their distribution function."""
    return 0.5 * (1 + torch.erf(normal / math.sqrt(2)))


def clipped(actions: Tensor, clip: float | None) -> Tensor:
    """Within ±clip."""
    return actions if clip is None else actions.clamp(-clip, clip)


def require_no_previous(previous: Tensor | None) -> None:
    """Raise `ConfigurationError` where a chunk is to be continued."""
    if previous is not None:
        raise ConfigurationError("This sampler does not continue a previous chunk.")


def surprisal(x0: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """The negative log-density of each number."""
    far = ((x0 - mean) / deviation).square()
    return 0.5 * far + deviation.log() + 0.5 * math.log(2 * math.pi)
