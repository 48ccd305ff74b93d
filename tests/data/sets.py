"""Small data sets in each format, as other projects write them: by their libraries, not by ours."""

import json
from fractions import Fraction
from pathlib import Path

import av
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

LENGTHS = (12, 9, 15)
RATE = 10
CAMERA = "observation.images.front"
SIZE = (48, 64)


def numbers(lengths=LENGTHS, seed=0):
    """state (4) and action (2) of a point that wanders, one array of each an episode."""
    random = np.random.default_rng(seed)
    state = [np.cumsum(random.normal(size=(n, 4)), 0).astype(np.float32) for n in lengths]
    return state, [(2 * s[:, :2] + 1).astype(np.float32) for s in state]


def pictures(steps, seed=0, size=SIZE):
    """Frames (steps, height, width, 3) whose brightness says their number: 16 · step, and more."""
    frames = np.zeros((steps, *size, 3), np.uint8)
    frames[:] = (40 + 12 * np.arange(steps) % 200)[:, None, None, None]
    frames[:, :8, :8] = (seed * 37) % 200 + 20
    return frames


def film(path: Path, frames, rate=RATE, codec="libx264", every=1, options=None):
    """An mp4; with `every` > 1 each frame is shown so many times, at as many times the rate."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(rate * every))
        stream.options = options or {}
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        for frame in np.repeat(frames, every, axis=0):
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def features(version, videos=True):
    described = {
        "observation.state": {"dtype": "float32", "shape": [4], "names": {"motors": list("abcd")}},
        "action": {"dtype": "float32", "shape": [2], "names": [["x", "y"]]},
        "next.reward": {"dtype": "float32", "shape": [1], "names": None},
        "timestamp": {"dtype": "float32", "shape": [1], "names": None},
    }
    if videos:
        described[CAMERA] = {
            "dtype": "video",
            "shape": [*SIZE, 3],
            "names": ["height", "width", "channel"],
        }
    for key in ("frame_index", "episode_index", "index", "task_index"):
        described[key] = {"dtype": "int64", "shape": [1], "names": None}
    return described


def table(number, start, state, action):
    steps = len(state)
    columns = {
        "observation.state": pa.FixedSizeListArray.from_arrays(pa.array(state.reshape(-1)), 4),
        "action": pa.array(list(action)),
        "next.reward": pa.array(state[:, 0]),
        "timestamp": pa.array((np.arange(steps) / RATE).astype(np.float32)),
        "frame_index": pa.array(np.arange(steps)),
        "episode_index": pa.array(np.full(steps, number)),
        "index": pa.array(start + np.arange(steps)),
        "task_index": pa.array(np.zeros(steps, np.int64)),
    }
    return pa.table(columns)


def lerobot_v2(path: Path, version="v2.1", *, videos=True, chunk="chunk-{number:03d}"):
    """One parquet and one mp4 an episode."""
    state, action = numbers()
    start = 0
    for number, steps in enumerate(LENGTHS):
        place = chunk.format(number=0)
        file = path / "data" / place / f"episode_{number:06d}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        rows = table(number, start, state[number], action[number])
        pq.write_table(rows, file, write_page_checksum=True)
        if videos:
            clip = path / "videos" / place / CAMERA / f"episode_{number:06d}.mp4"
            film(clip, pictures(steps, number))
        start += steps
    meta = path / "meta"
    meta.mkdir()
    info = {
        "codebase_version": version,
        "fps": RATE,
        "total_episodes": len(LENGTHS),
        "total_frames": sum(LENGTHS),
        "chunks_size": 1000,
        "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        "features": features(version, videos),
    }
    (meta / "info.json").write_text(json.dumps(info, indent=4))
    lines = [
        {"episode_index": number, "tasks": ["wander"], "length": steps}
        for number, steps in enumerate(LENGTHS)
    ]
    (meta / "episodes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (meta / "tasks.jsonl").write_text(json.dumps({"task_index": 0, "task": "wander"}) + "\n")
    return path


def lerobot_v3(path: Path):
    """All episodes in one parquet and one mp4."""
    state, action = numbers()
    starts = np.cumsum([0, *LENGTHS])
    tables = [
        table(n, int(starts[n]), state[n], action[n]).cast(table(0, 0, state[0], action[0]).schema)
        for n in range(len(LENGTHS))
    ]
    file = path / "data" / "chunk-000" / "file-000.parquet"
    file.parent.mkdir(parents=True)
    pq.write_table(pa.concat_tables(tables), file, write_page_checksum=True)
    shown = np.concatenate([pictures(n, i) for i, n in enumerate(LENGTHS)])
    film(path / "videos" / CAMERA / "chunk-000" / "file-000.mp4", shown)
    lines = [
        {
            "episode_index": n,
            "tasks": ["wander"],
            "length": LENGTHS[n],
            "data/chunk_index": 0,
            "data/file_index": 0,
            "dataset_from_index": int(starts[n]),
            "dataset_to_index": int(starts[n + 1]),
            f"videos/{CAMERA}/chunk_index": 0,
            f"videos/{CAMERA}/file_index": 0,
            f"videos/{CAMERA}/from_timestamp": float(starts[n] / RATE),
            f"videos/{CAMERA}/to_timestamp": float(starts[n + 1] / RATE),
            "stats/action/min": [0.0, 0.0],
        }
        for n in range(len(LENGTHS))
    ]
    index = path / "meta" / "episodes" / "chunk-000" / "file-000.parquet"
    index.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(lines), index, write_page_checksum=True)
    tasks = pa.table({"task_index": [0], "__index_level_0__": ["wander"]})
    pq.write_table(tasks, path / "meta" / "tasks.parquet", write_page_checksum=True)
    info = {
        "codebase_version": "v3.0",
        "fps": RATE,
        "total_episodes": len(LENGTHS),
        "total_frames": sum(LENGTHS),
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
        "features": features("v3.0"),
    }
    (path / "meta" / "info.json").write_text(json.dumps(info, indent=4))
    return path


def robomimic(path: Path, *, images=False, libver="latest"):
    """HDF5 with checksums on numbers and, by `libver`, on what describes them."""
    state, action = numbers()
    with h5py.File(path, "w", libver=libver) as file:
        for number in range(len(LENGTHS)):
            demo = file.create_group(f"data/demo_{number}")
            demo.attrs["num_samples"] = LENGTHS[number]
            values = {"actions": action[number], "obs/state": state[number]}
            values["dones"] = np.eye(1, LENGTHS[number])[0]
            if images:
                values["obs/front_image"] = pictures(LENGTHS[number], number)
            for key, value in values.items():
                demo.create_dataset(key, data=value, fletcher32=True)
        file["data"].attrs["total"] = sum(LENGTHS)
        args = {"env_name": "Point", "env_kwargs": {"control_freq": 20}}
        file["data"].attrs["env_args"] = json.dumps(args)
    return path
