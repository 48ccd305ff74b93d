"""Small sets in HDF5 as families of recorders lay them out, written with h5py and Pillow alone."""

import io
import json
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

LENGTHS = (6, 4, 5)
SIZE = (16, 24)
MISSION = b"go to the red ball"


def action(number, width=3):
    steps = LENGTHS[number]
    return (np.arange(steps * width).reshape(steps, width) + 100 * number).astype(np.float32)


def state(number, more=0, width=4):
    """What was seen, with so many rows more than there are actions."""
    steps = LENGTHS[number] + more
    return (np.arange(steps * width).reshape(steps, width) - 50 * number).astype(np.float32)


def shown(number, more=0):
    """Pictures of which no two are the same, and red is not blue."""
    frames = np.zeros((LENGTHS[number] + more, *SIZE, 3), np.uint8)
    frames[..., 0] = (20 + 10 * np.arange(len(frames)) + number)[:, None, None]
    frames[..., 2] = 200
    frames[:, :4, :4] = 255
    return frames


def packed(frames, kind="PNG"):
    """The bytes of each picture."""
    found = []
    for frame in frames:
        content = io.BytesIO()
        Image.fromarray(frame).save(content, kind)
        found.append(content.getvalue())
    return found


def padded(rows):
    """Rows of bytes of one length."""
    table = np.zeros((len(rows), max(map(len, rows))), np.uint8)
    for row, content in zip(table, rows, strict=True):
        row[: len(content)] = np.frombuffer(content, np.uint8)
    return table


def ragged(group, place, rows):
    """Rows of bytes, each of a length of its own."""
    made = group.create_dataset(place, (len(rows),), h5py.vlen_dtype(np.uint8))
    for step, content in enumerate(rows):
        made[step] = np.frombuffer(content, np.uint8)


def put(group, place, values) -> None:
    """With checksums: of its own, or of the header in which few numbers lie."""
    values = np.asarray(values)
    if values.nbytes < 1000:
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_layout(h5py.h5d.COMPACT)
        group.create_dataset(place, data=values, dcpl=plan)
    else:
        group.create_dataset(place, data=values, fletcher32=True)


def aloha(folder: Path, *, kind="PNG", kept=padded, extra=None) -> Path:
    """An episode a file; JPEG in the wild, and PNG where pictures are compared to the bit."""
    folder.mkdir()
    for number in range(len(LENGTHS)):
        with h5py.File(folder / f"episode_{number}.hdf5", "w", libver="latest") as file:
            file.attrs["sim"], file.attrs["compress"] = False, True
            put(file, "action", action(number, 14))
            put(file, "observations/qpos", state(number, 0, 14))
            put(file, "observations/qvel", state(number, 0, 14) * 2)
            rows = packed(shown(number), kind)
            if kept is ragged:
                ragged(file, "observations/images/cam_high", rows)
            else:
                put(file, "observations/images/cam_high", kept(rows))
            file["compress_len"] = np.array([[float(len(row)) for row in rows]])
            if extra is not None:
                extra(file, number)
    return folder


def robotwin(folder: Path) -> Path:
    """A task of RoboTwin: data/episode<i>.hdf5 and instructions beside."""
    for name in ("data", "instructions"):
        (folder / name).mkdir(parents=True)
    for number in range(len(LENGTHS)):
        with h5py.File(folder / f"data/episode{number}.hdf5", "w", libver="latest") as file:
            put(file, "joint_action/vector", action(number, 14))
            put(file, "joint_action/left_arm", action(number, 14)[:, :6])
            put(file, "endpose/left_endpose", state(number, 0, 7))
            put(file, "observation/head_camera/rgb", np.array(packed(shown(number))))
            file["pointcloud"] = np.zeros((LENGTHS[number], 0))
        said = {"seen": [f"lift block {number}", "another way"], "unseen": []}
        (folder / f"instructions/episode{number}.json").write_text(json.dumps(said))
    return folder


def maniskill(path: Path) -> Path:
    """traj_<i> at the root, one row more of what is seen, and a .json beside."""
    with h5py.File(path, "w", libver="latest") as file:
        for number in range(len(LENGTHS)):
            traj = file.create_group(f"traj_{number}")
            put(traj, "actions", action(number))
            put(traj, "obs/agent/qpos", state(number, 1))
            put(traj, "obs/sensor_data/base_camera/rgb", shown(number, 1))
            put(traj, "env_states/actors/cube", state(number, 1) * 3)
            marks = np.zeros(LENGTHS[number], bool)
            marks[-1] = number != 1
            put(traj, "success", marks)
    said = {
        "env_info": {"env_id": "PickCube-v1", "env_kwargs": {"sim_config": {"control_freq": 20}}},
        "episodes": [{"episode_id": i, "success": True} for i in range(len(LENGTHS))],
    }
    path.with_suffix(".json").write_text(json.dumps(said))
    return path


def minari(folder: Path) -> Path:
    """data/main_data.hdf5 with a dictionary of observations, and metadata.json."""
    (folder / "data").mkdir(parents=True)
    with h5py.File(folder / "data/main_data.hdf5", "w", libver="latest") as file:
        for number in range(len(LENGTHS)):
            episode = file.create_group(f"episode_{number}")
            episode.attrs["id"], episode.attrs["total_steps"] = number, LENGTHS[number]
            put(episode, "actions", action(number))
            put(episode, "observations/achieved_goal", state(number, 1))
            put(episode, "observations/mission", np.array([MISSION] * (LENGTHS[number] + 1)))
            put(episode, "rewards", np.arange(LENGTHS[number]))
            put(episode, "terminations", np.zeros(LENGTHS[number], bool))
            put(episode, "infos/success", np.arange(LENGTHS[number] + 1) == LENGTHS[number])
    said = {"total_episodes": len(LENGTHS), "total_steps": sum(LENGTHS), "data_format": "hdf5"}
    (folder / "data/metadata.json").write_text(json.dumps(said))
    return folder


def libero(path: Path) -> Path:
    """robomimic's layout, with the words in the problem's description, letter by letter."""
    with h5py.File(path, "w", libver="latest") as file:
        for number in range(len(LENGTHS)):
            demo = file.create_group(f"data/demo_{number}")
            demo.attrs["num_samples"] = LENGTHS[number]
            put(demo, "actions", action(number))
            put(demo, "obs/ee_pos", state(number))
        data = file["data"].attrs
        data["problem_info"] = json.dumps({"language_instruction": list("open the drawer")})
        data["env_args"] = json.dumps({"env_kwargs": {"control_freq": 20}})
        data["num_demos"], data["total"] = len(LENGTHS), sum(LENGTHS)
    return path
