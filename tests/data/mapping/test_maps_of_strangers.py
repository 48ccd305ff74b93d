"""A stranger's files under a map: nothing outside is read, nothing is run, damage is told."""

import contextlib
import zipfile

import h5py
import numpy as np
import pytest
import strange

from steadyhand.data.mapping import guess, open_mapped
from steadyhand.data.mapping.trees import arrays_listed
from steadyhand.errors import DataError, SteadyhandError, UsageError


class Runs:
    def __reduce__(self):
        return (print, ("this must not run",))


def test_no_object_is_unpickled(tmp_path, capsys) -> None:
    things = np.array([Runs(), Runs()], dtype=object)
    np.savez(path := tmp_path / "x.npz", s=np.zeros((2, 2)), things=things)
    assert "never unpickled" in arrays_listed(path)["things"]
    with pytest.raises(UsageError, match="never unpickled"):
        open_mapped(path, "state=things")
    assert not capsys.readouterr().out


def test_no_link_out_of_the_folder_is_followed(tmp_path) -> None:
    strange.one_table(tmp_path / "outside")
    (inside := tmp_path / "inside").mkdir()
    (inside / "log.csv").symlink_to(tmp_path / "outside" / "log.csv")
    (inside / "all").symlink_to(tmp_path / "outside")
    with pytest.raises(DataError, match="no files"):
        open_mapped(inside, "state=q*")
    strange.csv(inside / "own.csv", *(values[0] for values in strange.walks()))
    (inside / "front.mp4").symlink_to(tmp_path / "outside" / "front.mp4")
    with pytest.raises(UsageError, match="no films"):
        open_mapped(inside, "state=q*,front=*.mp4")
    with pytest.raises(UsageError, match="no films"):
        open_mapped(inside / "own.csv", "state=q*,front=../outside/front.mp4")


def test_nothing_outside_of_an_hdf5_file_is_read(tmp_path) -> None:
    strange.groups(tmp_path / "other.h5")
    with h5py.File(path := tmp_path / "x.h5", "w") as file:
        file["q"] = np.zeros((4, 2))
        file["away"] = h5py.ExternalLink("other.h5", "traj_0/actions")
        file.create_dataset("raw", (4, 2), "u1", external=[(str(tmp_path / "other.h5"), 0, 8)])
    for place in ("away", "raw"):
        with pytest.raises(UsageError, match="nothing outside is read"):
            open_mapped(path, f"state={place}")


def test_a_table_that_would_unfold_to_more_than_there_is_room_is_refused(tmp_path) -> None:
    with zipfile.ZipFile(path := tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 8), }"
        head = b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header.encode()
        archive.writestr("s.npy", head)
    with pytest.raises(DataError, match="no arrays"):
        open_mapped(path, "state=s")


@pytest.mark.parametrize("write", [strange.groups, strange.flat, strange.files, strange.tables])
def test_damaged_files_are_told_and_never_a_traceback(write, tmp_path) -> None:
    names = {"groups": "x.h5", "flat": "x.npz", "files": "x", "tables": "x"}
    write(path := tmp_path / names[write.__name__])
    text = guess(path)
    every = sorted(path.iterdir()) if path.is_dir() else [path]
    random = np.random.default_rng(2)
    for number in range(40):
        file = every[number % len(every)]
        sound = file.read_bytes()
        data = bytearray(sound)
        if number % 4:
            for place in random.integers(0, len(data), 1 + number % 7 * 6):
                data[place] = random.integers(256)
        else:
            del data[int(random.integers(len(data))) :]
        file.write_bytes(data)
        with contextlib.suppress(SteadyhandError):
            episodes = open_mapped(path, text)
            for key in episodes.arrays:
                episodes.read(key)
        guess(path)
        file.write_bytes(sound)
