"""Episodes side by side in one process, each in a world of its own: begun, answered, dropped.

Whatever happens to one is told as an `Event`; nothing is raised. Numpy only, as `episode.py`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.evaluation.episode import (
    Acting,
    Episode,
    Play,
    WorldFailed,
    noise_seed,
    of_world,
    played,
)
from steadyhand.evaluation.latency import NONE, Latency
from steadyhand.runtime import ChunkController, ChunkRequest
from steadyhand.runtime.predictor import require
from steadyhand.spec import PolicySpec
from steadyhand.tasks.task import Environment, Task, world_of

MakeController = Callable[..., ChunkController]
"""`(spec, *, execute, seed) → controller`, one for each episode."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all episodes of a rollout have in common."""

    task: Task
    spec: PolicySpec
    controller: MakeController
    execute: int | None
    films: bool
    """Whether worlds have to draw."""
    latency: Latency = NONE
    """How long answers are on their way, in the world's time."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """What came of beginning or answering an episode: exactly one of the first four."""

    number: int
    """Which episode, as it was begun."""
    request: ChunkRequest | None = None
    episode: Episode | None = None
    failure: WorldFailed | None = None
    """Its world failed: the episode is lost."""
    error: Any = None
    """Something else is wrong, and all is to end with it."""
    made: float | None = None
    """Seconds to make its world, where that was done."""
    began: float | None = None
    """Seconds to its first request, where it was begun."""
    ticks: int = 0
    seconds: float = 0.0
    """What so many ticks took."""


class Lanes:
    """Worlds are kept for the next episode, but for those that failed. `ticked` is called after
    each tick of any."""

    def __init__(self, setting: Setting, ticked: Callable[[], object] = lambda: None) -> None:
        self._setting, self._tell = setting, ticked
        self._playing: dict[int, tuple[Acting, Environment]] = {}
        self._free: list[Environment] = []
        self._ticks = 0

    def begin(self, number: int, play: Play) -> Event:
        """Play an episode up to its first request."""
        made, start = None, time.perf_counter()
        try:
            if not self._free:
                but = () if self._setting.films else ("render",)
                task = self._setting.task
                self._free.append(of_world("make", partial(world_of, but=but), task))
                made = time.perf_counter() - start
            world = self._free.pop()
            controller = self._setting.controller(
                self._setting.spec,
                execute=self._setting.execute,
                seed=noise_seed(play.seed, play.repeat),
            )
            require({"controller": (controller, ChunkController)}, "See docs/robot.md.")
        except WorldFailed as failure:
            return Event(number=number, failure=failure)
        except Exception as error:
            return Event(number=number, error=error)
        setting = self._setting
        acting = played(setting.task, world, controller, play, self._ticked, setting.latency)
        self._playing[number] = acting, world
        begun = time.perf_counter()
        return self._on(number, None, lambda: {"made": made, "began": time.perf_counter() - begun})

    def answer(self, number: int, chunk: NDArray[np.floating]) -> Event:
        """Play on with the chunk that was asked for, up to the next request or the end."""
        start, ticks = time.perf_counter(), self._ticks
        return self._on(
            number,
            chunk,
            lambda: {"ticks": self._ticks - ticks, "seconds": time.perf_counter() - start},
        )

    def drop(self, number: int) -> None:
        """Play it no further, if it is played."""
        if number in self._playing:
            acting, world = self._playing.pop(number)
            acting.close()
            self._free.append(world)

    def _ticked(self) -> None:
        self._ticks += 1
        self._tell()

    def _on(
        self,
        number: int,
        chunk: NDArray[np.floating] | None,
        spent: Callable[[], dict[str, Any]],
    ) -> Event:
        acting, world = self._playing[number]
        try:
            return Event(number=number, request=acting.send(chunk), **spent())
        except StopIteration as ended:
            event = Event(number=number, episode=ended.value, **spent())
            self._free.append(world)
        except WorldFailed as failure:
            event = Event(number=number, failure=failure, **spent())
        except Exception as error:
            event = Event(number=number, error=error)
        del self._playing[number]
        return event
