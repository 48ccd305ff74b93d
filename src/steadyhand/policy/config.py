"""What a policy is made of, as plain values: every part named, nothing built. No torch here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from steadyhand.diffusion.ddpm import DDPM
from steadyhand.diffusion.flow import Flow
from steadyhand.diffusion.process import Process
from steadyhand.diffusion.sampling import Head, SamplerConfig
from steadyhand.errors import ConfigurationError
from steadyhand.methods.choices import Bins, Consistency, Gaussian, Mixture, Shortcut
from steadyhand.methods.mip import MIP
from steadyhand.methods.regression import Regression
from steadyhand.nets.choices import DiTConfig, MLPConfig, TransformerConfig, UNetConfig
from steadyhand.nets.encoder_choices import BackboneConfig, ImageEncoderConfig, StateEncoderConfig
from steadyhand.nets.vlm_choices import VLMEncoderConfig
from steadyhand.spec import PolicySpec
from steadyhand.values import checked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from steadyhand.diffusion.loss import SamplerModule
    from steadyhand.diffusion.prefix import Prefix
    from steadyhand.policy.policy import Policy
    from steadyhand.runtime.statistics import Statistics


EncoderConfig = StateEncoderConfig | ImageEncoderConfig | VLMEncoderConfig
Method = DDPM | Flow | Regression | MIP | Consistency | Gaussian | Mixture | Bins | Shortcut
DenoiserConfig = MLPConfig | UNetConfig | TransformerConfig | DiTConfig


def build_sampler(
    sampler: SamplerConfig,
    method: Process | Head,
    denoiser: nn.Module,
    chunk_shape: tuple[int, int],
    *,
    reach: float = 1.0,
    prefix: Prefix | None = None,
) -> SamplerModule:
    """The module that draws chunks (H, A) with `denoiser`, by `method` and as `sampler` says.

    `reach` is the largest size of a recorded action when it is normalised; `prefix` are the rows
    that may be given clean. Raises `ConfigurationError` for a setting that the method would have to
    ignore.
    """
    from steadyhand.diffusion.sampler import configured

    sampler = sampler.settled(method)
    clip = sampler.bound(reach)
    noisy = isinstance(method, Process) and method.path(np.array([method.start]))[1].any()
    if prefix is not None and not noisy:
        raise ConfigurationError(
            f"prefix is {prefix.most}, and {type(method).__name__} does not learn to go on from "
            "rows that are given. Leave prefix at 0, or use Flow() or DDPM()."
        )
    if isinstance(method, Process):
        return configured(denoiser, method, sampler, clip, prefix=prefix)
    return method.build(denoiser, chunk_shape, sampler, clip)


def pretrained_part(config: PolicyConfig) -> BackboneConfig | VLMEncoderConfig | None:
    """The part whose architecture and weights come from elsewhere when training begins."""
    found = getattr(config.encoder, "network", config.encoder)
    return found if isinstance(found, BackboneConfig | VLMEncoderConfig) else None


@checked
@dataclass(frozen=True, kw_only=True)
class PolicyConfig:
    """The parts of a policy."""

    encoder: EncoderConfig = field(default_factory=StateEncoderConfig)
    denoiser: DenoiserConfig = field(default_factory=MLPConfig)
    process: Method = field(default_factory=Flow)
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    normalisation: Literal["min_max", "mean_std", "quantile"] = "min_max"
    """Recorded range to ±1, its 1 to 99 % to ±1 and the rest within ±3, or zero mean and unit
    deviation within ±10; what is rarer than one in a thousand is cut there."""
    normalise_tasks: Literal["together", "each"] = "together"
    """Whether several tasks share one range, or each has its own."""

    def __post_init__(self) -> None:
        self.sampler.settled(self.process)

    def settled(self) -> PolicyConfig:
        """With what is left to the method filled in: what a policy's file stores."""
        return replace(self, sampler=self.sampler.settled(self.process))

    def build(self, spec: PolicySpec, statistics: Mapping[str, Statistics]) -> Policy:
        """An untrained policy for `spec`; its weights come from torch's global generator.

        Raises `ConfigurationError` where the parts do not fit together.
        """
        from steadyhand.diffusion.prefix import Prefix
        from steadyhand.policy.normaliser import Normaliser
        from steadyhand.policy.policy import Policy

        encoder: Any = self.encoder.build(spec)
        asked = spec.network_size, encoder.condition_shape
        outputs, shape = self.process.asks(*asked) if isinstance(self.process, Head) else asked
        prefix, chunking = None, spec.chunking
        if chunking.prefix:
            given = {"most": chunking.prefix, "first": chunking.past_rows}
            prefix = Prefix(**given, action_size=spec.network_size, features=shape[1])
            shape = (shape[0] + prefix.tokens, shape[1])
        denoiser = self.denoiser.build(spec, shape, outputs)
        each = self.normalise_tasks == "each"
        if each and spec.tasks is None:
            raise ConfigurationError(
                "normalise_tasks is 'each', and the policy is not told which task it does: name "
                "task among the --observations."
            )
        tasks = len(spec.tasks.texts) if each and spec.tasks else 0
        normaliser = Normaliser(spec.normalised, statistics, self.normalisation, tasks=tasks)
        reach = normaliser.reach(spec.network_action.name)
        sampler = build_sampler(
            self.sampler,
            self.process,
            denoiser,
            spec.noise_shape,
            reach=reach,
            prefix=prefix,
        )
        return Policy(spec, encoder, sampler, normaliser, config=self.settled())
