"""How long a set of 50 GB takes to open and to inspect, and how much memory.

    python benchmarks/large.py OUT [KIND …]      one JSON line for each of `SETS`

The sets take little disk: what is not stored of them holds the fill value of its format, and
pictures that are stored are the same few. Nothing is downloaded.
"""

import json
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

EPISODES = 1000
GIGABYTES = 50


def zarr_pictures(path: Path) -> None:
    """Pictures of 96×96 in chunks of 100, of which one in a thousand is stored."""
    import zarr

    steps = int(GIGABYTES * 1e9) // (96 * 96 * 3)
    root = zarr.open_group(path, mode="w", zarr_format=3)
    camera = root.create_array(
        "data/camera", shape=(steps, 96, 96, 3), chunks=(100, 96, 96, 3), dtype="u1"
    )
    seen = np.random.default_rng(0).integers(0, 255, (100, 96, 96, 3), np.uint8)
    for first in range(0, steps - 100, 1000 * 100):
        camera[first : first + 100] = seen
    numbers(root, steps)


def zarr_points(path: Path) -> None:
    """Clouds of 2,048 points, one chunk an episode."""
    import zarr

    steps = int(GIGABYTES * 1e9) // (2048 * 3 * 4)
    root = zarr.open_group(path, mode="w", zarr_format=3)
    root.create_array("data/cloud", shape=(steps, 2048, 3), chunks=(200, 2048, 3), dtype="f4")
    numbers(root, steps)


def zarr_numbers(path: Path) -> None:
    """Nothing but numbers: 100 million steps of 125, none of which is stored."""
    import zarr

    steps = int(GIGABYTES * 1e9) // (125 * 4)
    root = zarr.open_group(path, mode="w", zarr_format=2)
    root.create_array("data/tactile", shape=(steps, 111), chunks=(10_000, 111), dtype="f4")
    numbers(root, steps, stored=False)


def numbers(group, steps: int, *, stored: bool = True) -> None:
    """A state of 7 numbers that wander, an action that follows, and the ends of the episodes."""
    for name in ("state", "action"):
        array = group.create_array(f"data/{name}", shape=(steps, 7), chunks=(10_000, 7), dtype="f4")
        if stored:
            array[...] = np.cumsum(np.random.default_rng(0).normal(size=(steps, 7)), 0)
    ends = np.linspace(0, steps, EPISODES + 1).astype(int)[1:]
    group.create_array("meta/episode_ends", data=ends)


def hdf5_pictures(path: Path) -> None:
    """robomimic's layout, a chunk a picture, of which the first ten of each episode are stored."""
    import h5py

    steps = int(GIGABYTES * 1e9) // (EPISODES * 96 * 96 * 3)
    seen = np.random.default_rng(0).integers(0, 255, (10, 96, 96, 3), np.uint8)
    wander = np.cumsum(np.random.default_rng(0).normal(size=(steps, 7)), 0).astype(np.float32)
    with h5py.File(path, "w") as file:
        for number in range(EPISODES):
            demo = file.create_group(f"data/demo_{number}")
            demo["actions"], demo["obs/state"] = wander[::-1], wander
            camera = demo.create_dataset(
                "obs/camera", (steps, 96, 96, 3), "u1", chunks=(1, 96, 96, 3), compression="gzip"
            )
            camera[:10] = seen


def hdf5_unwritten(path: Path) -> None:
    """The same, without a picture that was ever written."""
    import h5py

    hdf5_pictures(path)
    with h5py.File(path, "a") as file:
        for demo in file["data"].values():
            shape = demo["obs/camera"].shape
            del demo["obs/camera"]
            demo.create_dataset("obs/camera", shape, "u1", chunks=(1, *shape[1:]))


SETS: dict[str, tuple[Callable[[Path], None], str]] = {
    "zarr-pictures": (zarr_pictures, "zarr"),
    "zarr-points": (zarr_points, "zarr"),
    "zarr-numbers": (zarr_numbers, "zarr"),
    "hdf5-pictures": (hdf5_pictures, "hdf5"),
    "hdf5-unwritten": (hdf5_unwritten, "hdf5"),
}


def measured(path: Path) -> dict[str, object]:
    """Seconds, of the clock and of work, and the most memory of this process."""
    from steadyhand.data import inspect_episodes, open_episodes
    from steadyhand.data.problems.sample import share

    clocks = (time.perf_counter, time.process_time)
    started = [clock() for clock in clocks]
    episodes = open_episodes(path)
    opened = [clock() for clock in clocks]
    problems = inspect_episodes(episodes)
    done = [clock() for clock in clocks]
    sizes = {key: np.prod(a.shape) * a.dtype.itemsize for key, a in episodes.arrays.items()}
    return {
        "gigabytes": round(sum(map(float, sizes.values())) / 1e9, 1),
        "episodes": len(episodes),
        "steps": episodes.steps,
        "open_seconds": [round(b - a, 2) for a, b in zip(started, opened, strict=True)],
        "inspect_seconds": [round(b - a, 2) for a, b in zip(opened, done, strict=True)],
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "sampled": share(episodes),
        "problems": dict(Counter(problem.kind for problem in problems)),
        "left_out": dict(episodes.left_out),
    }


def main(out: Path, kinds: list[str]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for kind in kinds or SETS:
        make, ending = SETS[kind]
        path = out / f"{kind}.{ending}"
        if not path.exists():
            make(path)
        done = subprocess.run(
            [sys.executable, __file__, "--measure", path], capture_output=True, text=True
        )
        print(kind, done.stdout.strip() or done.stderr[-2000:], flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "--measure":
        print(json.dumps(measured(Path(sys.argv[2]))))
    else:
        main(Path(sys.argv[1]), sys.argv[2:])
