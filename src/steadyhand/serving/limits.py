"""What a server takes from clients, and how long it waits for them."""

from dataclasses import dataclass
from math import prod
from typing import Annotated

from steadyhand.errors import ConfigurationError
from steadyhand.sizes import Count
from steadyhand.spec import PolicySpec
from steadyhand.values import POSITIVE, Bound, checked

Seconds = Annotated[float, POSITIVE]
BESIDES = 1 << 16
"""Bytes of a message that are no observation: names, words, the rest of a chunk's numbers."""
SIZES = (1, 4, 16, 64, 256)
"""Chunks that are computed together: few sizes, since an engine may keep a graph for each."""


@checked
@dataclass(frozen=True, kw_only=True)
class Limits:
    """Each is held for every client alone, so that none is in another's way."""

    batch_wait_s: Annotated[float, Bound("0 to 10", lambda value: 0 <= value <= 10)] = 0.003
    """How long a request waits for others to be answered with it."""
    largest_batch: Annotated[Count, Bound("at most 256", lambda value: value <= 256)] = 64
    fixed_batch: bool = False
    """Whether every batch is filled up to the largest: a chunk then has the same bits, whoever
    else asks."""
    outstanding: Count = 64
    """Requests of a connection without an answer; at more it is not read from."""
    connections: Count = 1000
    fragments: Count = 1024
    """Frames of one message."""
    send_s: Seconds = 5.0
    """How long a client may take to read an answer."""
    unread_bytes: Count = 1 << 22
    """What may lie unread by a client."""
    alive_s: Seconds = 20.0
    """How often a client is asked whether it is still there, and how long it may take to say so."""
    grace_s: Seconds = 10.0
    """How long answers are waited for when the server is stopped."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """The batches that are computed, the smallest first."""
        if self.fixed_batch:
            return (self.largest_batch,)
        return (*(size for size in SIZES if size < self.largest_batch), self.largest_batch)


def largest_message(spec: PolicySpec) -> int:
    """Bytes of the largest request that a policy has a use for.

    Raises `ConfigurationError` where no message could hold it.
    """
    seen = {f.key: prod(f.recorded_shape) * (1 if f.kind == "image" else 8) for f in spec.features}
    rows = 2 * spec.chunking.horizon * spec.action_size * 8
    names = 2000 * spec.chunking.obs_steps if spec.tasks is not None else 0
    found = sum(seen.values()) * spec.chunking.obs_steps + rows + 4 * names + BESIDES
    if found >= 1 << 31:
        raise ConfigurationError(
            f"One observation of this policy has {found >> 20} MB, which is more than a message "
            "may have."
        )
    return found
