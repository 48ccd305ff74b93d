"""How time is cut into observations and chunks: one value owns every time index."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError
from steadyhand.sizes import Depth, Steps
from steadyhand.values import checked


@checked
@dataclass(frozen=True, kw_only=True)
class Chunking:
    """How time is cut: observations in, a chunk of actions out, a part of it executed.

    It owns every time index of the library; nobody else computes one.
    """

    obs_steps: Depth = 2
    """Observations stacked into the condition; the last one is "now"."""
    horizon: Steps = 16
    """Actions predicted in one chunk."""
    execute: Steps = 8
    """Actions executed before the next prediction."""
    past_rows: int = 0
    """Rows of a chunk before "now": 0 here, obs_steps - 1 in the paper's checkpoints."""
    prefix: int = 0
    """Leading rows from now that training may give clean, and count not; 0 for none."""

    def __post_init__(self) -> None:
        if not 0 <= self.past_rows < self.horizon:
            raise ConfigurationError(
                f"past_rows is {self.past_rows}; it must be in 0…{self.horizon - 1} "
                f"(horizon {self.horizon})."
            )
        if self.execute > self.max_execute:
            raise ConfigurationError(
                f"execute is {self.execute}, but a chunk has {self.max_execute} rows from now on "
                f"(horizon {self.horizon} - past_rows {self.past_rows}). "
                f"Choose execute in 1…{self.max_execute} or a longer horizon."
            )
        if not 0 <= self.prefix < self.max_execute:
            raise ConfigurationError(
                f"prefix is {self.prefix}, but a chunk has {self.max_execute} rows from now on, of "
                f"which one at least is to be learned. Choose prefix in 0…{self.max_execute - 1}: "
                "the most actions that are given between a request and its answer."
            )

    @property
    def max_execute(self) -> int:
        """The most actions that one chunk can be executed for."""
        return self.horizon - self.past_rows

    @property
    def observation_offsets(self) -> NDArray[np.int64]:
        """Time of each observation relative to now, shape (obs_steps,); the last is 0."""
        return np.arange(1 - self.obs_steps, 1)

    @property
    def action_offsets(self) -> NDArray[np.int64]:
        """Time each row of a chunk is meant for relative to now, shape (horizon,)."""
        return np.arange(self.horizon) - self.past_rows

    @property
    def executed_rows(self) -> slice:
        """The rows of a chunk that are executed."""
        return slice(self.past_rows, self.past_rows + self.execute)
