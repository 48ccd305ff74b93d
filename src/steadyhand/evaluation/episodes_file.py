"""The episodes of an evaluation on disk: a line each, written as it ends."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import IO, Any

from steadyhand.disk import write_text
from steadyhand.errors import CheckpointError
from steadyhand.evaluation.rollout import Episode, Lost


class EpisodesFile:
    """One line of JSON an episode, written as each ends, so that stopping loses none of them.

    It is a context: in it the lines go to a `partial` file that no other evaluation writes, and
    when it ends well, in the order of their seeds, to `path`; what was there before stays until
    then. Where it ends before the last episode, the partial file stays. Raises `CheckpointError`
    where it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.partial = path, path.with_name(f"{path.name}.partial")
        self._lines: dict[tuple[int, int], str] = {}

    def __enter__(self) -> "EpisodesFile":
        self._made = None if self.path.parent.exists() else self.path.parent
        with self._explained():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._begin()
        return self

    def _begin(self) -> IO[str]:
        """A file that is ours alone: of another evaluation, or of one that was killed, none."""
        for number in count(1):
            name = f"{self.path.name}{f'.{number}' if number > 1 else ''}.partial"
            self.partial = self.path.with_name(name)
            with suppress(FileExistsError):
                return self.partial.open("x", buffering=1)
        raise AssertionError("there is always another number")

    def append(self, one: Episode | Lost) -> None:
        """Add an episode that has ended: its seed, initial state, length and scores; or one that
        was lost with its world, and why."""
        record: dict[str, Any] = {"seed": one.seed, "repeat": one.repeat}
        if isinstance(one, Lost):
            record["lost"] = one.why
        else:
            record |= {"initial_state": one.initial_state, "steps": len(one.actions), **one.scores}
        line = self._lines[one.seed, one.repeat] = f"{json.dumps(record)}\n"
        with self._explained():
            self._file.write(line)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._explained():
            self._file.close()
            if kind is None:
                write_text(self.path, "".join(self._lines[each] for each in sorted(self._lines)))
        if kind is None or not self._lines:
            self.partial.unlink(missing_ok=True)
        if kind is not None and self._made is not None:
            with suppress(OSError):  # unless something is in it
                self._made.rmdir()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CheckpointError(
                f"{self.path} cannot be written ({error.strerror or error}). Mend the rights of "
                "its folder or the disk, or evaluate with another --out."
            ) from error
