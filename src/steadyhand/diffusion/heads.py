"""Methods that answer in one call with a distribution: behaviour cloning's own ways to act.

Each is a frozen value beside the processes, with the same networks, training and evaluation. No
torch here; the modules are in `likelihood.py` and `bins.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

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
        from steadyhand.diffusion.likelihood import GaussianHead

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
        from steadyhand.diffusion.likelihood import MixtureHead

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
        from steadyhand.diffusion.bins import BinsHead

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


def _require_positive(value: float, name: str) -> None:
    if not 0 < value <= LARGEST_NUMBER:
        raise ConfigurationError(
            f"{name} is {value}; it must be above 0, and at most {LARGEST_NUMBER:g}."
        )
