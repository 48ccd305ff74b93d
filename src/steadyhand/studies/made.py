"""How a report was made: the command, the versions, the machine. So it can be made again."""

import os
import platform
import shlex
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import torch

import steadyhand
from steadyhand.policy.device import choose_device
from steadyhand.runtime.card import library_version
from steadyhand.studies.runs import Outcome


def made(
    command: Sequence[str], device: str, outcomes: Sequence[Sequence[Outcome]], seconds: float
) -> dict[str, str]:
    """What a reader needs, by name. `seconds` are of this sitting."""
    runs = {run.folder: run for done in outcomes for run in done}
    training = sum(run.minutes for run in runs.values())
    return {
        "command": f"steadyhand {shlex.join(command)}",
        "version": " ".join(filter(None, [f"steadyhand {library_version()}", commit()])),
        "libraries": f"Python {platform.python_version()}, torch {torch.__version__}, "
        f"numpy {version('numpy')}",
        "hardware": hardware(device),
        "time": f"{training:.1f} minutes of training in {len(runs)} runs; this sitting took "
        f"{seconds / 60:.1f} minutes",
    }


def commit() -> str:
    """The commit of the source that runs; nothing where it is no checkout of this project."""
    folder = Path(steadyhand.__file__).resolve().parents[2]
    if not (folder / ".git").exists():
        return ""
    asked = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--exclude", "*"]
    try:
        said = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return f"(commit {said.stdout.strip()})"


def hardware(device: str) -> str:
    """What it ran on, in words."""
    place = choose_device(device)
    gpu = f"{torch.cuda.get_device_name(place)}; " if place.type == "cuda" else ""
    return (
        f"{gpu}{os.cpu_count()} cores of {_processor()}, {platform.system()} {platform.machine()}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "an unnamed processor"
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or "an unnamed processor")
