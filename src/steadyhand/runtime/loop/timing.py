"""Devices late by different times: readings of one moment, and actions that arrive together.

As in the Universal Manipulation Interface (Chi et al., 2024). What a device's latency is has to be
measured; how the chunk is used that was predicted from an older moment is the controller's.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError, unknown
from steadyhand.runtime.predictor import Observation
from steadyhand.spec import PolicySpec
from steadyhand.values import shown, taken

MOST_SECONDS = 10.0
"""A latency above is a mistake of units."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """The latency of each device, in seconds."""

    observations: Mapping[str, float] = field(default_factory=dict[str, float])
    """Key → from the moment that a reading shows until `observe` returns it; 0 for other keys."""
    action: float | Mapping[str, tuple[slice, float]] = 0.0
    """From `act` until the robot begins to move; for several devices, name → (columns of the
    action, seconds). Columns of none have 0."""
    nearest: tuple[str, ...] = ()
    """Keys that are no numbers to draw a line between, as quaternions: the nearest reading is
    taken, as it is of pictures, whole numbers and words."""

    def __post_init__(self) -> None:
        for name, seconds in {**self.observations, **self.actions}.items():
            if not 0 <= taken(f"The latency of '{name}'", seconds, float) <= MOST_SECONDS:
                raise ConfigurationError(
                    f"The latency of '{name}' is {shown(seconds)}; it is in seconds, 0 to "
                    f"{MOST_SECONDS:g}, as 0.12."
                )

    @property
    def actions(self) -> dict[str, float]:
        """Device → latency of what it is told."""
        if isinstance(self.action, Mapping):
            return {name: seconds for name, (_, seconds) in self.action.items()}
        return {"action": self.action}

    @property
    def seconds(self) -> float:
        """From the moment that an aligned observation shows until what is told now is felt."""
        seen = max(self.observations.values(), default=0.0)
        return seen + max(self.actions.values(), default=0.0)

    def check(self, spec: PolicySpec, rate_hz: float) -> None:
        """Raise `ConfigurationError` for keys that the policy does not see, or other columns.

        And where all rows of a chunk are for times before it can be felt.
        """
        rows, late = spec.chunking.max_execute, round(self.seconds * rate_hz)
        if late >= rows:
            raise ConfigurationError(
                f"Latencies of {self.seconds:g} s are {late} ticks, and a chunk has {rows} rows "
                "from now on: all of them are over before one is felt. They are in seconds; or "
                "train with a longer --chunking.horizon."
            )
        known = {feature.key for feature in spec.observations}
        for key in (*self.observations, *self.nearest):
            if key not in known:
                raise ConfigurationError(unknown("observation", key, known))
        taken = np.zeros(spec.action_size, int)
        for name, (columns, _) in self.action.items() if isinstance(self.action, Mapping) else ():
            taken[columns] += 1
            start, stop, _ = columns.indices(spec.action_size)
            if start >= stop or (columns.stop or 0) > spec.action_size or taken.max() > 1:
                raise ConfigurationError(
                    f"The columns of '{name}' are {shown(columns)}; the action has "
                    f"{spec.action_size}, and each belongs to one device at most."
                )


class Aligned:
    """Observations of one moment: that of the slowest device's latest reading."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._slowest = max(timing.observations.values(), default=0.0)
        self._kept: dict[str, deque[tuple[float, Any]]] = {}

    def see(self, observation: Observation, now: float) -> dict[str, Any]:
        """What was true `slowest` seconds ago, from what is read now, at `now` seconds.

        Before there are readings so old, the earliest is taken.
        """
        moment = now - self._slowest
        found: dict[str, Any] = {}
        for key, reading in observation.items():
            kept = self._kept.setdefault(key, deque())
            true_at = now - self._timing.observations.get(key, 0.0)
            kept.append((true_at, own_copy(reading)))
            while len(kept) > 1 and kept[1][0] <= moment:
                kept.popleft()
            found[key] = self._at(key, moment)
        return found

    def _at(self, key: str, moment: float) -> Any:
        """One reading kept is at or before the moment, where there is any; the next is after it."""
        kept = self._kept[key]
        (before, first) = kept[0]
        if len(kept) == 1 or before >= moment:
            return first
        (after, second) = kept[1]
        share = (moment - before) / (after - before)
        drawn = key not in self._timing.nearest and np.shape(first) == np.shape(second)
        if not (drawn and np.result_type(first).kind == np.result_type(second).kind == "f"):
            return first if share < 0.5 else second
        return (first + share * (second - first)).astype(first.dtype)


def own_copy(reading: Any) -> Any:
    """What is no array as it is: who gave the array may fill it again."""
    return reading if type(reading) is not np.ndarray else np.array(reading)


class Together:
    """Actions whose columns arrive together: those of faster devices are sent later."""

    def __init__(self, timing: Timing) -> None:
        slowest = max(timing.actions.values(), default=0.0)
        self._later: list[tuple[slice, float]] = []
        self._others = 0.0
        if isinstance(timing.action, Mapping):
            self._later = [(columns, slowest - s) for columns, s in timing.action.values()]
            self._others = slowest  # columns that no device names are of one without latency
        self._meant: deque[tuple[float, NDArray[Any]]] = deque()

    def due(self, action: NDArray[Any], now: float, period: float) -> NDArray[Any]:
        """What to send at `now` of what is meant for it: for some columns, what was meant earlier.

        Times are rounded to what was sent, a `period` apart; before the first, it is the first.
        """
        longest = max([self._others, *(seconds for _, seconds in self._later)])
        if longest <= 0:
            return action
        self._meant.append((now, np.array(action)))
        while len(self._meant) > 1 and self._meant[1][0] <= now - longest + period / 2:
            self._meant.popleft()
        sent = self._at(now - self._others + period / 2).copy()
        for columns, seconds in self._later:
            sent[columns] = self._at(now - seconds + period / 2)[columns]
        return sent

    def _at(self, moment: float) -> NDArray[Any]:
        """What was meant latest by then; the earliest that is known, where nothing was."""
        found = self._meant[0][1]
        for time, action in self._meant:
            if time > moment:
                break
            found = action
        return found
