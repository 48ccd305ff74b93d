"""Which frame stores are trusted: whole, of the content as it is now, none that is another's."""

import json
import os
import shutil
from dataclasses import replace
from typing import Any

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
import sets
from PIL import Image

from steadyhand.data import Episodes, open_episodes, write_episodes
from steadyhand.data.files import sum_of
from steadyhand.data.pictures import frame_store as store_module
from steadyhand.data.pictures.footage import Footage
from steadyhand.data.pictures.frame_store import KEPT, FrameStore
from steadyhand.data.pictures.frames import stores_of
from steadyhand.errors import DataError
from steadyhand.spec import Feature


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STEADYHAND_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def film(tmp_path):
    return sets.lerobot_v2(tmp_path / "set")


def store_of(path, key=sets.CAMERA) -> FrameStore:
    episodes = open_episodes(path)
    [store] = stores_of(episodes, [Feature.select(key, episodes.shapes)])
    return store


def pictures(path, key=sets.CAMERA):
    return open_episodes(path).arrays[key][:]


@pytest.mark.parametrize("harm", ["missing", "cut short", "too long"])
def test_a_store_without_its_file_is_built_again(film, harm) -> None:
    store = store_of(film)
    store.build()
    frames = store.folder / "frames.u8"
    content = frames.read_bytes()
    frames.unlink()
    if harm != "missing":
        frames.write_bytes(content[:-1] if harm == "cut short" else content + b"x")
    again = store_of(film)
    assert not again.ready
    again.build()
    np.testing.assert_array_equal(again.frames(), pictures(film))


def test_what_was_begun_and_cut_short_is_begun_again(film, monkeypatch) -> None:
    monkeypatch.setattr(store_module, "SYNC_SECONDS", 0.0)
    store = store_of(film)
    decode = store._decoded

    def stopped(start, end):
        if start:
            raise KeyboardInterrupt
        return decode(start, end)

    monkeypatch.setattr(store, "_decoded", stopped)
    with pytest.raises(KeyboardInterrupt):
        store.build()
    os.truncate(store.folder / "frames.partial", 100)
    again = store_of(film)
    again.build()
    np.testing.assert_array_equal(again.frames(), pictures(film))


def saved(path):
    """A set of one camera in the format of its name, its pictures by seed."""

    def save(seed: int) -> None:
        arrays = {
            "action": np.zeros((24, 2), np.float32),
            "img": np.random.default_rng(seed).integers(0, 256, (24, 8, 8, 3), dtype=np.uint8),
        }
        if path.suffix == ".hdf5":
            with h5py.File(path, "w") as file:
                demo = file.create_group("data/demo_0")
                demo["actions"] = arrays["action"]
                demo["obs/img"] = arrays["img"]
            return
        fresh = path.with_stem(f"fresh{seed}")
        write_episodes(fresh, Episodes(arrays, np.array([24]), rate_hz=10.0))
        if path.is_dir():  # chunk by chunk, as who records anew
            shutil.copytree(fresh, path, dirs_exist_ok=True)
        else:
            fresh.replace(path)

    return save


@pytest.mark.parametrize("name", ["a.npz", "a.zarr", "a.hdf5"])
def test_a_source_of_the_same_size_and_time_is_not_the_same(tmp_path, name) -> None:
    path = tmp_path / name
    save = saved(path)
    save(1)
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    before = {file: file.stat() for file in files}
    store_of(path, "img").build()
    old = pictures(path, "img")
    save(4)  # of as many bytes, compressed
    assert {file: file.stat().st_size for file in files} == {
        f: s.st_size for f, s in before.items()
    }
    for file, was in before.items():
        os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert (pictures(path, "img") != old).any()
    again = store_of(path, "img")
    assert not again.ready
    again.build()
    np.testing.assert_array_equal(again.frames(), pictures(path, "img"))


