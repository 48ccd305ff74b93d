"""What a denoiser and a sampler are, asking a denoiser, and the mean of its errors."""

import inspect
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from steadyhand.diffusion.process import Array
from steadyhand.diffusion.shapes import Chunk, Condition, Loss, Mask, Noises, Rest, Rows
from steadyhand.errors import ConfigurationError


class Denoiser(Protocol):
    """`(x (B, H, A), t (B,), condition (B, N, D)[, mask (B, N)]) → (B, H, out_features)`.

    One may also offer what a sampler then does once a chunk instead of once a step:
    `prepare(t, condition[, mask]) → (timed, fixed)` and `denoise(x, timed, fixed)`, with
    `forward(x, t, condition[, mask]) = denoise(x, *prepare(t, condition[, mask]))`. `timed` is a
    tuple of tensors that begin with the axes of `t`, which are (S, 1) for the S steps of a chunk;
    `fixed` is anything that depends on the condition alone.
    """

    def __call__(
        self, x: Tensor, t: Tensor, condition: Tensor, mask: Tensor | None = None
    ) -> Tensor: ...


@runtime_checkable
class SamplerModule(Protocol):
    """A module that draws chunks (B, H, A) from noise of that shape, and learns to."""

    @property
    def steps(self) -> int:
        """Network calls for one chunk."""
        ...

    @property
    def stochastic(self) -> bool:
        """Whether `step_noise` (B, steps, H, A) is needed."""
        ...

    def __call__(
        self,
        noise: Chunk,
        condition: Condition,
        step_noise: Noises = None,
        previous: Rest = None,
        mask: Mask = None,
    ) -> Chunk: ...

    def loss(
        self,
        x0: Chunk,
        eps: Chunk,
        uniform: Array,
        condition: Condition,
        weight: Rows = None,
        mask: Mask = None,
    ) -> Loss:
        """What training makes small; `uniform` (B,) is on the host, `weight` (B, H) counts rows."""
        ...


def ask(
    denoiser: Denoiser,
    x: Tensor,
    t: Tensor,
    condition: Tensor,
    mask: Tensor | None = None,
    *,
    features: int | None = None,
) -> Tensor:
    """The denoiser's answer, (B, H, features): as many numbers a row as `x` has, unless given.

    Raises `ConfigurationError` for an answer of another shape, and where there is a mask and the
    denoiser takes none.
    """
    return answered(denoiser(x, t, condition, *masks(denoiser, mask)), x, features)


def answered(out: Tensor, x: Tensor, features: int | None = None) -> Tensor:
    """A denoiser's answer to `x`. Raises `ConfigurationError` for one of another shape."""
    # Not while it is being traced: a dynamic batch would be compared with itself.
    if not torch.compiler.is_compiling():
        wanted = (*x.shape[:2], x.shape[2] if features is None else features)
        if (shape := getattr(out, "shape", None)) != wanted:
            found = f"a {type(out).__name__}" if shape is None else tuple(shape)
            raise ConfigurationError(
                f"The denoiser answers with {found} where x is {tuple(x.shape)}, (batch, horizon, "
                f"action); {tuple(wanted)} is needed."
            )
    return out


def masks(denoiser: Denoiser, mask: Tensor | None) -> tuple[Tensor, ...]:
    """The mask as the last argument of a call; none where there is no mask.

    Raises `ConfigurationError` where there is one and the denoiser takes none.
    """
    if mask is None:
        return ()
    if not torch.compiler.is_compiling():
        given = inspect.signature(getattr(denoiser, "forward", denoiser)).parameters.values()
        if len(given) < 4 and not any(p.kind is p.VAR_POSITIONAL for p in given):
            raise ConfigurationError(
                f"The encoder masks some of its tokens, and {type(denoiser).__name__} takes no "
                "mask: it would see what is not there. Use TransformerConfig() or DiTConfig(), or "
                "an encoder without a mask."
            )
    return (mask,)


def asked_in_parts(denoiser: object) -> bool:
    """Whether it offers `prepare` and `denoise`, and no subclass has a `forward` of its own."""
    if not hasattr(denoiser, "prepare") or not hasattr(denoiser, "denoise"):
        return False
    kinds = type(denoiser).__mro__
    forward, *parts = (
        next((place for place, kind in enumerate(kinds) if name in vars(kind)), len(kinds))
        for name in ("forward", "prepare", "denoise")
    )
    return forward >= min(parts)


def sent(values: NDArray[Any] | Tensor, device: torch.device) -> Tensor:
    """What is on the host, on `device`; only CUDA takes its copy, from pinned memory, later.

    MPS would, too, and then find what has been freed meanwhile.
    """
    tensor = torch.as_tensor(values)
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def refuse_previous(previous: Rest) -> None:
    """Raise `ConfigurationError` where a chunk is to be continued."""
    if previous is not None:
        raise ConfigurationError("This sampler does not continue a previous chunk.")


def draws(x0: Tensor, generator: torch.Generator) -> tuple[Tensor, Array]:
    """(eps, uniform) for the loss of chunks `x0` (B, H, A), from a generator of the CPU's."""
    eps = torch.randn(x0.shape, generator=generator, dtype=x0.dtype)
    uniform = torch.rand(len(x0), generator=generator, dtype=torch.float64)
    return sent(eps, x0.device), uniform.numpy()


def mean_of_rows(error: Tensor, weight: Tensor | None) -> Tensor:
    """The mean of errors (B, H) over the rows that count: `weight` is 0 for padding."""
    if weight is None:
        return error.mean()
    return (error * weight).sum() / weight.sum().clamp(min=1)


@contextmanager
def at_rest(denoiser: nn.Module) -> Generator[None]:
    """Without gradients and without dropout: what is asked so is what others are to agree with."""
    training = denoiser.training
    denoiser.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        denoiser.train(training)
