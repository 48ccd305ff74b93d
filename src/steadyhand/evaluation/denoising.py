"""What sampling passes through on its way from noise to a chunk."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from steadyhand.diffusion.sampler import Sampler
from steadyhand.policy.policy import Policy


@torch.inference_mode()
def denoising(
    policy: Policy, observation: Mapping[str, NDArray[Any]], noise: NDArray[np.float32]
) -> NDArray[np.floating]:
    """The chunk before each network call and after the last one, (S + 1, B, H, A), robot units.

    `observation` holds what was recorded, each (B, obs_steps, …), and `noise` is
    (B, *spec.noise_shape). For policies with a `Sampler`, whose solver adds no noise in each step.
    """
    device = policy.device
    seen = {k: torch.from_numpy(np.asarray(v)).to(device) for k, v in observation.items()}
    sampler = policy.sampler
    assert isinstance(sampler, Sampler)
    condition, *mask = policy.condition(policy.normalise(seen))
    path = sampler.path(torch.from_numpy(noise).to(device), condition, None, *mask)
    reference = policy.reference(seen)
    task = policy.task(seen)
    name, transform = policy.spec.network_action.name, policy.spec.transform
    frames = [transform.to_robot(policy.normaliser.inverse(name, x, task), reference) for x in path]
    return torch.stack(frames).cpu().numpy()
