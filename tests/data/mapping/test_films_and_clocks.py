"""Films beside data of any kind, and what says how fast its steps follow one another."""

import av
import h5py
import numpy as np
import pytest

from steadyhand.data.mapping.guess import guess
from steadyhand.data.mapping.opened import open_mapped


def film(path, brightness):
    path.parent.mkdir(exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=20)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "bgr0"
        for _ in range(20):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), brightness, np.uint8))
            container.mux(stream.encode(frame.reformat(format="bgr0")))
        container.mux(stream.encode(None))


def numbers(episode):
    return np.random.default_rng(episode).random((20, 3), np.float32)


def one_hdf5(root):
    with h5py.File(root / "log.h5", "w") as file:
        for i in range(3):
            file[f"ep_{i}/qpos"], file[f"ep_{i}/cmd"] = numbers(i), numbers(i)
            film(root / f"ep_{i}.mkv", 10 * i)
    return root / "log.h5"


def folders_of_npy(root):
    for i in range(3):
        film(root / f"ep{i}/front.mkv", 10 * i)
        for name in ("qpos", "action"):
            np.save(root / f"ep{i}/{name}.npy", numbers(i))
    return root


def folders_of_npz(root):
    for i in range(3):
        film(root / f"{i:03d}/front.mkv", 10 * i)
        np.savez(root / f"{i:03d}/log.npz", qpos=numbers(i), action=numbers(i))
    return root


@pytest.mark.parametrize("write", [one_hdf5, folders_of_npy, folders_of_npz])
def test_films_beside_arrays_are_guessed_and_given_to_their_episodes(tmp_path, write):
    path = write(tmp_path)
    found = open_mapped(path, guess(path))
    assert found.rate_hz == 20.0
    seen = found.read("front").reshape(3, 20, 32, 32, 3)
    assert [int(np.median(each)) for each in seen] == [0, 10, 20]


def test_a_film_beside_arrays_that_no_map_names_is_told(tmp_path):
    found = open_mapped(one_hdf5(tmp_path), "state=qpos,action=cmd,episodes=ep_*")
    assert "ep_*.mkv (3 films)" in found.left_out


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("timestamp_ms", 1_700_000_000_000 + 50 * np.arange(20)),
        ("ros_time", 5.0 + 0.05 * np.arange(20)),
        ("dt", np.float64(0.05)),
    ],
)
def test_a_guess_finds_the_rate_by_times_and_by_the_seconds_of_a_step(tmp_path, name, times):
    np.savez(tmp_path / "a.npz", qpos=numbers(0), action=numbers(1), **{name: times})
    text = guess(tmp_path / "a.npz")
    assert f"rate={name}" in text
    assert open_mapped(tmp_path / "a.npz", text).rate_hz == 20.0


@pytest.mark.parametrize(
    ("places", "state", "action"),
    [
        (
            ("action/arm/pos", "action/hand/pos", "state/arm/pos", "state/hand/pos"),
            "state/arm/pos|state/hand/pos",
            "action/arm/pos|action/hand/pos",
        ),
        (
            ("master/joint_position", "puppet/joint_position", "puppet/velocity"),
            "puppet/joint_position",
            "master/joint_position",
        ),
    ],
    ids=["groups", "teleoperation"],
)
def test_a_guess_finds_what_was_told_and_where_the_robot_was(tmp_path, places, state, action):
    with h5py.File(tmp_path / "log.h5", "w") as file:
        for number, place in enumerate(places):
            file[place] = numbers(number)
    text = guess(tmp_path / "log.h5")
    assert text.startswith(f"state={state},action={action}")
