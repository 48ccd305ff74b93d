"""The methods that are not plain denoising, as frozen values that a policy stores.

Each stands beside the processes, with the same networks, training and evaluation. No torch here;
what is learned and how it is drawn from is in the file of each method.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

from steadyhand.diffusion.ddpm import DDPM
from steadyhand.diffusion.flow import Flow
from steadyhand.diffusion.sampling import Head, SamplerConfig
from steadyhand.diffusion.spacing import check_halving
from steadyhand.errors import ConfigurationError
from steadyhand.sizes import Size, Width
from steadyhand.values import Bound, at_least, at_most, checked

if TYPE_CHECKING:
    from torch import nn

    from steadyhand.diffusion.loss import SamplerModule

Shape = tuple[int, int]


def _no_solver(head: Head, sampling: SamplerConfig) -> None:
    own = {"solver": None, "spacing": "trailing", "eta": 0.0}
    for name, value in own.items():
        found = getattr(sampling, name)
        if found != value:
            raise ConfigurationError(
                f"{type(head).__name__} has no {name}, and it is set to '{found}'. Leave it out."
            )


def _one_call(head: Head, sampling: SamplerConfig) -> None:
    _no_solver(head, sampling)
    if sampling.steps != 1:
        raise ConfigurationError(
            f"{type(head).__name__} answers in one step, not {sampling.steps}. Leave its steps at "
            "1."
        )


@checked
@dataclass(frozen=True, kw_only=True)
class Gaussian:
    """One normal distribution over the chunk: a mean and a deviation for each of its numbers."""

    sampling = SamplerConfig(steps=1)
    check = _one_call

    smallest_deviation: Size = 0.01
    """The least deviation it may answer with, in normalised actions."""

    def asks(self, action_size: int, condition_shape: Shape) -> tuple[int, Shape]:
        return 2 * action_size, condition_shape

    def build(
        self, denoiser: nn.Module, chunk_shape: Shape, sampling: SamplerConfig, clip: float | None
    ) -> SamplerModule:
        from steadyhand.methods.gaussian import GaussianHead

        return GaussianHead(denoiser, **vars(self), clip=clip, temperature=sampling.temperature)


@checked
@dataclass(frozen=True, kw_only=True)
class Mixture:
    """A mixture of normal distributions over the whole chunk, so that a way is kept to its end."""

    sampling = SamplerConfig(steps=1)
    check = _one_call

    components: Annotated[int, at_least(1), at_most(4_096)] = 8
    """Normal distributions that are mixed."""
    smallest_deviation: Size = 0.01
    """The least deviation of each, in normalised actions."""

    def asks(self, action_size: int, condition_shape: Shape) -> tuple[int, Shape]:
        return self.components * (2 * action_size + 1), condition_shape

    def build(
        self, denoiser: nn.Module, chunk_shape: Shape, sampling: SamplerConfig, clip: float | None
    ) -> SamplerModule:
        from steadyhand.methods.mixture import MixtureHead

        heat = sampling.temperature
        return MixtureHead(denoiser, chunk_shape, **vars(self), clip=clip, temperature=heat)


@checked
@dataclass(frozen=True, kw_only=True)
class Bins:
    """Each number of the chunk as one of some bins, drawn one after the other.

    The network is called once; a small head (NADE, Uria et al. 2016) makes each number's bins
    depend on the numbers before it, as the tokens of an autoregressive policy do.
    """

    sampling = SamplerConfig(steps=1)
    check = _one_call

    bins: Annotated[Width, at_least(2)] = 128
    """Bins between `-bound` and `bound`."""
    bound: Size = 2.0
    """Normalised actions beyond it fall into the outermost bins."""
    width: Width = 128
    """Features of the head."""

    def asks(self, action_size: int, condition_shape: Shape) -> tuple[int, Shape]:
        return self.width, condition_shape

    def build(
        self, denoiser: nn.Module, chunk_shape: Shape, sampling: SamplerConfig, clip: float | None
    ) -> SamplerModule:
        from steadyhand.methods.bins import BinsHead

        heat = sampling.temperature
        return BinsHead(denoiser, chunk_shape, **vars(self), clip=clip, temperature=heat)


@checked
@dataclass(frozen=True, kw_only=True)
class Shortcut:
    """A one-step policy without a teacher, on the straight path of flow.

    Some chunks of a batch teach the flow itself; the others teach that one jump ends where two of
    half its length do, so that what is known of short jumps grows into long ones. The paper gives
    a quarter of a batch to jumps; here a half did better on `fork` (BENCHMARKS.md).
    """

    sampling = SamplerConfig(steps=1)

    share: Annotated[float, Bound("between 0 and 1", lambda share: 0 < share < 1)] = 0.5
    """Share of each batch that learns to jump; the others learn the flow."""
    levels: Annotated[int, at_least(1), at_most(16)] = 5
    """Lengths of jumps: 1, 1/2, 1/4 and so on. Half the shortest is taken as two steps of flow."""

    def check(self, sampling: SamplerConfig) -> None:
        _no_solver(self, sampling)
        assert sampling.steps is not None
        check_halving(sampling.steps, self.levels)

    def asks(self, action_size: int, condition_shape: Shape) -> tuple[int, Shape]:
        from steadyhand.methods.shortcut import JUMP_FEATURES

        return action_size, (condition_shape[0], condition_shape[1] + JUMP_FEATURES)

    def build(
        self, denoiser: nn.Module, chunk_shape: Shape, sampling: SamplerConfig, clip: float | None
    ) -> SamplerModule:
        from steadyhand.methods.shortcut import JumpSampler

        assert sampling.steps is not None
        heat = sampling.temperature
        return JumpSampler(denoiser, sampling.steps, **vars(self), clip=clip, temperature=heat)


def plain(process: Flow | DDPM) -> Flow | DDPM:
    """The same path to noise and the same question, without what only training on it is about."""
    if isinstance(process, Flow):
        return replace(process, weighting="uniform", time_sampling="uniform")
    return replace(process, weighting="uniform")


@checked
@dataclass(frozen=True, kw_only=True)
class Consistency:
    """A network that answers with the end of the path that the noise lies on (Song et al. 2023).

    With a teacher (`steadyhand distill`) the paths are the teacher's; without one they are those of
    the demonstrations (consistency training), which is cheaper to begin with and less exact. It
    is sampled in one call, or in a few that go back along `path_of` with fresh noise.
    """

    sampling = SamplerConfig(solver="renoise", steps=1)

    path_of: Flow | DDPM = field(default_factory=lambda: Flow(prediction="sample"))
    """The process it is learned on: the teacher's."""
    levels: Annotated[int, at_least(2), at_most(100_000)] = 10
    """Times between noise and the clean end at which neighbours are made to agree."""

    def __post_init__(self) -> None:
        if self.path_of.prediction == "epsilon":
            raise ConfigurationError(
                "A consistency model begins at pure noise, of which an 'epsilon' network can say "
                "nothing. Train the teacher with prediction 'sample' (as the recipes do), 'v' or "
                "'velocity'."
            )
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

    def check(self, sampling: SamplerConfig) -> None:
        if sampling.solver != "renoise":
            raise ConfigurationError(
                f"A consistency model jumps to the clean end in each call: solver 'renoise', not "
                f"'{sampling.solver}'."
            )
        sampling.check(self.path_of)

    def asks(self, action_size: int, condition_shape: Shape) -> tuple[int, Shape]:
        return action_size, condition_shape

    def build(
        self, denoiser: nn.Module, chunk_shape: Shape, sampling: SamplerConfig, clip: float | None
    ) -> SamplerModule:
        from steadyhand.diffusion.sampler import configured
        from steadyhand.methods.consistency import consistency_loss

        objective = partial(consistency_loss, levels=self.levels)
        return configured(denoiser, self.path_of, sampling, clip, objective)
