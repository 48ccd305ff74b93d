"""How noise becomes actions, as a plain value that a policy stores. No torch here."""

from dataclasses import dataclass
from typing import Literal

from steadyhand.diffusion.solvers import SOLVERS
from steadyhand.diffusion.spacing import SPACINGS
from steadyhand.errors import ConfigurationError, unknown
from steadyhand.sizes import LARGEST_NUMBER, check_sizes
from steadyhand.values import checked

SolverName = Literal["ddim", "ddpm", "dpmpp_2m", "euler", "noiseless", "renoise", "sde_dpmpp_2m"]


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

    def bound(self, reach: float) -> float | None:
        """What `clip` comes to where the largest recorded action is of size `reach`."""
        return reach if self.clip == "recorded" else self.clip
