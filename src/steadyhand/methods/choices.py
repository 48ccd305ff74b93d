"""The methods that are not plain denoising, as frozen values that a policy stores.

Each stands beside the processes, with the same networks, training and evaluation. No torch here;
what is learned and how it is drawn from is in the file of each method.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from steadyhand.diffusion.process import DDPM, Array, Flow
from steadyhand.errors import ConfigurationError
from steadyhand.sizes import LARGEST_NUMBER, check_sizes
from steadyhand.values import checked

if TYPE_CHECKING:
    from torch import nn


@runtime_checkable
class Head(Protocol):
    """A method that brings its own sampler, and asks its denoiser for more than actions."""

    def outputs(self, action_size: int) -> int:
        """Numbers that the denoiser answers with for each row of a chunk."""
        ...

    def condition_shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Shape (N, D) of what the denoiser is given, where the encoder's condition has `shape`."""
        ...

    def build(
        self,
        denoiser: nn.Module,
        chunk_shape: tuple[int, int],
        *,
        steps: int,
        clip: float | None,
        temperature: float,
    ) -> nn.Module:
        """The module `(noise, condition, step_noise, previous, mask) → actions`, with a `loss`."""
        ...


def one_call(head: Head, steps: int) -> None:
    """Raise `ConfigurationError` where a head that answers at once is asked for more steps."""
    if steps != 1:
        raise ConfigurationError(
            f"{type(head).__name__} answers in one step, not {steps}. Leave its steps at 1."
        )


@checked
@dataclass(frozen=True, kw_only=True)
class Gaussian:
    """One normal distribution over the chunk: a mean and a deviation for each of its numbers."""

    smallest_deviation: float = 0.01
    """The least deviation it may answer with, in normalised actions."""

    def __post_init__(self) -> None:
        _require_positive(self.smallest_deviation, "smallest_deviation")

    def outputs(self, action_size: int) -> int:
        return 2 * action_size

    def condition_shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        return shape

    def build(
        self,
        denoiser: nn.Module,
        chunk_shape: tuple[int, int],
        *,
        steps: int,
        clip: float | None,
        temperature: float,
    ) -> nn.Module:
        from steadyhand.methods.gaussian import GaussianHead

        one_call(self, steps)
        return GaussianHead(
            denoiser,
            smallest_deviation=self.smallest_deviation,
            clip=clip,
            temperature=temperature,
        )


@checked
@dataclass(frozen=True, kw_only=True)
class Mixture:
    """A mixture of normal distributions over the whole chunk, so that a way is kept to its end."""

    components: int = 8
    """Normal distributions that are mixed."""
    smallest_deviation: float = 0.01
    """The least deviation of each, in normalised actions."""

    def __post_init__(self) -> None:
        _require_positive(self.smallest_deviation, "smallest_deviation")
        check_sizes(self, "components")

    def outputs(self, action_size: int) -> int:
        return self.components * (2 * action_size + 1)

    def condition_shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        return shape

    def build(
        self,
        denoiser: nn.Module,
        chunk_shape: tuple[int, int],
        *,
        steps: int,
        clip: float | None,
        temperature: float,
    ) -> nn.Module:
        from steadyhand.methods.mixture import MixtureHead

        one_call(self, steps)
        return MixtureHead(
            denoiser,
            chunk_shape,
            components=self.components,
            smallest_deviation=self.smallest_deviation,
            clip=clip,
            temperature=temperature,
        )


@checked
@dataclass(frozen=True, kw_only=True)
class Bins:
    """Each number of the chunk as one of some bins, drawn one after the other.

    The network is called once; a small head (NADE, Uria et al. 2016) makes each number's bins
    depend on the numbers before it, as the tokens of an autoregressive policy do.
    """

    bins: int = 128
    """Bins between `-bound` and `bound`."""
    bound: float = 2.0
    """Normalised actions beyond it fall into the outermost bins."""
    width: int = 128
    """Features of the head."""

    def __post_init__(self) -> None:
        _require_positive(self.bound, "bound")
        check_sizes(self, "bins", least=2)
        check_sizes(self, "width")

    def outputs(self, action_size: int) -> int:
        return self.width

    def condition_shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        return shape

    def build(
        self,
        denoiser: nn.Module,
        chunk_shape: tuple[int, int],
        *,
        steps: int,
        clip: float | None,
        temperature: float,
    ) -> nn.Module:
        from steadyhand.methods.bins import BinsHead

        one_call(self, steps)
        return BinsHead(
            denoiser,
            chunk_shape,
            bins=self.bins,
            bound=self.bound,
            width=self.width,
            clip=clip,
            temperature=temperature,
        )


@checked
@dataclass(frozen=True, kw_only=True)
class Shortcut:
    """A one-step policy without a teacher, on the straight path of flow.

    Some chunks of a batch teach the flow itself; the others teach that one jump ends where two of
    half its length do, so that what is known of short jumps grows into long ones. The paper gives
    a quarter of a batch to jumps; here a half did better on `fork` (BENCHMARKS.md).
    """

    share: float = 0.5
    """Share of each batch that learns to jump; the others learn the flow."""
    levels: int = 5
    """Lengths of jumps: 1, 1/2, 1/4 and so on. Half the shortest is taken as two steps of flow."""

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ConfigurationError(f"share is {self.share}; it must be between 0 and 1.")
        check_sizes(self, "levels")

    def outputs(self, action_size: int) -> int:
        return action_size

    def condition_shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        from steadyhand.methods.shortcut import JUMP_FEATURES

        return shape[0], shape[1] + JUMP_FEATURES

    def build(
        self,
        denoiser: nn.Module,
        chunk_shape: tuple[int, int],
        *,
        steps: int,
        clip: float | None,
        temperature: float,
    ) -> nn.Module:
        from steadyhand.methods.shortcut import JumpSampler

        return JumpSampler(
            denoiser,
            steps,
            share=self.share,
            levels=self.levels,
            clip=clip,
            temperature=temperature,
        )


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


def _require_positive(value: float, name: str) -> None:
    if not 0 < value <= LARGEST_NUMBER:
        raise ConfigurationError(
            f"{name} is {value}; it must be above 0, and at most {LARGEST_NUMBER:g}."
        )
