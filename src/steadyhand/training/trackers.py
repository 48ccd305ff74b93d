"""Where the figures of a run go: a line of JSON a record, and TensorBoard."""

import json
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from steadyhand.disk import inside, read_text, write_text
from steadyhand.errors import CheckpointError, MissingExtraError
from steadyhand.training.checkpoint import Run

LOG_EVERY = 50


class JsonLines:
    """Appends to a `.jsonl` file; a resumed run drops the lines after the step it resumes from."""

    def __init__(self, path: Path, *, resume_step: int = 0) -> None:
        if path.exists():
            try:
                lines = read_text(inside(path.parent, path.name)).splitlines()
            except (OSError, ValueError) as error:
                raise CheckpointError(f"{path} cannot be read ({error}). Remove it.") from error
            kept = [line for line in lines if 0 <= _step(line) <= resume_step]
            write_text(path, "".join(f"{line}\n" for line in kept))
        self._file = path.open("a", buffering=1)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        # JSON has no word for what is not finite.
        record = {name: value if math.isfinite(value) else None for name, value in values.items()}
        self._file.write(json.dumps({"step": step, **record}) + "\n")

    def close(self) -> None:
        self._file.close()


def _step(line: str) -> int:
    """The step of a line of the log; -1 for a line that a kill cut short."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return -1


def summary_writer() -> Any:
    """TensorBoard's own class. Raises `MissingExtraError` where it is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError("tensorboard") from error
    return SummaryWriter


class RunLog:
    """The logs of a run, `log.jsonl` and TensorBoard: every `LOG_EVERY` steps, and where it is due.

    `tensorboard --logdir RUN` shows them; a resumed run drops what came after where it goes on.
    """

    def __init__(self, run: Run, batch_size: int, start: int) -> None:
        self._lines = JsonLines(run.log, resume_step=start)
        self._board = summary_writer()(str(run.path), purge_step=start + 1)
        self._batch_size, self._start, self._begun = batch_size, start, time.perf_counter()

    def __call__(self, step: int, figures: Callable[[], dict[str, float]], *, due: bool) -> None:
        """Log a step; `figures` is only asked where they are logged, since reading them waits."""
        if not due and step % LOG_EVERY:
            return
        passed, values = time.perf_counter() - self._begun, figures()
        values["samples_per_second"] = (step - self._start) * self._batch_size / passed
        values["waiting_for_data"] = values.pop("waited") / passed
        self._lines.log(step, values)
        for name, value in values.items():
            self._board.add_scalar(name, value, step)

    def close(self) -> None:
        self._lines.close()
        self._board.close()
