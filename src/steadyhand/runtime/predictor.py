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
from steadyhand.runtime.continuation import Continuation
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
    """What is done from the observation's now on, as far as it is planned: the actions given since,
    if it is older than this tick, and the rest of the chunk in execution."""
    committed: int = 0
    """How many rows of `previous` are executed before the answer can be used."""
    continuation: Continuation | None = None
    """How the answer is to go on from `previous`; None where it need not."""

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
    """One tick is: `request` with what is seen, `accept` each answer that has come, then `action`
    if it is `ready`, and `hold` if it is not.

    What has happened is counted by these calls, never by a clock. A tick that ends with neither
    `action` nor `hold` has gone wrong: nobody knows how long it took, and what was planned is
    dropped at the next.
    """

    @property
    def continuation(self) -> Continuation | None:
        """How its requests ask to go on from the last chunk, if they do."""
        ...

    @property
    def ready(self) -> bool:
        """Whether there is an action for this tick."""
        ...

    @property
    def source(self) -> int | None:
        """The number of the request whose answer the last action came from."""
        ...

    def request(self, observation: Observation, *, age: int = 0) -> ChunkRequest | None:
        """See one observation, made `age` ticks ago; a request, if a chunk is to be predicted."""
        ...

    def accept(self, chunk: NDArray[np.floating], request: ChunkRequest) -> None:
        """Take the answer to a request, in the tick in which it has come."""
        ...

    def lost(self, request: ChunkRequest) -> None:
        """No answer to that request will come."""
        ...

    def action(self) -> NDArray[np.floating]:
        """The action of this tick."""
        ...

    def hold(self) -> NDArray[np.floating] | None:
        """Nothing is planned for this tick: what was told last, None before the first action."""
        ...

    def replan(self) -> None:
        """Forget what is planned and asked: nobody knows how long ago it was meant for."""
        ...


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


def check_continuation(predictor: Predictor, controller: ChunkController) -> None:
    """Raise `ConfigurationError` where chunks cannot go on from the last as a controller asks."""
    how = controller.continuation
    if how is None:
        return
    able = getattr(predictor, "continues", None)
    if able is None:
        raise ConfigurationError(
            f"{type(controller).__name__} asks for chunks that go on from the last, and "
            f"{type(predictor).__name__} has no continues(how), which says whether it can. "
            "Asynchronous and Blend need nothing of a predictor."
        )
    able(how)


def require(
    parts: Mapping[str, tuple[object, type]],
    advice: str | Mapping[str, str] = "",
    *,
    but: Collection[str] = (),
) -> None:
    """Each part, by name, is an object with all that its protocol has, `but` for some.

    `advice` is said where anything is lacking, or by name, where that part lacks something.

    Raises `ConfigurationError` that names everything that is lacking in any of them.
    """
    said = [_lacking(name, part, protocol, but) for name, (part, protocol) in parts.items()]
    if any(said):
        lacking = [name for name, words in zip(parts, said, strict=True) if words]
        each = [advice] if isinstance(advice, str) else [advice.get(name) for name in lacking]
        raise ConfigurationError(" ".join(filter(None, [*said, *each])))


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
