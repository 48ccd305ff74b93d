"""What a denoiser is, asking one, and the mean of its errors: what all methods share."""

import inspect
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor, nn

from steadyhand.errors import ConfigurationError


class Denoiser(Protocol):
    """`(x (B, H, A), t (B,), condition (B, N, D)[, mask (B, N)]) → (B, H, out_features)`."""

    def __call__(
        self, x: Tensor, t: Tensor, condition: Tensor, mask: Tensor | None = None
    ) -> Tensor: ...


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
    if mask is None:
        out = denoiser(x, t, condition)
    else:
        _require_mask(denoiser)
        out = denoiser(x, t, condition, mask)
    # Not while it is being traced: a dynamic batch would be compared with itself.
    if not torch.compiler.is_compiling():
        wanted = (*x.shape[:2], x.shape[2] if features is None else features)
        if getattr(out, "shape", None) != wanted:
            shape = getattr(out, "shape", None)
            found = f"a {type(out).__name__}" if shape is None else tuple(shape)
            raise ConfigurationError(
                f"The denoiser answers with {found} where x is {tuple(x.shape)}, (batch, horizon, "
                f"action); {tuple(wanted)} is needed."
            )
    return out


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


def _require_mask(denoiser: Denoiser) -> None:
    if torch.compiler.is_compiling():
        return
    given = inspect.signature(getattr(denoiser, "forward", denoiser)).parameters.values()
    if len(given) < 4 and not any(p.kind is p.VAR_POSITIONAL for p in given):
        raise ConfigurationError(
            f"The encoder masks some of its tokens, and {type(denoiser).__name__} takes no mask: "
            "it would see what is not there. Use TransformerConfig() or DiTConfig(), or an encoder "
            "without a mask."
        )
