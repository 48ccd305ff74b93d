"""What a policy's normaliser needs: figures of what its network sees, not of what was recorded.

Actions are seen as the chunks they come in, each row of each chunk that lies in its episode; made
one dimension at a time, as all figures are.
"""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.actions.parts import ROTATIONS, ActionPart
from steadyhand.actions.transform import part_to_network
from steadyhand.chunking import Chunking
from steadyhand.data.episodes import Episodes
from steadyhand.data.statistics import assembled, columns_of, rounding_of, statistics, statistics_of
from steadyhand.data.windows import make_windows
from steadyhand.errors import DataError
from steadyhand.runtime.statistics import LARGEST, Statistics
from steadyhand.spec import PolicySpec

Values = NDArray[Any]
"""(steps, n): a number that was recorded at each step of all episodes."""
Columns = Iterator[tuple[NDArray[Any], float]]
SIGNS = Statistics(
    **{
        name: np.array([value])
        for name, value in {
            "minimum": -1.0,
            "maximum": 1.0,
            "mean": 0.0,
            "deviation": 1.0,
            "low": -1.0,
            "high": 1.0,
            "rare_low": -1.0,
            "rare_high": 1.0,
            "rounding": 0.0,
        }.items()
    }
)
"""Of a gripper, whose -1 and 1 are never scaled, however rarely it closes."""
PAIRS = (("minimum", "maximum"), ("low", "high"), ("rare_low", "rare_high"))


def policy_statistics(episodes: Episodes, spec: PolicySpec) -> dict[str, Statistics]:
    """The statistics of the observations and of the action as the network sees it, by name.

    Raises `DataError` for numbers that are too large to be squared.
    """
    found = statistics(episodes, spec.observations)
    found[spec.network_action.name] = _action(episodes, spec)
    for name, figures in found.items():
        if max(np.abs(figures.minimum).max(), np.abs(figures.maximum).max()) > LARGEST:
            raise DataError(
                f"{episodes.path or 'the data'}: '{name}' has numbers beyond {LARGEST:g}, of which "
                "nothing can be learned. Store them in another unit."
            )
    return found


def _action(episodes: Episodes, spec: PolicySpec) -> Statistics:
    told = episodes.read(spec.action)
    if spec.transform.identity:
        return statistics_of(told)
    chunks, found = _Chunks(episodes, spec.chunking), list[Statistics]()
    references = iter(spec.references)
    for part in spec.transform.parts:
        here = told[:, part.start : part.stop]
        now = None if part.reference is None else episodes.read(next(references)[1])
        if part.kind == "gripper":
            found.append(SIGNS)
        elif part.kind in ROTATIONS:
            found.append(_alike(assembled(chunks.rotation(part, here, now), (6,))))
        elif now is None:
            found.append(statistics_of(here))
        else:
            found.append(assembled(chunks.numbers(part, here, now), (part.width,)))
    figures = {f.name: [getattr(part, f.name) for part in found] for f in fields(Statistics)}
    return Statistics(**{name: np.concatenate(parts) for name, parts in figures.items()})


class _Chunks:
    """All rows of all chunks that lie in their episode, as the network sees a part of them."""

    def __init__(self, episodes: Episodes, chunking: Chunking) -> None:
        windows, steps = make_windows(episodes, chunking), np.arange(episodes.steps)
        self.meant, self.inside = windows.action(steps), ~windows.padded(steps)

    def numbers(self, part: ActionPart, told: Values, now: Values) -> Columns:
        """Each dimension, and its rounding."""
        for action, here in zip(columns_of(told), columns_of(now), strict=True):
            rows = self._rows(part, _signed(action)[:, None], _signed(here)[:, None])
            yield (
                np.concatenate([row[:, 0] for row in rows]),
                rounding_of(action) + rounding_of(here),
            )

    def rotation(self, part: ActionPart, told: Values, now: Values | None) -> Columns:
        """The same of the six numbers of a rotation, which are worked out anew for each of them."""
        rounding = sum(max(map(rounding_of, columns_of(v))) for v in (told, now) if v is not None)
        for column in range(6):
            rows = self._rows(part, _signed(told), None if now is None else _signed(now))
            yield np.concatenate([row[:, column] for row in rows]), rounding

    def _rows(self, part: ActionPart, told: Values, now: Values | None) -> Iterator[Values]:
        """Row by row of a chunk, those of all windows in which it lies inside, (windows, n)."""
        for row, here in enumerate(self.inside.T):
            before = None if now is None else now[here][:, None]
            if part.form == "delta" and row:
                before = told[self.meant[here, row - 1]][:, None]
            yield part_to_network(part, told[self.meant[here, row]][:, None], before)[:, 0]


def _alike(found: Statistics) -> Statistics:
    """Those of a rotation's numbers, with ranges of one width about each one's middle.

    They have one unit, so that one scale keeps the distance between rotations what it is. By
    itself, a number that hardly moves would count as much as all the turning.
    """
    made: dict[str, Any] = dict(vars(found))
    for low, high in PAIRS:
        middle, half = (made[high] + made[low]) / 2, ((made[high] - made[low]) / 2).max()
        made[low], made[high] = middle - half, middle + half
    made["deviation"] = np.full_like(found.deviation, found.deviation.max())
    return Statistics(**made)


def _signed(values: NDArray[Any]) -> NDArray[Any]:
    """Numbers whose differences do not wrap round, as those of counts without a sign would."""
    return values if values.dtype.kind == "f" else values.astype(np.float64)
