"""The shared vocabulary: what a robot sees, what it does, and which step of time is which."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError, unknown
from steadyhand.sizes import (
    Depth,
    Kind,
    Steps,
    check_array,
    check_input,
    check_shape,
    fitted,
    kind_of,
)
from steadyhand.task_table import TaskTable, check_told
from steadyhand.values import POSITIVE, checked, taken

LAST_ACTION = "last_action"
"""An observation that need not be recorded: what the robot was told at the tick before."""
TASK = "task"
"""An observation that is told in words: what is to be done."""
_NAME = re.compile(r"(?P<key>[^\[\]]{1,200})(\[(?P<start>[0-9]{0,9}):(?P<stop>[0-9]{0,9})\])?")


@checked
@dataclass(frozen=True, kw_only=True)
class Chunking:
    """How time is cut: observations in, a chunk of actions out, a part of it executed.

    It owns every time index of the library; nobody else computes one.
    """

    obs_steps: Depth = 2
    """Observations stacked into the condition; the last one is "now"."""
    horizon: Steps = 16
    """Actions predicted in one chunk."""
    execute: Steps = 8
    """Actions executed before the next prediction."""
    past_rows: int = 0
    """Rows of a chunk before "now": 0 here, obs_steps - 1 in the paper's checkpoints."""

    def __post_init__(self) -> None:
        if not 0 <= self.past_rows < self.horizon:
            raise ConfigurationError(
                f"past_rows is {self.past_rows}; it must be in 0…{self.horizon - 1} "
                f"(horizon {self.horizon})."
            )
        if self.execute > self.max_execute:
            raise ConfigurationError(
                f"execute is {self.execute}, but a chunk has {self.max_execute} rows from now on "
                f"(horizon {self.horizon} - past_rows {self.past_rows}). "
                f"Choose execute in 1…{self.max_execute} or a longer horizon."
            )

    @property
    def max_execute(self) -> int:
        """The most actions that one chunk can be executed for."""
        return self.horizon - self.past_rows

    @property
    def observation_offsets(self) -> NDArray[np.int64]:
        """Time of each observation relative to now, shape (obs_steps,); the last is 0."""
        return np.arange(1 - self.obs_steps, 1)

    @property
    def action_offsets(self) -> NDArray[np.int64]:
        """Time each row of a chunk is meant for relative to now, shape (horizon,)."""
        return np.arange(self.horizon) - self.past_rows

    @property
    def executed_rows(self) -> slice:
        """The rows of a chunk that are executed."""
        return slice(self.past_rows, self.past_rows + self.execute)


@checked
@dataclass(frozen=True, kw_only=True)
class Feature:
    """One named quantity of every time step, in the robot's units.

    A state's name may pick columns: `state[:2]` reads the first two numbers of `state`.
    """

    name: str
    shape: tuple[int, ...]
    """Shape at one time step, after columns are picked; images are (height, width, channel)."""
    kind: Kind = "state"
    width: int | None = None
    """How many numbers were recorded, where columns of them are picked."""
    camera: tuple[int, int] | None = None
    """Height and width of the camera, where its images are resized to `shape`."""

    def __post_init__(self) -> None:
        recorded = self.recorded_shape[0] if len(self.shape) == 1 else 0
        all_of_it = self.columns == slice(None) and self.width is None
        if not all_of_it and self.shape != (len(range(recorded)[self.columns]),):
            raise ConfigurationError(
                f"'{self.name}' of shape {self.shape} cannot be picked from {self.width} numbers."
            )
        picture = self.kind == "image" and len(self.shape) == 3
        if not picture and (self.kind == "image" or self.camera is not None):
            raise ConfigurationError(f"'{self.name}' of shape {self.shape} is no picture.")
        check_shape(self.name, self.shape)
        check_shape(self.name, self.recorded_shape)

    @classmethod
    @checked
    def select(
        cls, name: str, recorded: Mapping[str, tuple[int, ...]], image_size: tuple[int, ...] = ()
    ) -> "Feature":
        """The feature `name` of what was recorded, key → shape; images are resized as by `fitted`.

        Raises `ConfigurationError` where there is no such key, or no such columns in it.
        """
        key, columns = parse_name(name)
        if key not in recorded:
            raise ConfigurationError(
                f"{unknown('feature', key, recorded)} What a policy sees is named with "
                "--observations NAME NAME …, what it does with --action NAME."
            )
        shape: tuple[int, ...] = taken(f"The shape of '{key}'", recorded[key], tuple[int, ...])
        kind = kind_of(shape)
        if len(shape) == 3 and kind == "state" and kind_of((*shape[1:], shape[0])) == "image":
            raise ConfigurationError(
                f"'{key}' has shape {shape}: an image with its channels first. Images are taken "
                "as cameras give them, (height, width, channel); turn it round."
            )
        if columns != slice(None):
            width = shape[0] if shape else 0
            picked = len(range(width)[columns])
            if len(shape) != 1 or not picked or (columns.stop or 0) > width:
                raise ConfigurationError(
                    f"'{name}' picks no columns of '{key}', whose shape is {shape}. "
                    f"Columns are picked from flat features, as '{key}[0:{max(width, 1)}]'."
                )
            return cls(name=name, shape=(picked,), kind=kind, width=width)
        if kind == "image":
            camera = (shape[0], shape[1])
            if (size := fitted(camera, image_size)) != camera:
                return cls(name=name, shape=(*size, shape[2]), kind=kind, camera=camera)
        return cls(name=name, shape=shape, kind=kind)

    @property
    def key(self) -> str:
        """The name under which it was recorded, without the columns."""
        return parse_name(self.name)[0]

    @property
    def columns(self) -> slice:
        """The columns it takes from what was recorded; all of them unless named."""
        return parse_name(self.name)[1]

    @property
    def recorded_shape(self) -> tuple[int, ...]:
        """Shape at one time step as recorded, before columns are picked or images resized."""
        if self.camera is not None:
            return (*self.camera, *self.shape[2:])
        return self.shape if self.width is None else (self.width,)

    @property
    def size(self) -> int:
        """How many numbers it has at one time step."""
        return prod(self.shape)


def parse_name(name: str) -> tuple[str, slice]:
    """A feature's name as (recorded key, columns): `state[:2]` → ("state", slice(None, 2))."""
    match = _NAME.fullmatch(name)
    if match is None or not name.isprintable():
        raise ConfigurationError(
            f"'{name}' does not name a feature. Write its key, or columns of it as 'state[0:2]'."
        )
    bounds = (int(text) if text else None for text in match.group("start", "stop"))
    return match["key"], slice(*bounds)


@checked
@dataclass(frozen=True, kw_only=True)
class PolicySpec:
    """What goes into a policy and what comes out."""

    observations: tuple[Feature, ...]
    action: Feature
    chunking: Chunking = Chunking()
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
