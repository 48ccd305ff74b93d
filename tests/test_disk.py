"""What lies on the disk: only regular files, only inside the folder, only what can be held."""

import errno
import os
import shutil
import threading
import time

import pytest

from steadyhand.disk import (
    NotTheFileError,
    inside,
    lock,
    parse_json,
    read_json,
    read_object,
    read_text,
    regular,
    write_json,
    write_text,
    written_whole,
)


def test_a_pipe_a_device_and_a_folder_are_no_regular_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    for name in ("pipe", "device", "."):
        with pytest.raises(OSError, match="no regular file"):
            read_text(tmp_path / name)
    (tmp_path / "file").write_text("12345")
    assert regular(tmp_path / "file") == 5


def test_what_is_too_large_is_not_read(tmp_path):
    (tmp_path / "long").write_text("x" * 100)
    with pytest.raises(ValueError, match="100 bytes"):
        read_text(tmp_path / "long", at_most=99)
    assert read_text(tmp_path / "long", at_most=100) == "x" * 100


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "9" * 400, str(2**63), "-" + "9" * 5000, "{", "\0"]
)
def test_json_that_is_no_description_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"\w"):
        parse_json(text)


def test_json_as_it_is(tmp_path):
    (tmp_path / "a.json").write_text(f'{{"a": [{2**63 - 1}, {-(2**63)}, 1.5]}}')
    assert read_json(tmp_path / "a.json") == {"a": [2**63 - 1, -(2**63), 1.5]}
    (tmp_path / "b.json").write_text("[]")
    with pytest.raises(ValueError, match="no object"):
        read_object(tmp_path / "b.json")


def test_nothing_outside_a_folder(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    (tmp_path / "secret").write_text("x")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "own").symlink_to(folder / "data")
    for name in ("../secret", str(tmp_path / "secret"), "link", "data/../../secret", "a\0b"):
        with pytest.raises(ValueError, match=r"leads out|no path"):
            inside(folder, name)
    assert inside(folder, "data/x.parquet") == folder / "data/x.parquet"
    assert inside(folder, "own") == folder / "own"
    assert inside(folder, "data/../x") == folder / "data/../x"


def test_a_hub_cache_keeps_its_links(tmp_path):
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "abc"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    (blobs / "123").write_text("{}")
    (snapshot / "info.json").symlink_to("../../blobs/123")
    assert read_object(inside(snapshot, "info.json")) == {}
    with pytest.raises(ValueError, match="leads out"):
        inside(snapshot, "../other/info.json")


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.json"
    write_text(path, "first")

    def interrupted():
        with written_whole(path) as partial:
            partial.write_text("half of the sec")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "first"
    with written_whole(path) as one, written_whole(path) as other:
        assert one != other, "two at once do not write the same file"
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one"
    assert [found.name for found in tmp_path.iterdir()] == ["a.json"]


def test_names_that_are_no_text_can_be_written_about(tmp_path):
    write_text(tmp_path / "a.html", os.fsdecode(b"<h1>caf\xe9.npz</h1>") + " ü")
    assert (tmp_path / "a.html").read_text("utf-8") == "<h1>caf\\udce9.npz</h1> ü"


def test_a_lock_is_one_processs(tmp_path):
    path = tmp_path / "made" / ".lock"
    held = lock(path)
    with pytest.raises(BlockingIOError):
        lock(path)
    held.close()
    with lock(path), pytest.raises(BlockingIOError):
        lock(path)
    lock(path).close()


def test_who_waits_for_a_lock_gets_it_also_where_its_folder_was_removed(tmp_path):
    path, got = tmp_path / "store" / ".lock", []
    held = lock(path)

    def other() -> None:
        with lock(path, wait=True):
            got.append(path.exists())

    waiting = threading.Thread(target=other)
    waiting.start()
    time.sleep(0.1)
    assert not got
    shutil.rmtree(path.parent)
    held.close()
    waiting.join(10)
    assert got == [True]


@pytest.mark.parametrize("error", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_keeps_nobody_out(error, tmp_path, monkeypatch):
    def none(*_):
        raise OSError(error, "no locks here")

    monkeypatch.setattr("fcntl.flock", none)
    with lock(tmp_path / ".lock"), lock(tmp_path / ".lock", wait=True):
        pass


def test_a_lock_follows_no_link(tmp_path):
    (tmp_path / "thesis").write_text("precious")
    (tmp_path / ".lock").symlink_to("thesis")
    with pytest.raises(OSError, match="symbolic"):
        lock(tmp_path / ".lock", wait=True)
    assert (tmp_path / "thesis").read_text() == "precious"


def test_json_is_read_as_it_was_written(tmp_path):
    write_json(tmp_path / "a.json", {"a": [1, 2.5, "ü"]})
    assert read_json(tmp_path / "a.json") == {"a": [1, 2.5, "ü"]}


def test_a_pointer_of_git_lfs_is_not_the_file(tmp_path):
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:f2d2\nsize 1890\n"
    (tmp_path / "short.json").write_text(text)
    with pytest.raises(NotTheFileError, match="run `git lfs pull`"):
        read_json(tmp_path / "short.json")
    (tmp_path / "long").write_text(text.ljust(1024))  # a text about Git LFS, perhaps
    assert regular(tmp_path / "long") == 1024
