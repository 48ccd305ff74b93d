"""A whole policy as one graph: resize, normalise, encode, every denoising step, un-normalise."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from steadyhand.diffusion.shapes import Overlap
from steadyhand.errors import ConfigurationError
from steadyhand.export.pictures import Resizing
from steadyhand.policy.policy import Policy, require_policy
from steadyhand.spec import Feature
from steadyhand.values import checked

Observed = dict[str, Tensor]


@checked
def export_policy(policy: Policy, *, batch: int | None = None) -> torch.export.ExportedProgram:
    """`torch.export` of `policy`, called as `program.module()(observation, noise[, step_noise])`.

    The batch is dynamic unless given. Observations are (B, obs_steps, …) by key: uint8 where they
    are images, float64 where their numbers lie far from zero for their range, and else float32,
    as depth (metres) and points are; noise
    is (B, *spec.noise_shape); step noise, for stochastic solvers, (B, steps, *spec.noise_shape).
    """
    require_policy("An export", policy)
    example = example_inputs(policy, batch or 2)
    first = {0: torch.export.Dim("batch", min=1)} if batch is None else {}
    shapes = (dict.fromkeys(example[0], first), *(first for _ in example[1:]))
    # Not inference_mode, whose tensors cannot be traced.
    with torch.no_grad():
        return torch.export.export(_portable(policy), example, dynamic_shapes=shapes)


class Flat(nn.Module):
    """A policy whose inputs are tensors one after another, called as `names` says.

    Those of a policy that `continues` the last chunk end with `rows` and `weights`.
    """

    def __init__(self, policy: Policy, *, continues: bool = False) -> None:
        super().__init__()
        self.policy, self.continues = _portable(policy), continues
        self.keys = list(dict.fromkeys(f.key for f in policy.spec.observations))

    @property
    def names(self) -> list[str]:
        """What the inputs are called in an exported file."""
        more = ["step_noise"] if self.policy.noise_rows > 1 else []
        more += ["rows", "weights"] if self.continues else []
        return [*(f"seen_{number}" for number in range(len(self.keys))), "noise", *more]

    def forward(self, *given: Tensor) -> Tensor:
        named = dict(zip(self.names, given, strict=True))
        seen = dict(zip(self.keys, given, strict=False))
        previous = Overlap(named["rows"], named["weights"]) if self.continues else None
        return self.policy(seen, named["noise"], named.get("step_noise"), previous)

    def example(self, batch: int) -> tuple[Tensor, ...]:
        """Inputs of the right shapes and kinds: random ones, half of the rows committed."""
        seen, *noises = example_inputs(self.policy, batch)
        if not self.continues:
            return (*(seen[key] for key in self.keys), *noises)
        rows = torch.zeros(batch, *self.policy.spec.chunk_shape, device=self.policy.device)
        weights = torch.zeros_like(rows[..., 0])
        weights[:, : weights.shape[1] // 2] = 1
        kind = torch.float64 if wide_chunks(self.policy) else torch.float32
        return (*(seen[key] for key in self.keys), *noises, rows.to(kind), weights)


def flat_program(flat: Flat, *, batch: int | None = None) -> torch.export.ExportedProgram:
    """`torch.export` of a flat policy, for any batch unless one is given.

    Raises `ConfigurationError` where it cannot be written down as one graph.
    """
    example = flat.example(batch or 2)
    first = {0: torch.export.Dim("batch", min=1)} if batch is None else {}
    try:
        with torch.no_grad(), quiet():
            return torch.export.export(flat, example, dynamic_shapes=((first,) * len(example),))
    except Exception as error:  # of many kinds, whatever a part of somebody's own does
        said = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise ConfigurationError(
            f"This policy is no graph: {said}. Parts of your own may not look at numbers to decide "
            "what they do (.item(), if x.sum() > 0): choose by torch.where."
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """What torch notes for its own makers reaches nobody."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.disable(before)


def wide_chunks(policy: Policy) -> bool:
    """Whether the chunks of a policy are float64."""
    spec = policy.spec
    referred = [policy.exact(feature) for _, feature in spec.references]
    return any([policy.normaliser.far(spec.network_action.name), *referred])


def example_inputs(policy: Policy, batch: int) -> tuple[Observed, *tuple[Tensor, ...]]:
    """Inputs of the right shapes, on the policy's device: random observations and noise."""
    spec, generator = policy.spec, torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.randn((batch, *shape), generator=generator).to(policy.device)

    def seen(feature: Feature) -> Tensor:
        shape = (spec.chunking.obs_steps, *feature.recorded_shape)
        if feature.range is not None:  # what is nowhere near it would all be at one end
            far = feature.range[1]
            return (torch.rand((batch, *shape), generator=generator) * far).to(policy.device)
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
    if policy.noise_rows == 1:
        return observation, noise
    return observation, noise, random(policy.noise_rows - 1, *spec.noise_shape)


def _portable(policy: Policy) -> Policy:
    """`policy`, sharing all its parts, that makes pictures smaller in a way that a graph can."""
    pairs = [(f.recorded_shape[:2], f.shape[:2]) for f in policy.spec.images if f.camera]
    parts = policy.encoder, policy.sampler, policy.normaliser
    made = Policy(policy.spec, *parts, config=policy.config, resize=Resizing(pairs))
    return made.to(policy.device).eval()
