"""Where the figures of a run go: a line of JSON a record, and TensorBoard."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol


class Tracker(Protocol):
    """Takes the figures of a step."""

    def log(self, step: int, values: Mapping[str, float]) -> None: ...
    def close(self) -> None: ...


class JsonLines:
    """Appends to a `.jsonl` file; a resumed run drops the lines after the step it resumes from."""

    def __init__(self, path: Path, *, resume_step: int = 0) -> None:
        if path.exists():
            whole = (line for line in path.read_text().splitlines() if line.endswith("}"))
            kept = [line for line in whole if json.loads(line)["step"] <= resume_step]
            path.write_text("".join(f"{line}\n" for line in kept))
        self._file = path.open("a", buffering=1)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._file.write(json.dumps({"step": step, **values}) + "\n")

    def close(self) -> None:
        self._file.close()


class TensorBoard:
    """TensorBoard events in the run's folder: `tensorboard --logdir RUN`."""

    def __init__(self, folder: Path, *, resume_step: int = 0) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=resume_step + 1)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class Trackers:
    """Several trackers as one."""

    def __init__(self, trackers: Sequence[Tracker]) -> None:
        self._trackers = trackers

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for tracker in self._trackers:
            tracker.log(step, values)

    def close(self) -> None:
        for tracker in self._trackers:
            tracker.close()
