"""A whole policy as one graph: normalise, encode, every denoising step, un-normalise."""

import torch
from torch import Tensor

from steadyhand.policy.policy import Policy, require_policy
from steadyhand.spec import Feature
from steadyhand.values import checked


@checked
def export_policy(policy: Policy, *, batch: int | None = None) -> torch.export.ExportedProgram:
    """`torch.export` of `policy`, called as `program.module()(observation, noise[, step_noise])`.

    The batch is dynamic unless given. Observations are (B, obs_steps, …) by key: uint8 where they
    are images, float64 where their numbers lie far from zero for their range, and float32; noise
    is (B, *spec.noise_shape); step noise, for stochastic solvers, (B, steps, *spec.noise_shape).
    """
    require_policy("An export", policy)
    policy = policy.eval()
    example = example_inputs(policy, batch or 2)
    first = {0: torch.export.Dim("batch", min=1)} if batch is None else {}
    shapes = (dict.fromkeys(example[0], first), *(first for _ in example[1:]))
    # Not inference_mode, whose tensors cannot be traced.
    with torch.no_grad():
        return torch.export.export(policy, example, dynamic_shapes=shapes)


def example_inputs(policy: Policy, batch: int) -> tuple[dict[str, Tensor], *tuple[Tensor, ...]]:
    """Inputs of the right shapes, on the policy's device: random observations and noise."""
    spec, generator = policy.spec, torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.randn((batch, *shape), generator=generator).to(policy.device)

    def seen(feature: Feature) -> Tensor:
        shape = (spec.chunking.obs_steps, *feature.recorded_shape)
        if feature.kind != "image":
            return random(*shape).to(kinds[feature.key])
        pixels = torch.randint(256, (batch, *shape), generator=generator)
        return pixels.to(policy.device, torch.uint8)

    kinds: dict[str, torch.dtype] = {}
    for f in spec.observations:  # features may pick columns of one key
        kind = policy.normaliser.dtype(f.name)
        kinds[f.key] = torch.promote_types(kind, kinds.get(f.key, kind))
    observation = {f.key: seen(f) for f in spec.observations}
    noise = random(*spec.noise_shape)
    if not getattr(policy.sampler, "stochastic", False):
        return observation, noise
    calls: int = policy.sampler.steps  # type: ignore[assignment]
    return observation, noise, random(calls, *spec.noise_shape)