def test_a_picture_beside_its_table_is_of_the_source(tmp_path) -> None:
    path = sets.lerobot_v2(tmp_path / "set", videos=False)
    described = json.loads((path / "meta" / "info.json").read_text())
    described["features"]["front"] = {"dtype": "image", "shape": [48, 64, 3], "names": None}
    (path / "meta" / "info.json").write_text(json.dumps(described))
    (path / "images").mkdir()
    for number, file in enumerate(sorted(path.rglob("*.parquet"))):
        names = [f"images/{number}-{step}.png" for step in range(sets.LENGTHS[number])]
        for name, picture in zip(names, sets.pictures(len(names), number), strict=True):
            Image.fromarray(picture).save(path / name)
        cells = [{"bytes": None, "path": name} for name in names]
        pq.write_table(pq.read_table(file).append_column("front", [cells]), file)
    store_of(path, "front").build()
    Image.fromarray(sets.pictures(1, 5)[0]).save(path / "images" / "1-4.png")
    again = store_of(path, "front")
    assert not again.ready
    again.build()
    np.testing.assert_array_equal(again.frames(), pictures(path, "front"))


def test_a_checksum_is_taken_again_of_a_file_of_the_same_size_and_time(tmp_path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"one")
    was, first = file.stat(), sum_of(file)
    file.write_bytes(b"two")
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert sum_of(file) != first


def test_who_holds_a_store_keeps_its_frames_when_the_data_changes(film) -> None:
    """Also where they are mapped only after somebody else built a store of the new data."""
    holder = store_of(film)
    holder.build()
    mapped, old = holder.frames(), pictures(film)
    sets.film(next(film.rglob("episode_000002.mp4")), sets.pictures(15, seed=9)[::-1])
    other = store_of(film)
    other.build()
    np.testing.assert_array_equal(mapped, old)
    np.testing.assert_array_equal(holder.frames(), old)
    np.testing.assert_array_equal(other.frames(), pictures(film))
    assert (other.frames() != old).any()


def test_two_stores_of_one_path_in_turn_are_each_built_once(film, monkeypatch) -> None:
    whole: Any = open_episodes(film).arrays[sets.CAMERA]
    part = Footage(whole.clips[1:])  # as with an episode left out
    slow = Footage([replace(clip, rate_hz=clip.rate_hz / 2, steps=4) for clip in whole.clips])
    built = []
    build = FrameStore._build
    monkeypatch.setattr(FrameStore, "_build", lambda *a: built.append(a[0]) or build(*a))
    for _ in range(3):
        for source in (whole, part, slow):
            store = FrameStore(source, str(film), sets.CAMERA, sets.SIZE)
            store.build()
            np.testing.assert_array_equal(store.frames(), source[:])
    assert len(built) == 3


def test_old_stores_go_but_those_used_last(film, cache) -> None:
    clip = next(film.rglob("episode_000002.mp4"))
    folders = []
    for seed in range(KEPT + 3):
        sets.film(clip, sets.pictures(15, seed))
        store = store_of(film)
        store.build()
        folders.append(store.folder)
        for age, folder in enumerate(reversed(folders)):
            if folder.exists():
                os.utime(folder, (1e9 - age, 1e9 - age))
    assert sorted((cache / "frames").iterdir()) == sorted(folders[-1 - KEPT :])


def test_a_store_of_another_version_is_not_used(film, monkeypatch) -> None:
    """Its pixels were made in another way: by the dense products of before, it was version 1."""
    store_of(film).build()
    assert store_module.VERSION > 1
    monkeypatch.setattr(store_module, "VERSION", store_module.VERSION + 1)
    assert not store_of(film).ready


def test_data_that_changes_while_it_is_read_is_no_store(film, monkeypatch) -> None:
    store = store_of(film)
    decode = store._decoded

    def changed(start, end):
        if start == 0:
            sets.film(next(film.rglob("episode_000002.mp4")), sets.pictures(15, seed=9))
        return decode(start, end)

    monkeypatch.setattr(store, "_decoded", changed)
    with pytest.raises(DataError, match="changed while its pictures were read"):
        store.build()
    assert not store.ready
