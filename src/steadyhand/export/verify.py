"""An export beside the policy it was made of: how far its chunks are away, and how long they take.

Nothing is decided by it but whether they lie too far apart.
"""

import statistics
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from steadyhand.actions.parts import ROTATIONS
from steadyhand.errors import ConfigurationError
from steadyhand.policy.device import on_threads
from steadyhand.policy.policy import Policy
from steadyhand.policy.predictor import TorchPredictor
from steadyhand.runtime.continuation import Continuation, Prefixed
from steadyhand.runtime.exported import ExportPrecision, Verification
from steadyhand.runtime.predictor import ChunkRequest, Predictor

BOUNDS: dict[ExportPrecision, float] = {
    "float32": 1e-4,
    "float16": 0.01,
    "bfloat16": 0.1,
    "int8": 0.1,
}
"""The largest difference that is let pass, a share of how far a dimension goes (`units`)."""
FAR = 256.0
"""Float32 tells a dimension no finer that lies further from zero, in units of how far it goes."""
MOMENTS = 32
"""How many observations are looked at."""
CONTINUED = 8
"""In how many of them chunks go on from a last one."""
TIMED_SECONDS = 4.0
MOST_TIMED = 50
"""Chunks of each are timed for so long, and no more than so many."""


def verify(
    policy: Policy,
    exported: Predictor,
    requests: Sequence[ChunkRequest],
    observations: str,
    bound: float,
    ways: Sequence[Continuation] = (),
) -> Verification:
    """How `exported` compares with `policy`, both asked one request at a time.

    `observations` says in words what the requests show; `ways` are those in which chunks go on
    from the last, tried too. Raises `ConfigurationError` where the largest difference is above
    `bound`.
    """
    with on_threads(1):
        largest, typical = compared(policy, exported, requests, ways)
        if not largest <= bound:
            raise ConfigurationError(
                f"The export answers otherwise than the policy: by {largest:.2g} of how far its "
                f"actions go at most, {typical:.2g} typically, over {len(requests)} chunks, and "
                f"{bound:g} is let pass. Export it in a finer --precision, or say that so much is "
                f"good enough: --bound {_above(largest):g}"
            )
        times = _in_turns(TorchPredictor(policy), exported, requests)
    return Verification(
        observations=observations,
        chunks=len(requests),
        largest=largest,
        typical=typical,
        bound=bound,
        original_ms=times[0],
        exported_ms=times[1],
    )


def compared(
    policy: Policy,
    exported: Predictor,
    requests: Sequence[ChunkRequest],
    ways: Sequence[Continuation] = (),
) -> tuple[float, float]:
    """(largest, typical) of the `differences` of chunks begun anew, and of those that go on."""
    original, unit = TorchPredictor(policy), units(policy)
    wanted = _answers(original, requests)
    going = [_going_on(policy, requests[:CONTINUED], wanted, how) for how in ways]
    pairs = [
        differences(wanted, _answers(exported, requests), unit),
        *(differences(_answers(original, r), _answers(exported, r), unit) for r in going if r),
    ]
    largest, typical = (max(column) for column in zip(*pairs, strict=True))
    return largest, typical


def _answers(predictor: Predictor, requests: Sequence[ChunkRequest]) -> NDArray[np.floating]:
    return np.concatenate([predictor.predict([request]) for request in requests])


def _going_on(
    policy: Policy,
    requests: Sequence[ChunkRequest],
    chunks: NDArray[np.floating],
    how: Continuation,
) -> list[ChunkRequest]:
    """The same moments once more, in the middle of the chunks that were answered there."""
    chunking = policy.spec.chunking
    rest = chunks[:, chunking.past_rows + chunking.execute :]
    many = min(chunking.prefix if isinstance(how, Prefixed) else 2, rest.shape[1])
    return [
        replace(request, previous=left, committed=many, continuation=how)
        for request, left in zip(requests, rest, strict=False)
        if len(left)
    ]


def differences(
    wanted: NDArray[np.floating], found: NDArray[np.floating], unit: NDArray[np.float64]
) -> tuple[float, float]:
    """(largest, typical) difference of chunks (n, H, A), in units (A,) of each dimension.

    A unit is no smaller than half of how far the wanted chunks go themselves; `typical` is a root
    mean square; of the dimensions, the one that is furthest away counts.
    Infinite where numbers are not finite.
    """
    flat = wanted.astype(np.float64).reshape(-1, wanted.shape[-1])
    away = np.abs(found.astype(np.float64).reshape(flat.shape) - flat)
    if not np.isfinite(away).all():
        return float("inf"), float("inf")
    unit = np.maximum(unit, np.ptp(flat, axis=0) / 2)
    if wanted.dtype != np.float64:  # whose last places are no smaller than that
        unit = np.maximum(unit, np.abs(flat).max(0) / FAR)
    return float((away.max(0) / unit).max()), float((np.sqrt(np.square(away).mean(0)) / unit).max())


def units(policy: Policy) -> NDArray[np.float64]:
    """How far each dimension of the action goes in what the policy learned from, (A,), robot units.

    Half of its recorded range, of the offset where actions are relative, and over all rows where
    each is the change from the one before; 1 for the numbers of a rotation. A dimension that never
    moves is taken for as large as the one that moves most.
    """
    spec = policy.spec
    known = policy.normaliser.statistics[spec.network_action.name]
    spread = np.atleast_2d((known.maximum - known.minimum) / 2).max(0)
    moving = np.atleast_2d(~known.constant).any(0)
    spread = np.where(moving, spread, spread[moving].max() if moving.any() else 1.0)
    found, place = np.ones(spec.action_size), 0
    for part in spec.transform.parts:
        if part.kind not in ROTATIONS:
            rows = spec.chunking.horizon if part.form == "delta" else 1
            found[part.start : part.stop] = rows * spread[place : place + part.width]
        place += part.network_width
    return found


def _in_turns(
    original: Predictor, exported: Predictor, requests: Sequence[ChunkRequest]
) -> tuple[float, float]:
    """Median milliseconds of a chunk of both."""
    spent: tuple[list[float], list[float]] = ([], [])
    begun = time.perf_counter()
    for number in range(MOST_TIMED):
        for times, predictor in zip(spent, (original, exported), strict=True):
            start = time.perf_counter()
            predictor.predict([requests[number % len(requests)]])
            times.append(1000 * (time.perf_counter() - start))
        if time.perf_counter() - begun > TIMED_SECONDS:
            break
    return statistics.median(spent[0]), statistics.median(spent[1])


def _above(number: float) -> float:
    """The next number above of two digits."""
    if not np.isfinite(number):
        return number
    unit = 10.0 ** (np.floor(np.log10(number)) - 1)
    return float(np.ceil(number / unit) * unit)
