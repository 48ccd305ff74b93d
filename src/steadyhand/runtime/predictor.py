"""What everything that acts looks like: chunk requests in, action chunks out.

A policy, a recorder around it, a remote policy and a safety limit are all predictors and nest.
"""

import inspect
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError
from steadyhand.spec import PolicySpec
from steadyhand.values import checked, shown, whole
from steadyhand.values import seed as a_seed

Observation = Mapping[str, NDArray[Any]]
"""One time step: recorded key → array of the feature's shape, as the robot gives it."""


@checked
@dataclass(frozen=True, kw_only=True)
class ChunkRequest:
    """What a controller asks a predictor for."""

    observation: Observation
    """Key → (obs_steps, …), oldest first; the last one is now."""
    seed: int = 0
    """The episode's seed: with `number` it fixes the noise of this chunk."""
    number: int = 0
    """How many chunks of this episode were asked for before; an answer is told by it."""
    previous: NDArray[np.floating] | None = None
    """The rest of the chunk in execution, from now on, for methods that continue it."""
    committed: int = 0
    """How many rows of `previous` are executed before the answer can be used."""

    def __post_init__(self) -> None:
        rest = 0 if self.previous is None else len(self.previous)
        if not 0 <= self.committed <= rest:
            raise ConfigurationError(
                f"committed is {self.committed}; it must be in 0…{rest}, the rows of `previous`."
            )


class Predictor(Protocol):
    """Turns requests into chunks, each answered as if it had been alone."""

    @property
    def spec(self) -> PolicySpec: ...

    def predict(self, requests: Sequence[ChunkRequest]) -> NDArray[np.floating]:
        """Chunks (requests, horizon, action_size) in robot units, in the order of the requests.

        They are float32, or float64 where the robot's numbers lie far from zero for their range.
        """
        ...


class ChunkController(Protocol):
    """One tick is: `request` with what is seen, `accept` what answers it, then `action`."""

    def request(self, observation: Observation) -> ChunkRequest | None: ...
    def accept(self, chunk: NDArray[np.floating], request: ChunkRequest) -> None: ...
    def action(self) -> NDArray[np.floating]: ...


def answers(predictor: Predictor, requests: Sequence[ChunkRequest]) -> Sequence[Any]:
    """A chunk for each request. Raises `ConfigurationError` where there are fewer or more."""
    given: Sequence[Any] = predictor.predict(requests)  # type: ignore[assignment]
    many = len(given) if np.ndim(given) else 0
    if many != len(requests):
        count = "a request" if len(requests) == 1 else f"{len(requests)} requests"
        raise ConfigurationError(
            f"The predictor answered {count} with {shown(given)}; it returns an array (requests, "
            "horizon, action_size)."
        )
    return given


def require(
    parts: Mapping[str, tuple[object, type]], advice: str = "", *, but: Collection[str] = ()
) -> None:
    """Each part, by name, is an object with all that its protocol has, `but` for some.

    Raises `ConfigurationError` that names everything that is lacking in any of them.
    """
    said = [_lacking(name, part, protocol, but) for name, (part, protocol) in parts.items()]
    if any(said):
        raise ConfigurationError(" ".join(filter(None, [*said, advice])))


def _lacking(name: str, part: object, protocol: type, but: Collection[str]) -> str:
    """What `part` lacks of its protocol, in words; nothing where it lacks nothing."""
    missing: list[str] = []
    for key in vars(protocol):
        method = inspect.isfunction(getattr(protocol, key))
        there = hasattr(part, key) and (callable(getattr(part, key)) or not method)
        if not (there or key in but or key.startswith("_")):
            missing.append(f"{key}()" if method else key)
    lacks = ", ".join(missing)
    if isinstance(part, type):
        called = part.__name__
        has_not = f" It has no {lacks}, either." if missing else ""
        return f"The {name} is the class {called}, not an object: call it, {called}(…).{has_not}"
    return f"The {name} is {type(part).__name__}, not an object with {lacks}." if missing else ""


def chunk_noise(seed: int, number: int, shape: Sequence[int]) -> NDArray[np.float32]:
    """Standard normal noise of chunk `number` of the episode `seed`; the same on any machine.

    A longer first axis leaves the earlier rows as they were.
    """
    key = np.array([a_seed("seed", seed), whole("number", number, 0)], dtype=np.uint64)
    generator = np.random.Generator(np.random.Philox(key=key))
    return generator.standard_normal(tuple(shape), dtype=np.float32)
