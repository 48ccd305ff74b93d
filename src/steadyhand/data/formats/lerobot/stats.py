"""The statistics that a LeRobotDataset v3.0 carries: of each episode and of all of it."""

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLES = 8
"""Pictures of an episode that its statistics are made of."""
PIXELS = 512
"""Of each of them that are looked at."""
QUANTILES = (1, 10, 50, 90, 99)


class EpisodeStatistics:
    """Figures of each episode as it comes, and of all; of pictures, some pixels are kept.

    Those of colour are in 0…1, those of the `depths` in metres, of what was measured.
    """

    def __init__(self, depths: Collection[str] = ()) -> None:
        self._depths = depths
        self._seen: dict[str, list[NDArray[Any]]] = {}

    def of_episode(self, columns: dict[str, NDArray[Any]]) -> dict[str, Any]:
        line = {}
        for key, values in columns.items():
            if _is_colour(values) or key in self._depths:
                values = values[spread(len(values))]
                stride = max(values.shape[1] * values.shape[2] // PIXELS, 1)
                values = values.reshape(len(values), -1, values.shape[3])[:, ::stride, None]
            self._seen.setdefault(key, []).append(values)
            line |= {
                f"stats/{key}/{name}": figure for name, figure in self._figures(key, values).items()
            }
        return line

    def of_all(self) -> dict[str, dict[str, Any]]:
        return {key: self._figures(key, np.concatenate(v)) for key, v in self._seen.items()}

    def _figures(self, key: str, values: NDArray[Any]) -> dict[str, Any]:
        """min, max, mean … of each number; of pictures, of each channel as (C, 1, 1)."""
        count, shape = len(values), values.shape[1:] or (1,)
        if _is_colour(values):
            values, shape = values.reshape(-1, values.shape[-1]) / np.float32(255), (-1, 1, 1)
        elif key in self._depths:
            seen = values[values > 0]
            values, shape = (seen if len(seen) else np.zeros(1)).reshape(-1, 1), (-1, 1, 1)
        return _figures(values, shape, count)


def _figures(values: NDArray[Any], shape: tuple[int, ...], count: int) -> dict[str, Any]:
    values = values.astype(np.float64)
    named = {
        **{name: getattr(values, name)(0) for name in ("min", "max", "mean", "std")},
        **{f"q{q:02d}": np.quantile(values, q / 100, axis=0) for q in QUANTILES},
    }
    return {name: v.reshape(shape).tolist() for name, v in named.items()} | {"count": [count]}


def _is_colour(values: NDArray[Any]) -> bool:
    return values.dtype == np.uint8 and values.ndim == 4


def spread(steps: int) -> NDArray[np.int64]:
    """The steps of an episode whose pictures are looked at."""
    return np.linspace(0, steps - 1, min(SAMPLES, steps)).astype(np.int64)
