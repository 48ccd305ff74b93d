"""Data of a format that is not read, and yet known: one sentence says what to do with it."""

import pytest

from steadyhand.data import open_episodes
from steadyhand.errors import DataError

FILES = {
    "train/data-00000-of-00001.arrow": "Arrow files of the Hugging Face datasets library",
    "train/notes.txt": "is of no format known here",
    "demos/0.jsonl": "is of JSON, which is not read. Write its numbers as a table",
    "demos/0.mat": "is of MATLAB. Load it with scipy.io.loadmat",
    "1.0.0/x-train.tfrecord-00000-of-00008": "is of TensorFlow (RLDS). Convert it to LeRobot",
    "demos/demo_0.PKL": "never opened. Load them where you trust them, and write numpy.savez",
    "set.tar.gz": "is an archive. Unpack it and name the folder",
    "meta_data/info.json": "is a LeRobotDataset v1, which is not read here",
    "meta/episodes.jsonl": "without its meta/info.json. A part of it is missing; copy it again",
    "snapshots/0a1/meta/info.json": "Name {path}/snapshots/0a1",
}


@pytest.mark.parametrize("name", FILES)
def test_what_is_not_read_and_known(name, tmp_path) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(b"\x00" * 2000)
    with pytest.raises(DataError, match=f"^{tmp_path}") as caught:
        open_episodes(tmp_path)
    assert FILES[name].format(path=tmp_path) in str(caught.value)


def test_a_pointer_is_no_file_of_any_format(tmp_path) -> None:
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:f2d2\nsize 1890\n"
    (tmp_path / "demos.tar").write_text(text)
    with pytest.raises(DataError, match=r"not the files, as demos\.tar: run `git lfs"):
        open_episodes(tmp_path)
