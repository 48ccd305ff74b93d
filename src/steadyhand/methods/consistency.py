"""What a consistency model learns: neighbours on a path to noise have the same clean end."""

import numpy as np
import torch
from torch import Tensor

from steadyhand.diffusion.loss import ask, at_rest, mean_of_rows, sent
from steadyhand.diffusion.process import Array, invert, loss_weight
from steadyhand.diffusion.sampler import Sampler
from steadyhand.diffusion.spacing import trailing


def consistency_loss(
    sampler: Sampler,
    x0: Tensor,
    eps: Tensor,
    uniform: Array,
    condition: Tensor,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    *,
    levels: int,
    teacher: Sampler | None = None,
) -> Tensor:
    """Consistency distillation, or without `teacher` consistency training (Song et al. 2023).

    `x0`, `eps` (B, H, A), `uniform` (B,), `condition`, `weight` and `mask` are as `Sampler.loss`
    takes them. A noisy chunk is moved to the next less noisy level, by one DDIM step of the teacher
    or back towards the demonstration; the two must have the same end. The last level's end is where
    it arrives. The end of the second is taken as it is: no gradient flows through it. Errors count
    as errors in velocity: what is off near the clean end is passed on to all levels before it.
    """
    process = sampler.process
    times = np.append(trailing(process, levels), process.end)
    here = np.floor(uniform * levels).astype(np.int64)
    alpha, sigma = process.path(times)
    # The clean end has no time at which the network could be asked; it is not asked there.
    inversion = np.append(invert(process, times[:-1]), np.zeros((1, 4)), 0)
    embedded = process.embedded(np.append(times[:-1], times[-2]))
    weight_at = loss_weight("velocity", sigma)[:, None]
    table = np.concatenate([np.stack([alpha, sigma, embedded], -1), inversion, weight_at], -1)
    both = np.stack([table[here], table[here + 1]]).astype(np.float32)
    now, after = sent(both, x0.device).unbind(0)
    x = _column(now, 0) * x0 + _column(now, 1) * eps
    with at_rest(sampler.denoiser):
        clean, noise = x0, eps
        if teacher is not None:
            clean, noise = _ends(teacher, x, now, condition, mask)
        nearer = _column(after, 0) * clean + _column(after, 1) * noise
        end, _ = _ends(sampler, nearer, after, condition, mask)
        arrived = torch.as_tensor(here == levels - 1, device=x0.device).view(-1, 1, 1)
        target = torch.where(arrived, nearer, end)
    answer, _ = _ends(sampler, x, now, condition, mask, clip=False)
    error = (answer - target).square().mean(-1)
    return mean_of_rows(now[:, 7:] * error, weight)


def _ends(
    sampler: Sampler,
    x: Tensor,
    numbers: Tensor,
    condition: Tensor,
    mask: Tensor | None,
    *,
    clip: bool = True,
) -> tuple[Tensor, Tensor]:
    """(x0, eps) as the sampler's network sees them in `x`, each at its own time."""
    out = ask(sampler.denoiser, x, numbers[:, 2], condition, mask).float()
    x0 = _column(numbers, 3) * x + _column(numbers, 4) * out
    eps = _column(numbers, 5) * x + _column(numbers, 6) * out
    if clip and sampler.clip is not None:
        x0 = x0.clamp(-sampler.clip, sampler.clip)
    return x0, eps


def _column(numbers: Tensor, column: int) -> Tensor:
    return numbers[:, column].view(-1, 1, 1)
