"""What sampling passes through on its way from noise to a chunk."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from steadyhand.actions import to_absolute
from steadyhand.policy.policy import Policy


@torch.inference_mode()
def denoising(
    policy: Policy, observation: Mapping[str, NDArray[Any]], noise: NDArray[np.float32]
) -> NDArray[np.floating]:
    """The chunk before each network call and after the last one, (S + 1, B, H, A), robot units.

    `observation` holds what was recorded, each (B, obs_steps, …), and `noise` is (B, H, A). For
    samplers without noise of their own in each step, and with a `denoiser` whose first argument is
    the chunk.
    """
    device = next(policy.parameters()).device
    seen = {
        key: torch.from_numpy(np.asarray(value)).to(device) for key, value in observation.items()
    }
    passed: list[Tensor] = []
    denoiser = policy.sampler.denoiser
    assert isinstance(denoiser, nn.Module)
    hook = denoiser.register_forward_pre_hook(lambda _, arguments: passed.append(arguments[0]))
    try:
        chunk = policy(seen, torch.from_numpy(noise).to(device))
    finally:
        hook.remove()
    reference = policy.reference(seen)
    frames = [policy.normaliser.inverse(policy.spec.action.name, x) for x in passed]
    if reference is not None:
        frames = [to_absolute(frame, reference) for frame in frames]
    return torch.stack([*frames, chunk]).cpu().numpy()
