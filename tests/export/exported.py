"""Policies that tests export: small ones whose chunks vary, from numbers, pictures or points."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from steadyhand.data import statistics_of
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.nets.choices import MLPConfig
from steadyhand.nets.encoder_choices import ImageEncoderConfig, PointNetConfig, ResNetConfig
from steadyhand.policy.config import PolicyConfig
from steadyhand.policy.policy import Policy
from steadyhand.sizes import Kind
from steadyhand.spec import PolicySpec

RECORDED = {
    "front": (60, 80, 3),
    "wrist": (40, 40, 3),
    "depth": (60, 80, 1),
    "cloud": (40, 4),
    "keypoint": (9, 2),
    "state": (5,),
    "action": (2,),
}
NUMBERS = ("keypoint", "state[:2]")
PICTURES = ("front", "wrist", "state[:2]")
SIGHT = ("depth", "cloud", "state[:2]")
KINDS: dict[str, Kind] = {"depth": "depth", "cloud": "points"}


def small_policy(*observations: str, far: float = 0.0, **parts: Any) -> Policy:
    """A policy that sees those, with relative actions and weights of size one: numbers lie `far`
    from zero. `parts` are those of its configuration."""
    images = any(name in ("front", "wrist", "depth", "cloud") for name in observations)
    encoder = ImageEncoderConfig(
        network=ResNetConfig(width=16, blocks=(1, 1)),
        cloud=PointNetConfig(points=24, widths=(8, 32)),
        crop=0.875,
    )
    usual = {
        "denoiser": MLPConfig(width=64, blocks=1),
        "sampler": SamplerConfig(solver="ddim", steps=2, clip=None),
        **({"encoder": encoder} if images else {}),
    }
    config = PolicyConfig(**{**usual, **parts})
    spec = PolicySpec.select(
        RECORDED,
        observations=observations,
        action_relative_to="state[:2]",
        image_size=(32, 32) if images else (),
        kinds=KINDS,
    )
    seen = (replace(f, range=(0.2, 1.5)) if f.kind == "depth" else f for f in spec.observations)
    spec = replace(spec, observations=tuple(seen))
    random = np.random.default_rng(0)
    found = {
        f.name: statistics_of(far + random.normal(2, 3, (50, *f.figures_shape)))
        for f in (*spec.observations, spec.network_action)
        if f.kind in ("state", "points")
    }
    return with_weights(config.build(spec, found).eval())


def with_weights(policy: Policy) -> Policy:
    """The policy, its weights so drawn that what comes in matters to what comes out."""
    generator = torch.Generator().manual_seed(0)
    for name, parameter in policy.named_parameters():
        if parameter.ndim > 1:
            std = 1.0 if "maps" in name else parameter[0].numel() ** -0.5
            torch.nn.init.normal_(parameter, std=std, generator=generator)
    return policy
