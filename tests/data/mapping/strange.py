"""Small sets of no format known here, as people have them: each function writes one, and returns
the state and action of each episode, (steps, 3) each."""

import io
from pathlib import Path

import av
import h5py
import numpy as np
from PIL import Image

LENGTHS = (12, 9, 15)
RATE = 20


def walks(width=3, lengths=LENGTHS):
    """(states, actions), an array an episode."""
    random = np.random.default_rng(0)
    paths = [
        np.cumsum(random.normal(size=(n + 1, width)), axis=0).astype(np.float32) for n in lengths
    ]
    return [path[:-1] for path in paths], [path[1:] for path in paths]


def film(path: Path, first: int, steps: int, rate: int = RATE, size=(32, 24)) -> Path:
    """Frame k has the brightness of step `first + k`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for step in range(first, first + steps):
            gray = np.full((size[1], size[0], 3), 20 + 5 * step, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(gray, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def brightness(pictures):
    """The steps that pictures of `film` show."""
    return np.rint((pictures.mean(axis=(1, 2, 3)) - 20) / 5).astype(int)


def jpeg(gray: int) -> np.ndarray:
    made = io.BytesIO()
    Image.fromarray(np.full((24, 32, 3), gray, np.uint8)).save(made, "JPEG")
    return np.frombuffer(made.getvalue(), np.uint8)


def groups(path: Path):
    """`traj_i` at the root of an HDF5 file."""
    states, actions = walks()
    with h5py.File(path, "w") as file:
        for i, (state, action) in enumerate(zip(states, actions, strict=True)):
            file[f"traj_{i}/actions"] = action
            file[f"traj_{i}/obs/eef_pos"] = state
            file[f"traj_{i}"].attrs["success"] = i != 1
    return states, actions


def flat(path: Path, **more):
    """Plural names and lengths in an .npz."""
    states, actions = walks()
    lists = more or {"episode_lengths": np.array(LENGTHS)}
    np.savez(path, observations=np.concatenate(states), actions=np.concatenate(actions), **lists)
    return states, actions


def files(folder: Path):
    """A file an episode, pictures as rows of JPEG padded to one length."""
    states, actions = walks(14)
    folder.mkdir()
    for i, (state, action) in enumerate(zip(states, actions, strict=True)):
        with h5py.File(folder / f"episode_{i}.hdf5", "w") as file:
            file["action"], file["observations/qpos"] = action, state
            packed = [jpeg(5 * step) for step in range(len(state))]
            rows = np.zeros((len(packed), max(map(len, packed))), np.uint8)
            for row, data in zip(rows, packed, strict=True):
                row[: len(data)] = data
            file["observations/images/cam_high"] = rows
    return states, actions


def csv(path: Path, state, action, *, between=",", comments="", **columns):
    """Columns time, q1…, cmd1…, after those given."""
    names = [*columns, "time", "q1", "q2", "q3", "cmd1", "cmd2", "cmd3"]
    values = [*columns.values(), np.arange(len(state)) / RATE, *state.T, *action.T]
    path.parent.mkdir(parents=True, exist_ok=True)
    head = between.join(names)
    np.savetxt(path, np.stack(values, 1), delimiter=between, header=head, comments=comments)


def one_table(folder: Path):
    """One CSV with a column of episodes, and one film for all rows."""
    states, actions = walks()
    numbers = np.repeat(np.arange(len(LENGTHS)), LENGTHS)
    csv(folder / "log.csv", np.concatenate(states), np.concatenate(actions), episode=numbers)
    film(folder / "front.mp4", 0, sum(LENGTHS))
    return states, actions


def tables(folder: Path):
    """A CSV and a film an episode, side by side."""
    states, actions = walks()
    for i, (state, action) in enumerate(zip(states, actions, strict=True)):
        csv(folder / f"run_{i + 8}.csv", state, action)
        film(folder / f"run_{i + 8}_wrist.mp4", i, len(state))
    return states, actions
