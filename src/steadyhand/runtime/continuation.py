"""How a chunk may go on from the one in execution: what a request asks for, and what an engine is
given for it. Numpy only; the mathematics is in `diffusion/guidance.py`.
"""

import math
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError
from steadyhand.sizes import LARGEST_NUMBER, within
from steadyhand.values import Bound, checked

LEVEL = Bound("at least 0 and below 1", lambda level: 0 <= level < 1)


@checked
@dataclass(frozen=True, kw_only=True)
class Guided:
    """Real-time chunking (Black et al. 2025): the chunk is pulled, while it is sampled, towards
    what is committed, and ever less towards the rest of the last one. Needs no other training."""

    beta: Annotated[float, within(0, LARGEST_NUMBER)] = 5.0
    """The most that a pull may weigh."""


@checked
@dataclass(frozen=True, kw_only=True)
class Inpainted:
    """Committed rows are held in every step, and nothing else is done: cheap, and less smooth."""


@checked
@dataclass(frozen=True, kw_only=True)
class Prefixed:
    """Training-time conditioning (Ren et al. 2025): a policy that was trained to be given its first
    rows (`Chunking.prefix`) is given those that are committed."""


@checked
@dataclass(frozen=True, kw_only=True)
class WarmStart:
    """Sampling begins from the rest of the last chunk, noised: fewer calls, steadier plans."""

    level: Annotated[float, LEVEL] = 0.5
    """Share of the steps that are left out."""


Continuation = Guided | Inpainted | Prefixed | WarmStart


class Continued(NamedTuple):
    """What an engine is given beside observations and noise, for B chunks that go on alike."""

    how: Continuation
    rows: NDArray[np.floating]
    """(B, horizon, action_size), robot units: what each row of the chunk was going to be, by the
    last one; repeated where nothing is known."""
    weights: NDArray[np.float32]
    """(B, horizon): 1 for what is committed, less for the rest, 0 for what is free."""


def soft_weights(horizon: int, first: int, committed: int, rest: int) -> NDArray[np.float32]:
    """How much each row of a chunk is to agree with the last one, (horizon,).

    Row `first` is now. 1 for so many as are `committed`, then falling to the last row of the `rest`
    of the chunk before, of which the committed rows are the first; 0 where nothing is known. From
    Black et al. (2025), equation 5, where `rest` is H - s and `committed` d.
    """
    rows = np.arange(horizon) - first
    share = (rest - rows) / (rest - committed + 1)
    falling = share * np.expm1(np.clip(share, 0, 1)) / math.expm1(1)
    weights = np.where(rows < committed, 1, np.where(rows < rest, falling, 0))
    return np.where(rows < 0, 0, weights).astype(np.float32)


def aligned(previous: NDArray[np.floating], horizon: int, first: int) -> NDArray[np.floating]:
    """Rows from now on (R, A) as rows of a chunk, (horizon, A), whose row `first` is now; before
    and behind them, the first and the last one again."""
    places = np.clip(np.arange(horizon) - first, 0, len(previous) - 1)
    return previous[places]


def check_committed(most: int, how: Continuation, weights: NDArray[np.float32]) -> None:
    """Raise `ConfigurationError` where more rows are given clean than the `most` of training."""
    committed = int((weights >= 1).sum(1).max())
    if isinstance(how, Prefixed) and committed > most:
        raise ConfigurationError(
            f"{committed} actions are committed when this chunk is asked for, and the policy was "
            f"trained to be given at most {most}. Ask in less advance, or train it with "
            f"--chunking.prefix {committed}."
        )
