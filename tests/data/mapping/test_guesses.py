"""What is guessed of sets laid out as whole communities do: the map, word by word."""

import h5py
import numpy as np
import pytest

from steadyhand.data import open_episodes
from steadyhand.data.mapping import guess, open_mapped
from steadyhand.errors import DataError


def arrays(steps=20, more=0):
    return lambda *width: np.random.default_rng(0).random((steps + more, *width)).astype("f4")


def write(path, found) -> None:
    if path.suffix == ".npz":
        np.savez(path, **found)
        return
    with h5py.File(path, "w") as file:
        for name, values in found.items():
            file[name] = values


f, one_more = arrays(), arrays(more=1)
FLAGS = {"terminals": np.arange(20) == 9, "timeouts": np.arange(20) == 19}
LAYOUTS = {
    "offline reinforcement": (
        {"observations": f(4), "actions": f(2), "next_observations": f(4), "rewards": f(), **FLAGS},
        "state=observations,action=actions,episodes=terminals|timeouts",
    ),
    "one more observation": (
        {f"traj_{i}/obs/qpos": one_more(4) for i in range(2)}
        | {f"traj_{i}/actions": f(2) for i in range(2)},
        "state=obs/qpos,action=actions,episodes=traj_*",
    ),
    "an action in parts": (
        {
            "action/joint_position": f(7),
            "action/gripper_position": f(),
            "observation/robot_state/joint_positions": f(7),
            "observation/robot_state/gripper_position": f(),
        },
        "state=observation/robot_state/joint_positions,"
        "action=action/gripper_position|action/joint_position,"
        "gripper_position=observation/robot_state/gripper_position",
    ),
    "no action": (
        {"joint_pos": f(7), "gripper_width": f(1), "t": np.arange(20) / 50},
        "state=gripper_width|joint_pos,action=next(gripper_width|joint_pos),rate=t",
    ),
    "a number in the name": (
        {f"{name}_{i}": f(3) for i in (1, 2, 10) for name in ("obs", "act")},
        "state=obs_#,action=act_#",
    ),
    "an episode a row": (
        {"obs": np.zeros((2, 18, 3)), "act": np.zeros((2, 18, 2)), "lengths": np.array([18, 2])},
        "state=obs,action=act,episodes=lengths",
    ),
    "a clock in milliseconds": (
        {"joint_pos": f(7), "cmd": f(7), "stamp_ms": np.arange(20) * 40},
        "state=joint_pos,action=cmd,rate=stamp_ms",
    ),
    "control": ({"qpos": f(7), "ctrl": f(7), "reward": f()}, "state=qpos,action=ctrl"),
}


def test_a_file_that_its_flags_cut_is_not_one_episode(tmp_path) -> None:
    write(path := tmp_path / "x.hdf5", LAYOUTS["offline reinforcement"][0])
    with pytest.raises(DataError, match=r"episodes=terminals\|timeouts"):
        open_episodes(path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_guess_is(layout, tmp_path) -> None:
    found, text = LAYOUTS[layout]
    write(path := tmp_path / "x.h5", found)
    assert guess(path) == text
    assert open_mapped(path, text).steps in (20, 40, 60)
