"""Policies that are loaded anew while they are served: on SIGHUP, or where another one lies there.

What cannot be loaded, or is a policy for another robot, is told in the log; the old one goes on.
"""

import asyncio
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from steadyhand.errors import SteadyhandError
from steadyhand.serving.desk import Desk
from steadyhand.serving.journal import broke, event
from steadyhand.serving.metrics import Metrics
from steadyhand.serving.served import Source, reloaded

LOOK_S = 2.0
"""How often it is looked whether another policy lies there."""


class Reloading:
    """The policies of a server, each with its desk. `stamps` are of what was loaded first."""

    def __init__(
        self,
        sources: Sequence[Source],
        desks: Mapping[str, Desk],
        metrics: Metrics,
        stamps: Mapping[str, tuple[object, ...]],
    ) -> None:
        self._sources, self._desks, self._metrics = sources, desks, metrics
        self._stamps = dict(stamps)
        self._one = asyncio.Lock()
        self._doing = set[asyncio.Task[None]]()

    async def all(self) -> None:
        """Load every policy anew, one after the other."""
        for source in self._sources:
            await self._reload(source)

    @contextmanager
    def on_hangup(self) -> Iterator[None]:
        """While this lasts, SIGHUP loads every policy anew, where the system has that signal."""
        number = getattr(signal, "SIGHUP", None)
        if number is None:
            yield
            return
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(number, lambda: self._begin(self.all()))
        try:
            yield
        finally:
            loop.remove_signal_handler(number)

    @contextmanager
    def looking(self, watch: bool) -> Iterator[None]:
        """While this lasts, a policy is loaded anew as soon as another one lies there."""
        if watch:
            self._begin(self._look())
        try:
            yield
        finally:
            for task in self._doing:
                task.cancel()

    def _begin(self, doing) -> None:
        task = asyncio.ensure_future(doing)
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            for source in self._sources:
                stamp = await asyncio.to_thread(source.stamp)
                # A run that is being written has no policy for a moment.
                if stamp and stamp != self._stamps[source.name]:
                    await self._reload(source)

    async def _reload(self, source: Source) -> None:
        desk, outcome = self._desks[source.name], "refused"
        async with self._one:
            self._stamps[source.name] = source.stamp()
            try:
                desk.exchange(await asyncio.to_thread(reloaded, source, desk.spec))
            except SteadyhandError as error:
                event("reload-refused", policy=source.name, said=str(error))
            except Exception as error:
                broke("reload-failed", error, policy=source.name)
            else:
                outcome = "done"
                event("reloaded", policy=source.name)
        self._metrics.reloads.labels(source.name, outcome).inc()
