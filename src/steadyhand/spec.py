"""The shared vocabulary: what a robot sees, what it does, and which step of time is which.

`Chunking` and `Feature` are found here, too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.actions import ActionPart, ActionTransform, settled
from steadyhand.chunking import Chunking
from steadyhand.errors import ConfigurationError, unknown
from steadyhand.feature import Feature, parse_name
from steadyhand.sizes import Kind, check_array, check_input
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
    action_parts: tuple[ActionPart, ...] = ()
    """What columns of the action mean; what is not said of one is as it would be without parts."""

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
                "a policy predicts flat actions, shape (A,), recorded as (steps, A). Save them so: "
                "action.reshape(len(action), -1)."
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
        _ = self.references  # refuses what cannot be turned back
        if self.network_action.name in names and not self.transform.identity:
            raise ConfigurationError(
                f"'{self.network_action.name}' is observed and predicted in another form. Record "
                "what is observed under another name."
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
        action_parts: Iterable[ActionPart] = (),
        image_size: tuple[int, ...] = (),
        tasks: TaskTable | None = None,
        kinds: Mapping[str, Kind] | None = None,
    ) -> "PolicySpec":
        """The specification of a policy for features picked from what was recorded.

        `kinds` says what those are whose shape does not say it: depth, points.
        With `tasks`, the observation `task` is which of them is to be done.
        """
        told = (
            {} if tasks is None else {TASK: Feature(name=TASK, shape=(tasks.numbers,), kind=TASK)}
        )
        return cls(
            observations=tuple(
                told[name] if name in told else Feature.select(name, recorded, image_size, kinds)
                for name in observations
            ),
            action=Feature.select(action, recorded),
            chunking=chunking or Chunking(),
            rate_hz=rate_hz,
            action_relative_to=action_relative_to,
            tasks=tasks,
            action_parts=tuple(action_parts),
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
            missing = unknown("observation", self.action_relative_to, found)
            if self.action_relative_to == LAST_ACTION:  # as some recipes have it
                missing = (
                    f"Actions are predicted relative to '{LAST_ACTION}', and the policy does not "
                    f"see it. Name it, too, in --observations ({', '.join([LAST_ACTION, *found])}),"
                    " or say --action-relative-to None."
                )
            raise ConfigurationError(missing)
        return found[self.action_relative_to]

    @property
    def chunk_shape(self) -> tuple[int, int]:
        """Shape of one chunk in robot units: (horizon, action_size)."""
        return (self.chunking.horizon, self.action_size)

    @cached_property
    def transform(self) -> ActionTransform:
        """Between what the robot is told and what the network sees."""
        whole = self.action_relative_to
        told = whole is not None and parse_name(whole)[0] == LAST_ACTION
        return ActionTransform(settled(self.action_parts, self.action_size, whole, told=told))

    @cached_property
    def references(self) -> tuple[tuple[slice, Feature], ...]:
        """Columns of the action, and the observation whose latest value they refer to."""
        found: list[tuple[slice, Feature]] = []
        recorded = {feature.key: feature.recorded_shape for feature in self.observations}
        for part in self.transform.referring:
            named = Feature.select(str(part.reference), recorded)
            if named.shape == self.action.shape and part.width < self.action_size:
                begin = named.columns.start or 0
                columns = f"[{begin + part.start}:{begin + part.stop}]"
                named = Feature.select(named.key + columns, recorded)
            if named.shape != (part.width,):
                raise ConfigurationError(
                    f"Columns {part.columns} of the action cannot refer to '{named.name}' of "
                    f"shape {named.shape}. Pick {part.width} columns, as '{named.key}[0:"
                    f"{part.width}]', or as many as the action has, {self.action_size}."
                )
            found.append((slice(part.start, part.stop), named))
        return tuple(found)

    @property
    def network_size(self) -> int:
        """Numbers in one action as the network sees it; a rotation has six."""
        return self.transform.network_size

    @property
    def noise_shape(self) -> tuple[int, int]:
        """Shape of a chunk's noise, and of what the network sees: (horizon, network_size)."""
        return (self.chunking.horizon, self.network_size)

    @cached_property
    def network_action(self) -> Feature:
        """The action as the network sees it: what is normalised."""
        if self.network_size == self.action_size:
            return self.action
        name = self.action.name.replace("[", "(").replace("]", ")")
        return Feature(name=name, shape=(self.network_size,))

    @property
    def images(self) -> tuple[Feature, ...]:
        """The observations that are colour."""
        return tuple(f for f in self.observations if f.kind == "image")

    @property
    def depths(self) -> tuple[Feature, ...]:
        """The observations that are depth."""
        return tuple(f for f in self.observations if f.kind == "depth")

    @property
    def pictures(self) -> tuple[Feature, ...]:
        """The observations that have pixels, colour or depth."""
        return tuple(f for f in self.observations if f.picture)

    @property
    def points(self) -> tuple[Feature, ...]:
        """The observations that are clouds of points."""
        return tuple(f for f in self.observations if f.kind == "points")

    @property
    def kinds(self) -> dict[str, Kind]:
        """What recorded features are whose shape does not say it."""
        return {f.key: f.kind for f in (*self.depths, *self.points)}

    @property
    def features(self) -> tuple[Feature, ...]:
        """Every feature as it is recorded: the observations, then the action."""
        return (*self.observations, self.action)

    @property
    def normalised(self) -> tuple[Feature, ...]:
        """Every feature that is normalised: the observations, then what the network answers."""
        return (*self.observations, self.network_action)

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
            if feature.kind == "depth" and values.dtype.kind != "f":
                raise ConfigurationError(
                    f"Observation '{key}' holds {values.dtype}; depth is metres, floating, and 0 "
                    "where nothing was measured. Of a camera that counts millimetres: "
                    "(depth / 1000).astype(np.float32)."
                )
