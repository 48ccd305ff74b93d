"""The frame store: right pixels, built once, whatever happens meanwhile; and one way to resize."""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import sets
from PIL import Image

from steadyhand.data import Episodes, open_episodes
from steadyhand.data.lazy import Mapped, Parts, Rows
from steadyhand.data.pictures import frame_store as store_module
from steadyhand.data.pictures.colour import as_pictures, picture_scale
from steadyhand.data.pictures.footage import Clip, Footage
from steadyhand.data.pictures.frame_store import FrameStore
from steadyhand.data.pictures.frames import broken_episodes, stores_of, with_frames
from steadyhand.data.pictures.resize import resize_frames
from steadyhand.errors import ConfigurationError, DataError
from steadyhand.sizes import fitted, kind_of
from steadyhand.spec import Feature


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STEADYHAND_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def film(tmp_path):
    return sets.lerobot_v2(tmp_path / "set")


def seen(episodes, size=()):
    return Feature.select(sets.CAMERA, episodes.shapes, size)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("target", [(24, 32), (16, 16), (60, 90), (31, 57)])
def test_resizing_is_pillows_bilinear_filter(channels, target) -> None:
    random = np.random.default_rng(0)
    frames = random.integers(0, 256, (2, 3, 31, 57, channels), dtype=np.uint8)
    ours = resize_frames(frames[..., ::-1, :, :], target)  # rows in any order in memory
    assert ours.shape == (2, 3, *target, channels)
    for place in np.ndindex(2, 3):
        picture = Image.fromarray(frames[place][::-1].squeeze())
        theirs = np.asarray(picture.resize(target[::-1], Image.Resampling.BILINEAR))
        np.testing.assert_array_equal(ours[place].squeeze(), theirs)


def test_four_channels_are_each_resized_alike() -> None:
    """The last one is no more than a channel: nothing is darker where it is small."""
    frame = np.random.default_rng(0).integers(0, 256, (31, 57, 4), dtype=np.uint8)
    alone = [resize_frames(frame[..., i : i + 1], (24, 60)) for i in range(4)]
    np.testing.assert_array_equal(resize_frames(frame, (24, 60)), np.concatenate(alone, -1))


def test_resizing_without_antialiasing_is_opencvs() -> None:
    cv2 = pytest.importorskip("cv2")
    frame = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    ours = resize_frames(frame, (96, 96), antialias=False)
    difference = np.abs(ours.astype(int) - cv2.resize(frame, (96, 96)))
    assert difference.max() <= 1


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("size", [(84, 96), (30, 200)])
def test_one_colour_stays_what_it_is(size, antialias) -> None:
    frame = np.full((96, 57, 3), (255, 1, 130), np.uint8)
    found = resize_frames(frame, size, antialias=antialias)
    np.testing.assert_array_equal(found, np.broadcast_to(frame[0, 0], (*size, 3)))


def test_sizes_by_the_shorter_side() -> None:
    assert fitted((480, 640), ()) == (480, 640)
    assert fitted((480, 640), (96,)) == (96, 128)
    assert fitted((640, 480), (224, 224)) == (224, 224)
    for wrong in ((4,), (1, 2, 3), (0,)):
        with pytest.raises(ConfigurationError, match="image_size is"):
            fitted((480, 640), wrong)
    assert kind_of((96, 96, 3)) == "image"
    assert kind_of((9, 2)) == kind_of((4, 4, 3)) == kind_of((96, 96, 2)) == "state"
    with pytest.raises(ConfigurationError, match="channels first"):
        Feature.select("img", {"img": (3, 96, 96)})


def test_the_store_holds_the_resized_frames(film) -> None:
    episodes = open_episodes(film)
    stored = with_frames(episodes, [seen(episodes, (24,))])
    frames = stored.arrays[sets.CAMERA]
    assert (frames.shape, frames.dtype) == ((36, 24, 32, 3), np.uint8)
    expected = resize_frames(episodes.arrays[sets.CAMERA][:], (24, 32))
    np.testing.assert_array_equal(frames, expected)
    assert isinstance(frames, np.memmap)


def test_views_are_kept(film) -> None:
    """A part, and a reflection beside it, look through to one store of the whole."""
    episodes = open_episodes(film)
    part = episodes.subset([2, 0])
    camera = part.arrays[sets.CAMERA]
    both = Parts([camera, Mapped(camera, lambda frames: frames[..., ::-1, :])])
    ends = np.concatenate([part.ends, part.steps + part.ends])
    doubled = Episodes({sets.CAMERA: both}, ends, path=part.path)
    frames = with_frames(doubled, [seen(episodes)]).arrays[sets.CAMERA]
    whole = with_frames(episodes, [seen(episodes)]).arrays[sets.CAMERA]
    straight = np.concatenate([whole[21:], whole[:12]])
    np.testing.assert_array_equal(frames[:27], straight)
    np.testing.assert_array_equal(frames[27:], straight[:, :, ::-1])
    rows = np.array([[0, 40], [53, 5]])
    everything = np.concatenate([straight, straight[:, :, ::-1]])
    np.testing.assert_array_equal(frames[rows], everything[rows])
    assert len(stores_of(doubled, [seen(episodes)])) == 1


