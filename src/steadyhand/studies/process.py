"""The worker of a run as a process of its own, on whatever machine, and what its end means.

It knows the folder alone, and needs no torch: that is the worker's.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

STOP_SECONDS = 60.0
"""How long a run that is stopped may take to save what it has."""
LOG = "log.txt"
"""What a worker says, in the folder of its run."""


def start(
    folder: Path,
    threads: int,
    *,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> subprocess.Popen[bytes]:
    """A worker in `folder`, which Ctrl-C reaches through this process alone, and ends with it."""
    command = [sys.executable, "-m", "steadyhand.studies.worker", str(folder), str(os.getpid())]
    count = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    with (folder / LOG).open("ab") as file:
        return subprocess.Popen(
            command,
            env={**os.environ, **count, "OMP_WAIT_POLICY": "PASSIVE", **(environment or {})},
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask it to save what it has, and to end; `SIGINT` may be blocked in what it came from."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)


def wait(process: subprocess.Popen[bytes]) -> None:
    """Return when it has ended, by force where that takes too long."""
    try:
        process.wait(STOP_SECONDS)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()
        process.wait()


def killed_by(status: int) -> str:
    """What is to be said of a process that ended by itself and could say nothing; else nothing."""
    if status >= 0:
        return ""
    with suppress(ValueError):
        name = signal.Signals(-status).name
        return (
            f"Its process was ended by {name}"
            + (": the system does so where memory runs out" if name == "SIGKILL" else "")
            + ". What it had saved is kept."
        )
    return f"Its process was ended by signal {-status}. What it had saved is kept."


def say(folder: Path, words: str) -> None:
    """Put a line at the end of what a worker said, where there is room for it."""
    with suppress(OSError), (folder / LOG).open("a") as file:
        file.write(f"{words}\n")
