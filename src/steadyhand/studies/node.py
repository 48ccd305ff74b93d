"""What a node of a cluster does of a run: it lets a worker work in the folder that all share.

Ray imports this where it works; so it takes no torch, and knows nothing of Ray.
"""

import socket
import time
from pathlib import Path

from steadyhand.runtime.card import library_version
from steadyhand.studies.process import killed_by, say, start, stop, wait

POLL_SECONDS = 0.1
SEEN_SECONDS = 10.0
"""How long a folder that was just made may take to be seen by other machines."""
STOPPED = 130
"""How a worker ends that was asked to: here, by somebody who stops machines."""


class Lost(Exception):
    """The worker ended before its run did, and through no fault of the run's: to be tried again."""


def work_here(
    folder: Path, *, threads: int, gpu: bool, directory: Path, version: str
) -> tuple[bool, str]:
    """Do what is left of the run in `folder`: whether that ended well, and what else to say.

    A task of its own is found from `directory`, where the node has that. Asked to stop by an
    exception, the worker saves what it has. Raises `Lost`.
    """
    node = socket.gethostname()
    if (here := library_version()) != version:
        return False, (
            f"Node {node} has steadyhand {here}, and this run was declared by {version}. Install "
            "the same on every node."
        )
    if not _seen(folder / "plan.json"):
        return False, (
            f"Node {node} sees no plan in {folder}. Runs on a cluster need a folder that every "
            "node sees under the same path, as on NFS: name one with --out."
        )
    say(folder, f"Begun on node {node}.")
    process = start(
        folder,
        threads,
        # The GPU that Ray gives is the one that is seen; who asked for none is given none.
        environment={} if gpu else {"CUDA_VISIBLE_DEVICES": ""},
        directory=directory if directory.is_dir() else None,
    )
    try:
        while (status := process.poll()) is None:
            time.sleep(POLL_SECONDS)
    finally:
        if process.returncode is None:
            stop(process)
            wait(process)
    if status == STOPPED or status < 0:
        raise Lost(f"On node {node}: {killed_by(status) or 'its process was asked to end.'}")
    return status == 0, ""


def _seen(path: Path) -> bool:
    until = time.monotonic() + SEEN_SECONDS
    while not path.exists():
        if time.monotonic() > until:
            return False
        time.sleep(POLL_SECONDS)
    return True