def test_rows_and_parts_index_like_numpy() -> None:
    values = np.arange(40).reshape(20, 2)
    view = Parts([Rows(values, np.array([3, 1, 1, 19])), values[5:9]])
    plain = np.concatenate([values[[3, 1, 1, 19]], values[5:9]])
    assert view.shape == plain.shape
    for key in (0, -1, slice(None), slice(2, 7, 2), [0, 7, 3], np.array([[1, 2], [6, 5]]), []):
        picked = key if not isinstance(key, list) else np.array(key, dtype=int)
        np.testing.assert_array_equal(view[picked], plain[picked])


def test_it_is_built_once_and_anew_when_the_source_changes(film, monkeypatch) -> None:
    episodes = open_episodes(film)
    feature = seen(episodes)
    first = with_frames(episodes, [feature]).arrays[sets.CAMERA]
    with monkeypatch.context() as patched:
        patched.setattr(FrameStore, "_build", lambda *_: pytest.fail("built twice"))
        with_frames(open_episodes(film), [feature])
    clip = next(film.rglob("episode_000002.mp4"))
    sets.film(clip, sets.pictures(15, seed=9)[::-1])
    again = with_frames(open_episodes(film), [feature]).arrays[sets.CAMERA]
    np.testing.assert_array_equal(again[:21], first[:21])
    assert np.abs(again[21:].astype(int) - first[21:]).max() > 50
    expected = open_episodes(film).arrays[sets.CAMERA][:]
    np.testing.assert_array_equal(again, expected)


def test_a_store_is_found_again_under_another_part_of_the_set(film) -> None:
    episodes = open_episodes(film)
    with_frames(episodes, [seen(episodes)])
    assert all(store.ready for store in stores_of(episodes.subset([1]), [seen(episodes)]))


def test_a_killed_process_goes_on_where_it_was(film, monkeypatch) -> None:
    monkeypatch.setattr(store_module, "SYNC_SECONDS", 0.0)
    episodes = open_episodes(film)
    [store] = stores_of(episodes, [seen(episodes)])
    decoded: list[int] = []
    decode = store._decoded

    def stopped(start, end):
        if len(decoded) == 2:
            raise KeyboardInterrupt
        decoded.append(start)
        return decode(start, end)

    monkeypatch.setattr(store, "_decoded", stopped)
    with pytest.raises(KeyboardInterrupt):
        store.build()
    assert decoded == [0, 12]
    assert not store.ready
    [later] = stores_of(open_episodes(film), [seen(episodes)])
    counted: list[int] = []
    rest: list[int] = []
    decode_later = later._decoded
    monkeypatch.setattr(later, "_decoded", lambda s, e: rest.append(s) or decode_later(s, e))
    later.build(counted.append)
    assert rest == [21]
    assert sum(counted) == 36
    np.testing.assert_array_equal(later.frames(), episodes.arrays[sets.CAMERA][:])


def build(path, tell) -> None:
    episodes = open_episodes(path)
    tell.put(int(np.asarray(with_frames(episodes, [seen(episodes)]).arrays[sets.CAMERA]).sum()))


def test_two_processes_at_once(film, cache) -> None:
    context = multiprocessing.get_context("spawn")
    told = context.Queue()
    workers = [context.Process(target=build, args=(film, told)) for _ in range(3)]
    for worker in workers:
        worker.start()
    sums = {told.get(timeout=120) for _ in workers}
    for worker in workers:
        worker.join()
    assert sums == {int(np.asarray(open_episodes(film).arrays[sets.CAMERA][:]).sum())}
    [folder] = (cache / "frames").iterdir()
    assert sorted(p.name for p in folder.iterdir()) == [".lock", "frames.u8", "store.json"]


