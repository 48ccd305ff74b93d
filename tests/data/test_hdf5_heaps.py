"""Heaps of texts in HDF5 that are damaged: the library itself would go round in them for good."""

import subprocess
import sys

import h5py
import numpy as np
import pytest

OPEN = """
import signal, sys
import steadyhand as sh
from steadyhand.errors import DataError
signal.setitimer(signal.ITIMER_REAL, 20)
try:
    print(sh.open_episodes(sys.argv[1]).tasks)
except DataError as error:
    print(error)
"""


def written(path, texts: int = 5):
    with h5py.File(path, "w") as file:
        for number in range(2):
            demo = file.create_group(f"data/demo_{number}")
            demo["actions"] = np.ones((9, 2))
            demo["obs/state"] = np.ones((9, 2))
        file["data"].attrs["env_args"] = '{"env_name": "Point"}'
        for number in range(texts):
            file["data"].attrs[f"text_{number}"] = "x" * (50 * number + 1)
    return path


def said(path) -> str:
    """What a process says that opens it; it ends within 20 seconds, whatever it does."""
    command = [sys.executable, "-c", OPEN, path]
    return subprocess.run(command, capture_output=True, text=True).stdout


@pytest.mark.parametrize("texts", [1, 5, 200])
def test_heaps_as_the_library_writes_them_are_sound(texts, tmp_path) -> None:
    from steadyhand.data.formats.hdf5.heaps import read_only

    with read_only(written(tmp_path / "demos.hdf5", texts)) as file:
        assert file["data"].attrs["text_0"] == "x"


@pytest.mark.parametrize("size", [0, 1 << 40, (1 << 64) - 8])
def test_a_heap_without_an_end_is_told_and_not_walked(size, tmp_path) -> None:
    path = written(tmp_path / "demos.hdf5")
    content = bytearray(path.read_bytes())
    first = content.index(b"GCOL\x01\0\0\0") + 16
    length = int.from_bytes(content[first + 8 : first + 16], "little")
    after = first + 16 + -(-length // 8) * 8
    content[after : after + 2] = bytes(2)  # as if no object were here,
    content[after + 8 : after + 16] = size.to_bytes(8, "little")  # of so many bytes
    path.write_bytes(content)
    assert "the heap of texts at byte" in said(path)
