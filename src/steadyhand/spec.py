"""The shared vocabulary: what a robot sees, what it does, and which step of time is which.

`Chunking` and `Feature` are found here, too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.chunking import Chunking
from steadyhand.errors import ConfigurationError, unknown
from steadyhand.feature import Feature, parse_name
from steadyhand.sizes import check_array, check_input
from steadyhand.task_table import TaskTable, check_told
from steadyhand.values import POSITIVE, checked

__all__ = ["LAST_ACTION", "TASK", "Chunking", "Feature", "PolicySpec", "parse_name"]
LAST_ACTION = "last_action"
"""An observation that need not be recorded: what the robot was told at the tick before."""
TASK = "task"
"""An observation that is told in words: what is to be done."""


@checked
@dataclass(frozen=True, kw_only=True)
class PolicySpec:
    """What goes into a policy and what comes out."""

    observations: tuple[Feature, ...]
    action: Feature
    chunking: Chunking = field(default_factory=Chunking)
    rate_hz: Annotated[float, POSITIVE] = 10.0
    """Actions a second, as the demonstrations were recorded."""
    action_relative_to: str | None = None
    """The observation whose latest value chunks are predicted relative to; none for absolute.

    It changes what the network learns, not what comes out: actions in robot units either way.
    """
    tasks: TaskTable | None = None
    """What it may be told to do, where it observes `task`."""

    def __post_init__(self) -> None:
        names = [feature.name for feature in self.observations]
        check_input([feature.shape for feature in self.observations])
        if len(set(names)) < len(names):
            raise ConfigurationError(f"An observation is named twice: {', '.join(names)}.")
        told = [f.shape for f in self.observations if f.kind == "task"]
        if told != ([] if self.tasks is None else [(self.tasks.numbers,)]):
            raise ConfigurationError(
                "A policy that observes its task has the table of all of them, and only that one."
            )
        if len(self.action.shape) != 1:
            raise ConfigurationError(
                f"The action '{self.action.name}' has shape {self.action.shape}; "
                "a policy predicts flat actions, shape (A,), recorded as (steps, A)."
            )
        reference, size = self.reference, self.action_size
        if reference is not None and reference.shape != self.action.shape:
            way_on = "Record all they are relative to as one feature, or leave them absolute."
            if len(reference.recorded_shape) == 1 and size <= reference.recorded_shape[0]:
                columns = f"{reference.key}[0:{size}]"
                way_on = f"Pick columns: --observations {columns} --action-relative-to {columns}."
            raise ConfigurationError(
                f"Actions of shape {self.action.shape} cannot be relative to '{reference.name}' "
                f"of shape {reference.shape}. {way_on}"
            )

    @classmethod
    @checked
    def select(
        cls,
        recorded: Mapping[str, tuple[int, ...]],
        *,
        observations: Iterable[str],
        action: str = "action",
        chunking: Chunking | None = None,
        rate_hz: float = 10.0,
        action_relative_to: str | None = None,
        image_size: tuple[int, ...] = (),
        tasks: TaskTable | None = None,
    ) -> "PolicySpec":
        """The specification of a policy for features picked from what was recorded.

        With `tasks`, the observation `task` is which of them is to be done.
        """
        told = (
            {} if tasks is None else {TASK: Feature(name=TASK, shape=(tasks.numbers,), kind=TASK)}
        )
        return cls(
            observations=tuple(
                told[name] if name in told else Feature.select(name, recorded, image_size)
                for name in observations
            ),
            action=Feature.select(action, recorded),
            chunking=chunking or Chunking(),
            rate_hz=rate_hz,
            action_relative_to=action_relative_to,
            tasks=tasks,
        )

    @property
    def action_size(self) -> int:
        """Numbers in one action."""
        return self.action.shape[0]

    @property
    def reference(self) -> Feature | None:
        """The observation that chunks are relative to, if they are."""
        if self.action_relative_to is None:
            return None
        found = {feature.name: feature for feature in self.observations}
        if self.action_relative_to not in found:
            raise ConfigurationError(unknown("observation", self.action_relative_to, found))
        return found[self.action_relative_to]

    @property
    def chunk_shape(self) -> tuple[int, int]:
        """Shape of one chunk: (horizon, action_size)."""
        return (self.chunking.horizon, self.action_size)

    @property
    def images(self) -> tuple[Feature, ...]:
        """The observations that are images."""
        return tuple(f for f in self.observations if f.kind == "image")

    @property
    def features(self) -> tuple[Feature, ...]:
        """Every feature that needs normalising: the observations, then the action."""
        return (*self.observations, self.action)

    def check_observation(self, observation: Mapping[str, NDArray[Any]], lead: int = 0) -> None:
        """Raise `ConfigurationError` where an observation does not fit.

        `lead` is how many leading axes come before a time step's own shape.
        """
        if not isinstance(observation, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            names = ", ".join(f'"{feature.key}": …' for feature in self.observations)
            raise ConfigurationError(
                f"An observation is a dict of arrays by name, as {{{names}}}, not a "
                f"{type(observation).__name__}."
            )
        for feature in self.observations:
            key = feature.key
            if key not in observation:
                have = ", ".join(map(str, observation)) or "nothing"
                raise ConfigurationError(
                    f"The policy needs '{key}' in each observation, which has {have}."
                )
            values = observation[key]
            if feature.kind == "task":
                check_told(key, values, np.shape(values)[:lead], feature.size)
                continue
            check_array(f"observation['{key}']", values)
            if values.shape[lead:] != feature.recorded_shape:
                raise ConfigurationError(
                    f"Observation '{key}' has shape {values.shape[lead:]} at each time step; the "
                    f"policy was built for {feature.recorded_shape}."
                )
            if feature.kind == "image" and values.dtype != np.uint8:
                raise ConfigurationError(
                    f"Observation '{key}' holds {values.dtype}; images are taken as cameras give "
                    "them: uint8, 0 to 255, (height, width, channel)."
                )
