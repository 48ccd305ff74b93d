"""What a policy is made of, as plain values: every part named, nothing built. No torch here."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal

from steadyhand.diffusion.process import DDPM, Flow
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.diffusion.solvers import SOLVERS, Solver, ddim
from steadyhand.diffusion.spacing import SPACINGS
from steadyhand.errors import ConfigurationError
from steadyhand.methods.choices import Bins, Consistency, Gaussian, Head, Mixture, Shortcut
from steadyhand.methods.mip import MIP
from steadyhand.methods.regression import Regression
from steadyhand.nets.choices import DiTConfig, MLPConfig, TransformerConfig, UNetConfig
from steadyhand.nets.encoder_choices import ImageEncoderConfig, StateEncoderConfig
from steadyhand.spec import PolicySpec
from steadyhand.values import checked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from steadyhand.policy.policy import Policy
    from steadyhand.runtime.statistics import Statistics


Process = DDPM | Flow | Regression | MIP | Consistency | Gaussian | Mixture | Bins | Shortcut
DenoiserConfig = MLPConfig | UNetConfig | TransformerConfig | DiTConfig


def build_sampler(
    sampler: SamplerConfig,
    process: Process,
    denoiser: nn.Module,
    chunk_shape: tuple[int, int] | None = None,
    *,
    reach: float = 1.0,
) -> nn.Module:
    """The module that drives `denoiser` down `process`; heads need to know the chunk's shape.

    `reach` is the largest size of a recorded action when it is normalised. Raises
    `ConfigurationError` for a setting that the process would have to ignore.
    """
    from steadyhand.diffusion.sampler import Sampler
    from steadyhand.methods.consistency import consistency_loss

    if isinstance(process, Head):
        return _head(sampler, process, denoiser, chunk_shape, reach)
    if isinstance(process, Consistency) and sampler.solver != "renoise":
        raise ConfigurationError(
            f"A consistency model jumps to the clean end in each call: solver 'renoise', not "
            f"'{sampler.solver}'."
        )
    solver: Solver = partial(ddim, eta=sampler.eta) if sampler.eta else SOLVERS[sampler.solver]
    return Sampler(
        denoiser,
        process,
        solver,
        sampler.steps,
        spacing=SPACINGS[sampler.spacing],
        clip=sampler.bound(reach),
        temperature=sampler.temperature,
        objective=consistency_loss if isinstance(process, Consistency) else None,
    )


def _head(
    sampler: SamplerConfig,
    head: Head,
    denoiser: nn.Module,
    chunk_shape: tuple[int, int] | None,
    reach: float,
) -> nn.Module:
    kept = {"solver": "ddim", "spacing": "trailing", "eta": 0.0}
    changed = [name for name, value in kept.items() if getattr(sampler, name) != value]
    if changed:
        raise ConfigurationError(
            f"{type(head).__name__} has no {changed[0]}, and it is set to "
            f"'{getattr(sampler, changed[0])}'. Leave it at '{kept[changed[0]]}', its default."
        )
    assert chunk_shape is not None, "a policy knows the shape of its chunks"
    return head.build(
        denoiser,
        chunk_shape,
        steps=sampler.steps,
        clip=sampler.bound(reach),
        temperature=sampler.temperature,
    )


@checked
@dataclass(frozen=True, kw_only=True)
class PolicyConfig:
    """The parts of a policy."""

    encoder: StateEncoderConfig | ImageEncoderConfig = field(default_factory=StateEncoderConfig)
    denoiser: DenoiserConfig = field(default_factory=MLPConfig)
    process: Process = field(default_factory=Flow)
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    normalisation: Literal["min_max", "mean_std", "quantile"] = "min_max"
    """Recorded range to ±1, its 1 to 99 % to ±1 and the rest within ±3, or zero mean and unit
    deviation within ±10; what is rarer than one in a thousand is cut there."""

    def build(self, spec: PolicySpec, statistics: Mapping[str, Statistics]) -> Policy:
        """An untrained policy for `spec`; its weights come from torch's global generator.

        Raises `ConfigurationError` where the parts do not fit together.
        """
        from steadyhand.policy.normaliser import Normaliser
        from steadyhand.policy.policy import Policy

        encoder = self.encoder.build(spec)
        shape: tuple[int, int] = encoder.condition_shape  # type: ignore[assignment]
        outputs = spec.action_size
        if isinstance(self.process, Head):
            shape = self.process.condition_shape(shape)
            outputs = self.process.outputs(outputs)
        denoiser = self.denoiser.build(spec, shape, outputs)
        normaliser = Normaliser(spec.features, statistics, self.normalisation)
        reach = normaliser.reach(spec.action.name)
        sampler = build_sampler(self.sampler, self.process, denoiser, spec.chunk_shape, reach=reach)
        return Policy(spec, encoder, sampler, normaliser, config=self)