@pytest.mark.slow
def test_killed_at_random_moments(film) -> None:
    """SIGKILL while it is being built, five times: what is ready in the end is right."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]);"
        "import steadyhand.data.pictures.frame_store as s; s.SYNC_SECONDS = 0;"
        "import test_frames as t; import queue; t.build(__import__('pathlib').Path(sys.argv[1]),"
        "queue.Queue())"
    )
    here = os.path.dirname(__file__)
    begun = time.monotonic()
    command = [sys.executable, "-c", code, str(film), here]
    subprocess.run(command, check=True, cwd=here, env={**os.environ, "STEADYHAND_CACHE": str(film)})
    whole = time.monotonic() - begun
    random = np.random.default_rng(0)
    for _ in range(5):
        process = subprocess.Popen(command, cwd=here)
        time.sleep(float(random.uniform(0.4, 1.0)) * whole)
        process.send_signal(signal.SIGKILL)
        process.wait()
    episodes = open_episodes(film)
    frames = with_frames(episodes, [seen(episodes)]).arrays[sets.CAMERA]
    np.testing.assert_array_equal(frames, episodes.arrays[sets.CAMERA][:])


def test_its_size_is_known_and_a_full_disk_is_explained(film, monkeypatch) -> None:
    episodes = open_episodes(film)
    [store] = stores_of(episodes, [seen(episodes)])
    assert store.bytes == 36 * 48 * 64 * 3
    usage = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DataError, match=r"0.0 GB, and .* has 0.0 GB free.*STEADYHAND_CACHE"):
        store.build()
    monkeypatch.undo()


def test_a_cache_that_cannot_be_written(film, tmp_path, monkeypatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("STEADYHAND_CACHE", str(tmp_path / "file"))
    episodes = open_episodes(film)
    with pytest.raises(DataError, match="STEADYHAND_CACHE"):
        with_frames(episodes, [seen(episodes)])


def test_a_broken_clip_is_left_out_where_that_was_asked(film) -> None:
    clip = next(film.rglob("episode_000001.mp4"))
    content = bytearray(clip.read_bytes())
    middle = content.index(b"mdat") + (len(content) - content.index(b"mdat")) // 2
    content[middle : middle + 100] = bytes(100)
    clip.write_bytes(bytes(content))
    episodes = open_episodes(film)
    feature = seen(episodes)
    [store] = stores_of(episodes, [feature])
    with pytest.raises(DataError, match=r"episode_000001.mp4 of episode 1"):
        store.build()
    store.build(tolerant=True)
    found = broken_episodes(episodes, [feature])
    assert list(found) == [1]
    assert "episode_000001.mp4" in found[1]
    with pytest.raises(DataError, match="--skip-broken-episodes"):
        with_frames(episodes, [feature])
    sound = with_frames(episodes.subset([0, 2]), [feature]).arrays[sets.CAMERA]
    whole = episodes.arrays[sets.CAMERA]
    np.testing.assert_array_equal(sound[:], np.concatenate([whole[:12], whole[21:]]))
    sets.film(clip, sets.pictures(9, 1))
    [mended] = stores_of(open_episodes(film), [feature])
    mended.build()
    assert broken_episodes(open_episodes(film), [feature]) == {}


def test_pictures_that_are_floats() -> None:
    whole = np.random.default_rng(0).integers(0, 256, (10, 8, 8, 3)).astype(np.float32)
    assert picture_scale(whole) == 1
    assert picture_scale(whole / 255) == 255
    for values in (whole, whole / 255, whole.astype(np.int16)):
        made = as_pictures(values, picture_scale(values), "img")
        np.testing.assert_array_equal(made, whole.astype(np.uint8))
    for wrong in (whole - 5, whole * 3, whole * np.nan, whole.astype(complex)):
        with pytest.raises(DataError, match="img"):
            as_pictures(wrong, 1.0, "img")


def test_the_card_of_a_store_says_what_it_is(film, cache) -> None:
    episodes = open_episodes(film)
    with_frames(episodes, [seen(episodes, (24,))])
    [file] = cache.rglob("store.json")
    card = json.loads(file.read_text())
    assert card["data"] == str(film.resolve())
    assert card["feature"] == sets.CAMERA
    assert card["shape"] == [36, 24, 32, 3]
    assert "set-observation-images-front-24x32" in file.parent.name


def test_another_rate_shows_other_frames(film) -> None:
    """The rate says which frame belongs to which step, so it belongs to what a store is made of."""
    before = Footage([Clip(next(film.rglob("episode_000000.mp4")), 0.0, 6, 48, 64, 5.0, 0)])
    after = Footage([replace(before.clips[0], rate_hz=10.0)])
    store = FrameStore(before, "somewhere", "front", (48, 64))
    store.build()
    assert not FrameStore(after, "somewhere", "front", (48, 64)).ready


def test_a_kill_between_frames_and_card_leaves_nothing_that_is_called_whole(film, monkeypatch):
    episodes = open_episodes(film)
    [store] = stores_of(episodes, [seen(episodes)])
    store.build()
    clip = next(film.rglob("episode_000002.mp4"))
    old, times = clip.read_bytes(), clip.stat()
    sets.film(clip, sets.pictures(15, seed=9)[::-1])
    [changed] = stores_of(open_episodes(film), [seen(episodes)])
    note = changed._note

    def killed(file, name, done, broken):
        if name == "store.json":
            raise KeyboardInterrupt
        note(file, name, done, broken)

    monkeypatch.setattr(changed, "_note", killed)
    with pytest.raises(KeyboardInterrupt):
        changed.build()
    clip.write_bytes(old)
    os.utime(clip, ns=(times.st_atime_ns, times.st_mtime_ns))
    [again] = stores_of(open_episodes(film), [seen(episodes)])
    assert not again.ready
    again.build()
    np.testing.assert_array_equal(again.frames(), open_episodes(film).arrays[sets.CAMERA][:])
