"""A whole policy as one graph: resize, normalise, encode, every denoising step, un-normalise."""

import torch
from torch import Tensor

from steadyhand.policy.policy import Policy


def export_policy(policy: Policy, *, batch: int | None = None) -> torch.export.ExportedProgram:
    """`torch.export` of `policy`, called as `program.module()(observation, noise[, step_noise])`.

    The batch is dynamic unless given. Observations are float32, (B, obs_steps, …) by key; noise is
    (B, horizon, action); step noise, for stochastic solvers, (B, steps, horizon, action).
    """
    policy = policy.eval()
    example = example_inputs(policy, batch or 2)
    axis = torch.export.Dim("batch", min=1) if batch is None else None
    shapes = (
        {key: {0: axis} for key in example[0]},
        *({0: axis} for _ in example[1:]),
    )
    # Not inference_mode, whose tensors cannot be traced.
    with torch.no_grad():
        return torch.export.export(
            policy, example, dynamic_shapes=shapes if batch is None else None
        )


def example_inputs(policy: Policy, batch: int) -> tuple[dict[str, Tensor], *tuple[Tensor, ...]]:
    """Inputs of the right shapes: random observations and noise."""
    spec, generator = policy.spec, torch.Generator().manual_seed(0)
    observation: dict[str, Tensor] = {}
    for feature in spec.observations:
        shape = feature.shape
        if feature.columns != slice(None):
            shape = (max(feature.columns.stop or 0, (feature.columns.start or 0) + feature.size),)
        wider = observation.get(feature.key)
        if wider is None or wider.shape[-1] < shape[-1]:
            lead = (batch, spec.chunking.obs_steps)
            observation[feature.key] = torch.randn((*lead, *shape), generator=generator)
    noise = torch.randn((batch, *spec.chunk_shape), generator=generator)
    if not getattr(policy.sampler, "stochastic", False):
        return observation, noise
    steps = int(policy.sampler.steps)  # type: ignore[arg-type]
    return observation, noise, torch.randn((batch, steps, *spec.chunk_shape), generator=generator)
