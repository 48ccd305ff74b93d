"""Consistency models (Song et al. 2023): one call from anywhere on the path to its clean end.

The value that a policy stores is here, without torch; what they learn is in `distillation.py`.
"""

from dataclasses import dataclass, field, replace

from steadyhand.diffusion.process import DDPM, Array, Flow
from steadyhand.errors import ConfigurationError
from steadyhand.sizes import check_sizes
from steadyhand.values import checked


def plain(process: Flow | DDPM) -> Flow | DDPM:
    """The same path to noise and the same question, without what only training on it is about."""
    if isinstance(process, Flow):
        return replace(process, weighting="uniform", time_sampling="uniform")
    return replace(process, weighting="uniform")


@checked
@dataclass(frozen=True, kw_only=True)
class Consistency:
    """A process whose network answers with the end of the path that the noise lies on.

    With a teacher (`steadyhand distill`) the paths are the teacher's; without one they are those of
    the demonstrations (consistency training), which is cheaper to begin with and less exact. It
    is a process as `path` is, sampled in one call, or in a few that go back with fresh noise.
    """

    path_of: Flow | DDPM = field(default_factory=lambda: Flow(prediction="sample"))
    """The process it is learned on: the teacher's."""
    levels: int = 10
    """Times between noise and the clean end at which neighbours are made to agree."""

    solvers = ("renoise",)

    def __post_init__(self) -> None:
        if self.path_of.prediction == "epsilon":
            raise ConfigurationError(
                "A consistency model begins at pure noise, of which an 'epsilon' network can say "
                "nothing. Train the teacher with prediction 'sample' (as the recipes do), 'v' or "
                "'velocity'."
            )
        check_sizes(self, "levels", least=2)
        most = self.path_of.train_steps
        if most is not None and self.levels > most:
            raise ConfigurationError(
                f"levels is {self.levels}; it must be in 2…{most}, the teacher's noise levels."
            )
        if self.path_of != plain(self.path_of):
            raise ConfigurationError(
                "A consistency model visits all its levels alike and weighs errors alike: leave "
                "weighting and time sampling of its path at 'uniform'."
            )

    @property
    def train_steps(self) -> int | None:
        return self.path_of.train_steps

    @property
    def start(self) -> float:
        return self.path_of.start

    @property
    def end(self) -> float:
        return self.path_of.end

    def path(self, t: Array) -> tuple[Array, Array]:
        return self.path_of.path(t)

    def target(self, t: Array) -> tuple[Array, Array]:
        return self.path_of.target(t)

    def embedded(self, t: Array) -> Array:
        return self.path_of.embedded(t)

    def draw(self, uniform: Array) -> Array:
        return self.path_of.draw(uniform)

    def weight(self, t: Array) -> Array:
        return self.path_of.weight(t)
