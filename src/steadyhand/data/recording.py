"""A recorder around a robot: what was seen and told becomes demonstrations, whatever happens.

Steps go to the disk as they come, by a thread of their own, into a folder beside the data set; the
data set is made of it at the end. Nothing is kept in memory but what waits for the disk.
"""

import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.formats import open_episodes, require_free, write_episodes
from steadyhand.data.formats.limits import is_name
from steadyhand.data.recording_disk import RecordingDisk, Step
from steadyhand.errors import ConfigurationError, DataError, UsageError
from steadyhand.runtime.predictor import Observation
from steadyhand.runtime.robot import Robot, require_robot, stopped
from steadyhand.sizes import Kind
from steadyhand.spec import LAST_ACTION, TASK
from steadyhand.values import named, positive

CLOCK = "device_timestamp"
"""What an observation `timestamp` is recorded as: data sets have a column of that name of their
own, which counts from the beginning of each episode."""


@named
class Recorder:
    """A robot whose observations and actions are recorded in `path`, as LeRobot v3.0.

    A step is an observation and the last action told before the next, `rate_hz` times a second; at
    a faster low-level rate that is where the tick led. What was seen before the robot was told
    anything is none. `episode()` begins a new episode, and so do `stop()` and a step that could not
    be recorded. Leave it with `close()` or as a `with` block: that makes the data set, also after
    an exception or Ctrl-C. What a process that was killed has left, `steadyhand convert
    PATH.recording PATH` makes a data set.

    The robot never waits for the disk. Where that cannot keep up, or is full, steps are counted in
    `counts` and told at the end. `format` is lerobot, npz or zarr, by default what the path ends
    in, or lerobot. `kinds` says which observations are depth, in metres, or points, as
    `spec.kinds` of a policy that sees them does.

    Raises `UsageError` where something is in the way, `ConfigurationError` for an observation that
    cannot be recorded, before anything moves; `close` raises `DataError` where the disk is full.
    """

    def __init__(
        self,
        robot: Robot,
        path: str | Path,
        *,
        rate_hz: float,
        format: str | None = None,
        kinds: Mapping[str, Kind] | None = None,
    ) -> None:
        require_robot(robot)
        self.robot, self.path = robot, Path(path)
        self.counts = {"not recorded": 0}
        self.steps = 0
        """How many steps were recorded so far; once it is closed, how many there are."""
        known = self.path.suffix in (".npz", ".zarr", ".lerobot")
        self._format = format or (self.path.suffix[1:] if known else "lerobot")
        self._kind = require_free(self.path, self._format)
        self.folder = self.path.with_name(self.path.name + ".recording")
        """Where steps are until the data set is made of them."""
        if self.folder.exists() or self.folder.is_symlink():
            raise UsageError(
                f"{self.folder} is there, a recording that was not finished. Make a data set of it "
                f"by steadyhand convert {self.folder} {self.path}, and delete it, or record "
                "elsewhere."
            )
        self._disk = RecordingDisk(self.folder, positive("rate_hz", rate_hz), kinds or {})
        self._now: Step | None = None
        self._step: Step | None = None
        """The tick that goes on; told faster than it is seen, a robot is told more in it."""
        self._last: Step | None = None
        self._begun = self._failed = self._closed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["robot"], name)

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def observe(self) -> Observation:
        if self._now is not None and self._begun:
            self.episode()  # a tick in which nothing was told
        self._write()
        self._now, self._failed = None, True
        seen = self.robot.observe()
        self._failed = False
        self._now = self._last = self._kept(seen)
        return seen

    def act(self, action: NDArray[Any]) -> None:
        told = np.array(action)
        self.robot.act(action)
        # Where the robot showed nothing, what is known is what it showed last.
        step, self._now = self._last if self._failed else self._now, None
        self._failed = False
        if step is not None:
            self._step = {**step, "action": told}
            self._begun = True
        elif self._step is not None:
            self._step["action"] = told

    def episode(self) -> None:
        """What comes is another episode."""
        self._write()
        if self._begun:
            self._disk.end()
        self._begun, self._now = False, None

    def _write(self) -> None:
        """Have the step written that is over, if one is."""
        step, self._step = self._step, None
        if step is None:
            return
        if self._disk.put(step):
            self.steps += 1
        else:
            self.counts["not recorded"] += 1
            self.episode()

    def stop(self) -> None:
        """The robot's own stop, where it has one; the episode ends."""
        stopped(self.robot)
        self.episode()

    def close(self) -> None:
        """Make the data set of what was recorded, if anything was.

        Raises `DataError` where that cannot be; what is recorded is left where it is.
        """
        if self._closed:
            return
        self._closed = True
        self.episode()
        why = self._disk.close()
        steps = self._disk.steps
        self.counts["not recorded"] += self.steps - steps
        self.steps = steps
        lost = self.counts["not recorded"]
        if steps:
            try:
                write_episodes(self.path, open_episodes(self.folder), self._format)
            except DataError as error:
                raise DataError(f"{error} {self._way_on()}") from error
        shutil.rmtree(self.folder, ignore_errors=True)
        if why:
            made = f"{steps} steps are recorded in {self.path}, and" if steps else "The"
            raise DataError(
                f"{made} {lost} steps are not recorded: {why}. Free the disk, or record elsewhere."
            )
        if lost:
            warnings.warn(
                f"{lost} steps were not recorded, since the disk did not keep up or they had "
                "another shape; episodes end there. Record smaller pictures, or on a faster disk.",
                stacklevel=2,
            )

    def _way_on(self) -> str:
        return (
            f"The {self.steps} steps that were recorded are in {self.folder}: "
            f"steadyhand convert {self.folder} {self.path} makes a data set of them."
        )

    def _kept(self, seen: Observation) -> Step:
        """A copy of an observation, under the names of the data set."""
        kept = {CLOCK if key == "timestamp" else key: np.array(seen[key]) for key in seen}
        kept.pop(LAST_ACTION, None)  # which follows from the actions
        if self._last is None:
            self._require(kept)
        return kept

    def _require(self, kept: Step) -> None:
        for key, value in kept.items():
            words = key == TASK and value.dtype.kind == "U" and not value.shape
            taken = key in (*self._kind.reserved, "action", "task_index")
            path = "/" in key and not self._kind.paths
            if taken or path or not is_name(key):
                raise ConfigurationError(
                    f"An observation cannot be recorded as '{key}': that is "
                    f"{'a name of the format' if taken else 'no name'}. Show it under another one."
                )
            if not words and (value.dtype.kind not in "biuf" or value.dtype.itemsize > 8):
                raise ConfigurationError(
                    f"Observation '{key}' holds {value.dtype}; numbers are recorded. Leave it out, "
                    "or show it as numbers."
                )
