"""Tells how a loop goes while it runs, from a thread that the control thread never waits for."""

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from steadyhand.disk import require_room, write_json
from steadyhand.runtime.loop.report import LoopReport

EVERY_SECONDS = 1.0


class Reporter:
    """Calls `watch` with the report, and writes it to `path`, every second and in the end.

    Raises `OSError` at once where nothing can be written there.
    """

    def __init__(
        self,
        made: Callable[[], LoopReport],
        watch: Callable[[LoopReport], object] | None,
        path: Path | None,
    ) -> None:
        self._made, self._watch, self._path = made, watch, path
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        if path is not None:
            require_room(path)
            path.parent.mkdir(parents=True, exist_ok=True)

    def begin(self) -> None:
        """Tell from now on, if there is anybody to tell."""
        if self._watch is not None or self._path is not None:
            self._thread = threading.Thread(target=self._work, name="report", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Tell the last word, in this thread. Raises `OSError` where it is not written."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        self._tell()

    def _work(self) -> None:
        while not self._over.wait(EVERY_SECONDS):
            with suppress(OSError):  # the disk is full, say: the robot goes on, the end will tell
                self._tell()

    def _tell(self) -> None:
        report = self._made()
        if self._watch is not None:  # first: it is told where nothing can be written, too
            self._watch(report)
        if self._path is not None:
            write_json(self._path, report.as_json())
