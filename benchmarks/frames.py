"""`make bench`: how fast training windows of a real robot's camera are read, at random.

Two pictures a window, 224×224, from the frame store; decoded from the mp4 each time; and by
LeRobot's own loader on the same frames, where LEROBOT_PYTHON names a Python that has it. The set is
then written as LeRobotDataset v3.0 by this project first.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from steadyhand.data import make_windows, open_episodes, write_episodes
from steadyhand.data.pictures.frames import with_frames
from steadyhand.data.pictures.resize import resize_frames
from steadyhand.spec import Chunking, Feature

DATA = Path(__file__).parents[2] / "shared" / "data" / "g1_bottle_v21"
CAMERA = "observation.images.cam_high"
SIZE = (224, 224)
ROUNDS, SECONDS = 5, 1.0


def rate(work: Callable[[np.ndarray], object], count: int, batch: int) -> float:
    """Median windows a second over some rounds, each window at random."""
    random, found = np.random.default_rng(0), []
    work(random.integers(0, count, batch))
    for _ in range(ROUNDS):
        begun, done = time.perf_counter(), 0
        while time.perf_counter() - begun < SECONDS:
            work(random.integers(0, count, batch))
            done += batch
        found.append(done / (time.perf_counter() - begun))
    return statistics.median(found)


def main() -> None:
    if not DATA.exists():
        print(f"skipped: the demonstrations are not at {DATA}")
        return
    episodes = open_episodes(DATA)
    feature = Feature.select(CAMERA, episodes.shapes, SIZE)
    seen = make_windows(episodes, Chunking(obs_steps=2))
    raw = episodes.arrays[CAMERA]
    frames = with_frames(episodes, [feature]).arrays[CAMERA]
    count = len(seen)
    found = {
        "frame store, batches of 64": rate(
            lambda windows: torch.from_numpy(frames[seen.observation(windows)]), count, 64
        ),
        "frame store, one at a time": rate(
            lambda windows: torch.from_numpy(frames[seen.observation(windows)]), count, 1
        ),
        "decoded from the mp4 each time": rate(
            lambda windows: torch.from_numpy(
                resize_frames(raw[seen.observation(windows)[0]], SIZE)
            ),
            count,
            1,
        ),
    }
    if python := os.environ.get("LEROBOT_PYTHON"):
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "g1.lerobot"
            write_episodes(target, episodes)
            script = Path(__file__).with_name("lerobot_loader.py")
            for workers in (0, 2):
                answer = subprocess.run(
                    [python, str(script), str(target), CAMERA, str(workers)],
                    check=True,
                    capture_output=True,
                    text=True,
                )
                name = f"LeRobot's loader, {workers} worker processes"
                found[name] = float(answer.stdout.split()[-1])
    print(f"\ntraining windows of {DATA.name} a second, 2 pictures of 224×224 each")
    for name, speed in found.items():
        ratio = found["frame store, batches of 64"] / speed
        print(f"  {name:38}{speed:10.0f}{ratio:9.1f}")


if __name__ == "__main__":
    sys.exit(main())
