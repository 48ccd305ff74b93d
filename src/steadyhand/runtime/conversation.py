"""What a server and our own client say to each other: requests, answers and what is said first.

As values that `wire.py` makes bytes of; nothing is sent here. A robot with openpi's client speaks
less: an observation in, actions out.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import (
    CheckpointError,
    ConfigurationError,
    MessageError,
    NotFiniteError,
    PredictorError,
    SteadyhandError,
)
from steadyhand.runtime.card import library_version
from steadyhand.runtime.codec import decode, encode
from steadyhand.runtime.continuation import Continuation, Guided, Inpainted, Prefixed, WarmStart
from steadyhand.runtime.history import LARGEST, tells
from steadyhand.runtime.predictor import ChunkRequest
from steadyhand.sizes import check_array
from steadyhand.spec import TASK, PolicySpec
from steadyhand.values import seed as a_seed
from steadyhand.values import whole

SUBPROTOCOL = "steadyhand.v1"
"""What our own client asks for when it connects; who asks for nothing speaks as openpi's does."""
WAYS: dict[str, Continuation] = {
    type(how).__name__: how for how in (Guided(), Inpainted(), Prefixed(), WarmStart())
}
KINDS = {
    error.kind: error
    for error in (ConfigurationError, NotFiniteError, MessageError, PredictorError)
}
"""What a server's answer may raise where it was asked."""


@dataclass(frozen=True, kw_only=True)
class Greeting:
    """What a server says of a policy before anything is asked."""

    policy: str
    spec: PolicySpec
    task: str | None
    """The task it was trained for, where that is one of the library's."""
    step: int
    seed: int
    outstanding: int
    """Requests of one connection that may be without an answer at a time."""


def greeted(greeting: Greeting) -> dict[str, Any]:
    """The message of a greeting; what a person who looks at it needs is in plain words, too."""
    spec = greeting.spec
    return {
        "policy": greeting.policy,
        "rate_hz": spec.rate_hz,
        "horizon": spec.chunking.max_execute,
        "execute": spec.chunking.execute,
        "obs_steps": spec.chunking.obs_steps,
        "action_size": spec.action_size,
        "observations": {
            f.key: {"shape": list(f.recorded_shape), "kind": f.kind} for f in spec.observations
        },
        "version": library_version(),
        "steadyhand": json.dumps(encode(greeting)),
    }


def read_greeting(message: Mapping[str, Any]) -> Greeting:
    """The greeting that a message holds. Raises `MessageError` where it is another server's."""
    try:
        return decode(Greeting, json.loads(message["steadyhand"]), "the server's greeting")
    except (KeyError, TypeError, ValueError, RecursionError, CheckpointError) as error:
        raise MessageError(
            "The server does not speak as `steadyhand serve` of this version does "
            f"({error}): it may be another program's, or another version's."
        ) from error


def request_message(number: int, request: ChunkRequest, given_up: list[int]) -> dict[str, Any]:
    """A request under a number by which its answer is known, in place of those that are `given_up`
    if they are not yet in work."""
    how = request.continuation
    told = {
        key: _words(np.asarray(seen)) if key == TASK else np.asarray(seen)
        for key, seen in request.observation.items()
    }
    return {
        "id": number,
        "observation": told,
        "seed": request.seed,
        "number": request.number,
        "previous": None if request.previous is None else np.asarray(request.previous),
        "committed": request.committed,
        "continuation": None if how is None else encode(how),
        "replaces": given_up,
    }


def _words(told: NDArray[Any]) -> Any:
    return told.tolist() if told.dtype.kind == "U" else told


def read_request(message: Mapping[str, Any], spec: PolicySpec) -> ChunkRequest:
    """The request of a message, checked against what the policy takes.

    Raises `ConfigurationError` for one that does not fit, `NotFiniteError` for numbers that are not
    finite, and `MessageError` for what is no request.
    """
    observation = message.get("observation")
    if not isinstance(observation, dict):
        raise MessageError("A request has an observation, a map of arrays by name.")
    seen = checked_history(cast(dict[str, Any], observation), spec)
    previous = message.get("previous")
    if previous is not None:
        previous = _previous(previous, spec)
    request = ChunkRequest(
        observation=seen,
        seed=a_seed("seed", message.get("seed", 0)),
        number=whole("number", message.get("number", 0), 0),
        previous=previous,
        committed=message.get("committed", 0),
        continuation=read_continuation(message.get("continuation")),
    )
    _check_continued(request, spec)
    return request


def checked_history(observation: Mapping[str, Any], spec: PolicySpec) -> dict[str, NDArray[Any]]:
    """Key → (obs_steps, …), of what the policy sees and nothing else, checked; raises as
    `read_request`."""
    steps, given = spec.chunking.obs_steps, dict(observation)
    if isinstance(given.get(TASK), list):
        words = cast(list[Any], given[TASK])
        if not all(isinstance(word, str) for word in words):
            raise MessageError("A task is told in words, one text a time step.")
        given[TASK] = np.array(words)
    spec.check_observation(given, lead=1)
    for feature in spec.observations:
        seen: NDArray[Any] = np.asarray(given[feature.key])
        if seen.shape[:1] != (steps,):
            raise ConfigurationError(
                f"Observation '{feature.key}' has {seen.shape[:1]} time steps; the policy sees "
                f"{steps}."
            )
        used = seen if feature.columns == slice(None) else seen[:, feature.columns]
        if not tells(feature, used):
            raise NotFiniteError(f"Observation '{feature.name}' is not a finite number of float32.")
    return {f.key: given[f.key] for f in spec.observations}


def read_continuation(said: Any) -> Continuation | None:
    """A way to continue that a message names. Raises `MessageError` where it is none."""
    try:
        return decode(Continuation | None, said, "continuation")
    except CheckpointError as error:
        raise MessageError(str(error)) from error


def _previous(rows: Any, spec: PolicySpec) -> NDArray[np.floating]:
    check_array("previous", rows)
    found: NDArray[Any] = rows
    fits = found.ndim == 2 and len(found) and found.shape[1] == spec.action_size
    if not fits or found.dtype.kind != "f" or found.dtype.itemsize < 4:
        raise ConfigurationError(
            f"What is left of the last chunk has shape {found.shape} and {found.dtype}; it is "
            f"(rows, {spec.action_size}) of float32 or float64."
        )
    if not np.all(np.abs(found) <= LARGEST):
        raise NotFiniteError("What is left of the last chunk is not finite.")
    return found


def _check_continued(request: ChunkRequest, spec: PolicySpec) -> None:
    how = request.continuation
    if how is not None and request.previous is None:
        raise ConfigurationError(
            "A request asks to go on from the last chunk, and has none: previous is None."
        )
    if isinstance(how, Prefixed) and request.committed > spec.chunking.prefix:
        raise ConfigurationError(
            f"{request.committed} actions are committed when this chunk is asked for, and the "
            f"policy was trained to be given at most {spec.chunking.prefix}. Ask in less advance."
        )


def refused(error: SteadyhandError) -> dict[str, str]:
    """An error as an answer tells it."""
    return {"kind": error.kind, "message": str(error)}


def raised(said: Any) -> SteadyhandError:
    """The error that an answer tells; a stranger's text is shown as plain text."""
    told = cast(dict[str, Any], said) if isinstance(said, dict) else {}
    kind = KINDS.get(str(told.get("kind")), PredictorError)
    return kind(f"The server says: {told.get('message')}")
