"""Steps of a recording on their way to the disk: written by a thread, in the order they came.

What waits has a limit, and nobody waits for it. `formats/recording.py` reads what is written.
"""

import json
import os
import queue
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.formats.recording import ENDS, HEADER, KIND, TASKS, VERSION, file_of
from steadyhand.disk import write_json
from steadyhand.sizes import Kind
from steadyhand.spec import TASK

MOST_WAITING = 256 << 20
"""Bytes that may wait for the disk."""
Step = dict[str, NDArray[Any]]
"""What is recorded of one tick, by name."""


class RecordingDisk:
    """Writes steps to a new folder, which is made with the first."""

    def __init__(self, folder: Path, rate_hz: float, kinds: Mapping[str, Kind]) -> None:
        """`kinds` are of features whose shape does not say it: depth, points."""
        self.steps = 0
        """Steps that are written, all of them once it is closed."""
        self._folder, self._rate_hz, self._kinds = folder, rate_hz, dict(kinds)
        self._first: Step = {}
        self._files: dict[str, IO[bytes]] = {}
        self._tasks: dict[str, int] = {}
        self._ended = self._words = 0
        self._why: str | None = None
        self._waiting, self._lock = 0, threading.Lock()
        self._orders: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        self._thread.start()

    def put(self, step: Step) -> bool:
        """Have a step written; False where it is not as the first was, or there is no room."""
        step = dict(step)
        words = step.pop(TASK, None)
        if words is not None:
            step["task_index"] = np.array(self._tasks.setdefault(str(words), len(self._tasks)))
        self._first = self._first or step
        size = sum(value.nbytes for value in step.values())
        with self._lock:
            if self._why or not self._alike(step) or self._waiting + size > MOST_WAITING:
                return False
            self._waiting += size
        self._orders.put(lambda: self._write(step, size))
        return True

    def end(self) -> None:
        """The episode ends with the step before."""
        self._orders.put(self._end)

    def close(self) -> str | None:
        """Wait until all is written; why something could not be."""
        self._orders.put(None)
        self._thread.join()
        return self._why

    def _alike(self, step: Step) -> bool:
        return all(
            key in step
            and step[key].shape == first.shape
            and np.can_cast(step[key].dtype, first.dtype, "same_kind")
            for key, first in self._first.items()
        )

    def _work(self) -> None:
        while (order := self._orders.get()) is not None:
            self._tried(order)
        for file in self._files.values():
            with suppress(OSError):
                file.close()

    def _tried(self, order: Callable[[], object]) -> None:
        """Do it, unless something went wrong before: the robot goes on, whatever it is."""
        if self._why is None:
            try:
                order()
            except Exception as error:
                with self._lock:
                    self._why = getattr(error, "strerror", None) or str(error)

    def _write(self, step: Step, size: int) -> None:
        if not self._files:
            self._begin()
        if len(self._tasks) > self._words:
            self._tell_tasks()
        for key, file in self._files.items():
            file.write(np.ascontiguousarray(step[key], self._first[key].dtype).tobytes())
            file.flush()
        self.steps += 1
        with self._lock:
            self._waiting -= size

    def _begin(self) -> None:
        self._folder.mkdir(parents=True)
        listed = [
            {"name": key, "shape": list(value.shape), "dtype": value.dtype.newbyteorder("=").str}
            for key, value in self._first.items()
        ]
        for number, key in enumerate(self._first):
            self._files[key] = (self._folder / file_of(number)).open("wb")
        head = {"kind": KIND, "version": VERSION, "rate_hz": self._rate_hz, "features": listed}
        head["kinds"] = {key: kind for key, kind in self._kinds.items() if key in self._files}
        write_json(self._folder / HEADER, head)

    def _tell_tasks(self) -> None:
        new = list(self._tasks)[self._words :]
        with (self._folder / TASKS).open("a") as tasks:
            tasks.writelines(json.dumps(words) + "\n" for words in new)
        self._words += len(new)

    def _end(self) -> None:
        if self.steps == self._ended:
            return
        for file in self._files.values():
            os.fsync(file.fileno())
        self._ended = self.steps
        with (self._folder / ENDS).open("a") as ends:
            ends.write(f"{self.steps}\n")
