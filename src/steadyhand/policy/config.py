"""What a policy is made of, as plain values: every part named, nothing built. No torch here."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal

from steadyhand.diffusion.consistency import Consistency
from steadyhand.diffusion.direct import MIP, Regression
from steadyhand.diffusion.heads import Bins, Gaussian, Head, Mixture
from steadyhand.diffusion.process import DDPM, Flow
from steadyhand.diffusion.shortcut import Shortcut
from steadyhand.diffusion.solvers import SOLVERS, Solver, ddim
from steadyhand.diffusion.spacing import SPACINGS
from steadyhand.errors import ConfigurationError, unknown
from steadyhand.nets.config import ImageEncoderConfig, StateEncoderConfig
from steadyhand.nets.denoisers import DiTConfig, MLPConfig, TransformerConfig, UNetConfig
from steadyhand.sizes import LARGEST_NUMBER, check_sizes
from steadyhand.spec import PolicySpec
from steadyhand.values import checked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from steadyhand.data.statistics import Statistics
    from steadyhand.policy.policy import Policy


SolverName = Literal["ddim", "ddpm", "dpmpp_2m", "euler", "noiseless", "renoise", "sde_dpmpp_2m"]
Process = DDPM | Flow | Regression | MIP | Consistency | Gaussian | Mixture | Bins | Shortcut
DenoiserConfig = MLPConfig | UNetConfig | TransformerConfig | DiTConfig


@checked
@dataclass(frozen=True, kw_only=True)
class SamplerConfig:
    """How noise becomes actions. It can be changed after training, without training again."""

    solver: SolverName = "ddim"
    """How one step moves; `euler` is for flow, `noiseless` for mip, the others for any process."""
    steps: int = 10
    """Network calls for one chunk."""
    eta: float = 0.0
    """Fresh noise in DDIM: 0 is deterministic, 1 has the variance of DDPM."""
    spacing: Literal["trailing", "leading"] = "trailing"
    """Which noise levels are visited; `leading` agrees with the paper."""
    clip: float | Literal["recorded"] | None = "recorded"
    """Bound on the normalised actions in each step: that of the recorded ones; None for none."""
    temperature: float = 1.0
    """Scale of the first noise; below 1 chunks are likelier and less diverse."""

    def __post_init__(self) -> None:
        if self.solver not in SOLVERS:
            raise ConfigurationError(unknown("solver", self.solver, SOLVERS))
        if self.spacing not in SPACINGS:
            raise ConfigurationError(unknown("spacing", self.spacing, SPACINGS))
        check_sizes(self, "steps")
        if self.eta and self.solver != "ddim":
            raise ConfigurationError(
                f"eta is {self.eta}, but only solver 'ddim' has one, not '{self.solver}'. "
                "Leave it at 0, or use 'ddim'."
            )
        if not 0 <= self.temperature <= LARGEST_NUMBER:
            raise ConfigurationError(
                f"temperature is {self.temperature}; it must be in 0…{LARGEST_NUMBER:g}."
            )
        if isinstance(self.clip, int | float) and not 0 < self.clip <= LARGEST_NUMBER:
            raise ConfigurationError(
                f"clip is {self.clip}; it must be above 0 and at most {LARGEST_NUMBER:g}, "
                "'recorded', or None."
            )

    def build(
        self,
        denoiser: nn.Module,
        process: Process,
        chunk_shape: tuple[int, int] | None = None,
        *,
        reach: float = 1.0,
    ) -> nn.Module:
        """The sampler that drives `denoiser` down `process`; heads need to know the chunk's shape.

        `reach` is the largest size of a recorded action when it is normalised. Raises
        `ConfigurationError` for a setting that the process would have to ignore.
        """
        from steadyhand.diffusion.distillation import consistency_loss
        from steadyhand.diffusion.sampler import Sampler

        if isinstance(process, Head):
            return self._head(denoiser, process, chunk_shape, reach)
        if isinstance(process, Consistency) and self.solver != "renoise":
            raise ConfigurationError(
                f"A consistency model jumps to the clean end in each call: solver 'renoise', not "
                f"'{self.solver}'."
            )
        solver: Solver = partial(ddim, eta=self.eta) if self.eta else SOLVERS[self.solver]
        return Sampler(
            denoiser,
            process,
            solver,
            self.steps,
            spacing=SPACINGS[self.spacing],
            clip=self._bound(reach),
            temperature=self.temperature,
            objective=consistency_loss if isinstance(process, Consistency) else None,
        )

    def _bound(self, reach: float) -> float | None:
        return reach if self.clip == "recorded" else self.clip

    def _head(
        self, denoiser: nn.Module, head: Head, chunk_shape: tuple[int, int] | None, reach: float
    ) -> nn.Module:
        kept = {"solver": "ddim", "spacing": "trailing", "eta": 0.0}
        changed = [name for name, value in kept.items() if getattr(self, name) != value]
        if changed:
            raise ConfigurationError(
                f"{type(head).__name__} has no {changed[0]}, and it is set to "
                f"'{getattr(self, changed[0])}'. Leave it at '{kept[changed[0]]}', its default."
            )
        assert chunk_shape is not None, "a policy knows the shape of its chunks"
        return head.build(
            denoiser,
            chunk_shape,
            steps=self.steps,
            clip=self._bound(reach),
            temperature=self.temperature,
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
        sampler = self.sampler.build(denoiser, self.process, spec.chunk_shape, reach=reach)
        return Policy(spec, encoder, sampler, normaliser, config=self)
