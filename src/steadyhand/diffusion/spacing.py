"""Spacings: which times a sampler visits. A spacing is a plain function (process, steps) → times.

Times come in the order they are visited, noise first, as float64 of shape (S,); the end of the
process (clean) is not among them.
"""

from collections.abc import Callable

import numpy as np

from steadyhand.diffusion.process import Array, Process
from steadyhand.errors import ConfigurationError

Spacing = Callable[[Process, int], Array]


def trailing(process: Process, steps: int) -> Array:
    """Evenly spaced and always starting at pure noise (Lin et al. 2023); the default."""
    _check(process, steps)
    if process.train_steps is None:
        return np.linspace(process.start, process.end, steps + 1, dtype=np.float64)[:-1]
    left = np.arange(steps, 0, -1, dtype=np.float64)
    return np.round(left * (process.train_steps / steps)) - 1


def leading(process: Process, steps: int) -> Array:
    """Evenly spaced from the clean end, as in the paper's DDIM; starts short of pure noise."""
    _check(process, steps)
    if process.train_steps is None:
        raise ConfigurationError(
            f"Leading spacing counts training steps, and {process} has none: use 'trailing'."
        )
    return np.arange(steps - 1, -1, -1, dtype=np.float64) * (process.train_steps // steps)


SPACINGS: dict[str, Spacing] = {"trailing": trailing, "leading": leading}


def _check(process: Process, steps: int) -> None:
    if steps < 1:
        raise ConfigurationError(f"A sampler takes at least 1 step, not {steps}.")
    if process.train_steps == 1 and steps > 1:
        raise ConfigurationError(
            f"{type(process).__name__} answers in one step, not {steps}. Leave its steps at 1."
        )
    if process.train_steps is not None and steps > process.train_steps:
        raise ConfigurationError(
            f"{steps} sampling steps are more than the {process.train_steps} noise levels "
            f"that {type(process).__name__} was trained on. Choose 1…{process.train_steps}."
        )


def check_halving(steps: int, levels: int) -> None:
    """Raise `ConfigurationError` unless so many jumps are of a length that halving comes to."""
    lengths = [2**level for level in range(levels)]
    if steps not in lengths:
        raise ConfigurationError(
            f"A shortcut policy knows jumps that halve: {', '.join(map(str, lengths))} steps "
            f"for a chunk, not {steps}."
        )
