"""Whether what is to be trained fits into memory: asked before it is filled.

A lower bound: what is refused here cannot fit. What fits on paper may still be too much.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from steadyhand.errors import ConfigurationError
from steadyhand.policy.policy import Policy
from steadyhand.training.config import TrainConfig

COPIES = 5
"""Of each weight: itself, its gradient, two moments of Adam and the average."""
FROZEN_COPIES = 2
"""Of each weight that may be frozen: itself, and the one that a run works with."""


def memory() -> int:
    """Bytes that this process may use at most: of the machine, its container, its own limit."""
    found = [sys.maxsize]
    with suppress(AttributeError, OSError, ValueError):  # not on every system
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with suppress(OSError, ValueError):  # no container, or one without a limit
        found.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    with suppress(ImportError, OSError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        found += [limit] if limit > 0 else []
    return min(found)


@contextmanager
def room_for_weights(copies: int = COPIES) -> Iterator[None]:
    """What is built inside stops where its weights would not fit. Raises `ConfigurationError`."""
    left = memory()

    def count(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        nonlocal left
        left -= 0 if parameter is None else copies * 4 * parameter.numel()
        if left < 0:
            raise ConfigurationError(
                f"Training this network takes more than the {memory() / 1e9:.1f} GB of memory "
                "there are. Take a smaller width, or fewer blocks or layers, or a smaller model."
            )

    handle = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()


def check_batch(policy: Policy, config: TrainConfig) -> None:
    """Raise `ConfigurationError` for a batch that cannot fit.

    Each window has its observations and actions, and for each of its noises what every layer
    answers, which is kept for the gradient.
    """
    spec = policy.spec
    seen = spec.chunking.obs_steps * sum(feature.size for feature in spec.observations)
    answers = sum(len(weight) for weight in policy.sampler.parameters() if weight.ndim > 1)
    noisy = config.noises * (answers + spec.chunking.horizon * spec.network_size)
    needed = 4 * config.batch_size * (seen + noisy)
    if needed > memory():
        raise ConfigurationError(
            f"A batch of {config.batch_size} windows with {config.noises} noises each takes "
            f"{needed / 1e9:.0f} GB at least, and there are {memory() / 1e9:.1f} GB of memory. "
            "Take a smaller --batch-size or fewer --noises."
        )
