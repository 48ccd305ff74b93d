"""What a policy is made of, as plain values: every part named, nothing built. No torch here."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal

from steadyhand.diffusion.process import DDPM, Flow, Regression
from steadyhand.diffusion.solvers import SOLVERS, Solver, ddim
from steadyhand.diffusion.spacing import SPACINGS
from steadyhand.errors import ConfigurationError, unknown
from steadyhand.nets.config import ImageEncoderConfig, MLPConfig, StateEncoderConfig, UNetConfig
from steadyhand.spec import PolicySpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from steadyhand.data.statistics import Statistics
    from steadyhand.policy.policy import Policy


@dataclass(frozen=True, kw_only=True)
class SamplerConfig:
    """How noise becomes actions. It can be changed after training, without training again."""

    solver: Literal["ddim", "ddpm", "dpmpp_2m", "euler", "sde_dpmpp_2m"] = "ddim"
    """How one step moves; `euler` is for flow, the others for any process."""
    steps: int = 10
    """Network calls for one chunk."""
    eta: float = 0.0
    """Fresh noise in DDIM: 0 is deterministic, 1 has the variance of DDPM."""
    spacing: Literal["trailing", "leading"] = "trailing"
    """Which noise levels are visited; `leading` agrees with the paper."""
    clip: float | None = 1.0
    """Bound on the normalised actions in each step; None leaves them free."""
    temperature: float = 1.0
    """Scale of the first noise; below 1 chunks are likelier and less diverse."""

    def __post_init__(self) -> None:
        if self.solver not in SOLVERS:
            raise ConfigurationError(unknown("solver", self.solver, SOLVERS))
        if self.spacing not in SPACINGS:
            raise ConfigurationError(unknown("spacing", self.spacing, SPACINGS))
        if self.eta and self.solver != "ddim":
            raise ConfigurationError(
                f"eta is {self.eta}, but only solver 'ddim' has one, not '{self.solver}'. "
                "Leave it at 0, or use 'ddim'."
            )
        if not (self.temperature >= 0 and math.isfinite(self.temperature)):
            raise ConfigurationError(f"temperature is {self.temperature}; it must be 0 or above.")
        if self.clip is not None and self.clip <= 0:
            raise ConfigurationError(f"clip is {self.clip}; it must be positive, or None.")

    def build(self, denoiser: nn.Module, process: DDPM | Flow | Regression) -> nn.Module:
        """The sampler that drives `denoiser` down `process`."""
        from steadyhand.diffusion.sampler import Sampler

        solver: Solver = partial(ddim, eta=self.eta) if self.eta else SOLVERS[self.solver]
        return Sampler(
            denoiser,
            process,
            solver,
            self.steps,
            spacing=SPACINGS[self.spacing],
            clip=self.clip,
            temperature=self.temperature,
        )


@dataclass(frozen=True, kw_only=True)
class PolicyConfig:
    """The parts of a policy."""

    encoder: StateEncoderConfig | ImageEncoderConfig = field(default_factory=StateEncoderConfig)
    denoiser: MLPConfig | UNetConfig = field(default_factory=MLPConfig)
    process: DDPM | Flow | Regression = field(default_factory=Flow)
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    normalisation: Literal["min_max", "mean_std", "quantile"] = "min_max"
    """Recorded range to ±1, its 1 to 99 % to ±1, or zero mean and unit deviation."""

    def build(self, spec: PolicySpec, statistics: Mapping[str, Statistics]) -> Policy:
        """An untrained policy for `spec`; its weights come from torch's global generator.

        Raises `ConfigurationError` where the parts do not fit together.
        """
        from steadyhand.policy.normaliser import Normaliser
        from steadyhand.policy.policy import Policy

        encoder = self.encoder.build(spec)
        shape: tuple[int, int] = encoder.condition_shape  # type: ignore[assignment]
        sampler = self.sampler.build(self.denoiser.build(spec, shape), self.process)
        normaliser = Normaliser(spec.features, statistics, self.normalisation)
        return Policy(spec, encoder, sampler, normaliser, config=self)
