"""An export beside the policy it was made of: how far its chunks are away, and how long they take.

Nothing is decided by it but whether they lie too far apart.
"""

import statistics
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

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
"""The largest difference that is let pass, a share of the largest number of a dimension."""
SMALLEST = 1e-3
"""A dimension is taken for so large at least, as a share of the largest."""
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
                f"The export answers otherwise than the policy: by {largest:.2g} of the largest "
                f"number at most, {typical:.2g} typically, over {len(requests)} chunks, and "
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
    original = TorchPredictor(policy)
    wanted = _answers(original, requests)
    going = [_going_on(policy, requests[:CONTINUED], wanted, how) for how in ways]
    pairs = [
        differences(wanted, _answers(exported, requests)),
        *(differences(_answers(original, r), _answers(exported, r)) for r in going if r),
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


def differences(wanted: NDArray[np.floating], found: NDArray[np.floating]) -> tuple[float, float]:
    """(largest, typical) difference of chunks (n, H, A), each dimension of the action by itself.

    Shares of what is wanted there: of its largest number, and of its root mean square, from the
    mean on where numbers lie so far from zero that they are float64; of the dimensions, the one
    that is furthest away counts. Infinite where numbers are not finite.
    """
    flat = wanted.astype(np.float64).reshape(-1, wanted.shape[-1])
    away = np.abs(found.astype(np.float64).reshape(flat.shape) - flat)
    if not np.isfinite(away).all():
        return float("inf"), float("inf")
    if wanted.dtype == np.float64:
        flat = flat - flat.mean(0)

    def share(away: NDArray[np.float64], of: NDArray[np.float64]) -> float:
        return float((away / np.maximum(of, max(SMALLEST * of.max(), 1e-30))).max())

    root = np.sqrt(np.square(flat).mean(0))
    return share(away.max(0), np.abs(flat).max(0)), share(np.sqrt(np.square(away).mean(0)), root)


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
