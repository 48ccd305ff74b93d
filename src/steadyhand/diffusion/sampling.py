"""How noise becomes actions, as a plain value that a policy stores. No torch here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal, Protocol, runtime_checkable

from steadyhand.diffusion.process import Array, Process, first_scale
from steadyhand.diffusion.solvers import SOLVERS, Coefficients, ddim, step_numbers
from steadyhand.diffusion.spacing import SPACINGS
from steadyhand.errors import ConfigurationError
from steadyhand.sizes import LARGEST_NUMBER, Steps, within
from steadyhand.values import Bound, checked

if TYPE_CHECKING:
    from torch import nn

    from steadyhand.diffusion.loss import SamplerModule

SolverName = Literal["ddim", "ddpm", "dpmpp_2m", "euler", "noiseless", "renoise", "sde_dpmpp_2m"]
CLIP = Bound(
    f"above 0 and at most {LARGEST_NUMBER:g}, 'recorded', or None",
    lambda clip: 0 < clip <= LARGEST_NUMBER,
)


@checked
@dataclass(frozen=True, kw_only=True)
class SamplerConfig:
    """How noise becomes actions. It can be changed after training, without training again."""

    solver: SolverName | None = None
    """How one step moves; `euler` is for flow, `noiseless` for mip, the others for any process. The
    method's own unless given."""
    steps: Steps | None = None
    """Network calls for one chunk; as many as the method takes by itself unless given."""
    eta: float = 0.0
    """Fresh noise in DDIM: 0 is deterministic, 1 has the variance of DDPM."""
    spacing: Literal["trailing", "leading"] = "trailing"
    """Which noise levels are visited; `leading` agrees with the paper."""
    clip: Annotated[float | Literal["recorded"] | None, CLIP] = "recorded"
    """Bound on the normalised actions in each step: that of the recorded ones; None for none."""
    temperature: Annotated[float, within(0, LARGEST_NUMBER)] = 1.0
    """Scale of the first noise; below 1 chunks are likelier and less diverse."""

    def __post_init__(self) -> None:
        if self.eta and self.solver not in ("ddim", None):
            raise ConfigurationError(
                f"eta is {self.eta}, but only solver 'ddim' has one, not '{self.solver}'. "
                "Leave it at 0, or use 'ddim'."
            )

    def settled(self, method: Process | Head) -> SamplerConfig:
        """With what is not given as `method` has it.

        Raises `ConfigurationError` for what the method would have to ignore or cannot do.
        """
        own: SamplerConfig = getattr(method, "sampling", USUAL)
        # Earlier versions stored a solver also for methods that have none: the usual one.
        unsaid = self.solver is None or (own.solver is None and self.solver == USUAL.solver)
        found = replace(
            self,
            solver=own.solver if unsaid else self.solver,
            steps=own.steps if self.steps is None else self.steps,
        )
        if isinstance(method, Process):
            found.check(method)
        else:
            method.check(found)
        return found

    def check(self, process: Process) -> None:
        """Raise `ConfigurationError` for what `process` cannot do; all has to be settled."""
        assert self.steps is not None
        times = SPACINGS[self.spacing](process, self.steps)
        step_numbers(process, self.solve, times)
        first_scale(process, times, self.temperature)

    def solve(self, process: Process, times: Array) -> Coefficients:
        """The table of the solver that is named: itself a `Solver`."""
        assert self.solver is not None
        if self.eta:
            return ddim(process, times, eta=self.eta)
        return SOLVERS[self.solver](process, times)

    def bound(self, reach: float) -> float | None:
        """What `clip` comes to where the largest recorded action is of size `reach`."""
        return reach if self.clip == "recorded" else self.clip


USUAL = SamplerConfig(solver="ddim", steps=10)
"""Of a process that does not say how it is sampled."""


@runtime_checkable
class Head(Protocol):
    """A method that brings its own sampler, and may ask its denoiser for more than actions."""

    @property
    def sampling(self) -> SamplerConfig:
        """How it is sampled unless said otherwise; no solver where it has none."""
        ...

    def check(self, sampling: SamplerConfig) -> None:
        """Raise `ConfigurationError` for what it would have to ignore, or cannot do."""
        ...

    def asks(
        self, action_size: int, condition_shape: tuple[int, int]
    ) -> tuple[int, tuple[int, int]]:
        """What its denoiser answers and sees: numbers a row, and the condition's shape (N, D)."""
        ...

    def build(
        self,
        denoiser: nn.Module,
        chunk_shape: tuple[int, int],
        sampling: SamplerConfig,
        clip: float | None,
    ) -> SamplerModule:
        """The module that draws chunks and learns to."""
        ...
