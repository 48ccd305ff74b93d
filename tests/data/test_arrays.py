"""Arrays that others wrote: nothing of them runs, nothing is dropped without a word."""

import json
import shutil
import sys
import zipfile
from types import SimpleNamespace

import h5py
import numcodecs
import numpy as np
import pytest
import sets
import zarr

from steadyhand.data import inspect_episodes, open_episodes, write_episodes
from steadyhand.errors import DataError

PICTURES = np.arange(12 * 4 * 5 * 3, dtype=np.uint8).reshape(12, 4, 5, 3)


@pytest.fixture
def replay(tmp_path):
    """A replay buffer of twelve steps with a camera, one picture a chunk."""
    path = tmp_path / "some.zarr"
    root = zarr.open_group(path, mode="w", zarr_format=2)
    state = np.arange(24, dtype=np.float32).reshape(12, 2) + 1
    root.create_array("data/state", data=state, chunks=(5, 2))
    root.create_array("data/action", data=state * 2, chunks=(5, 2))
    root.create_array("data/camera", data=PICTURES, chunks=(1, 4, 5, 3), compressors=None)
    root.create_array("meta/episode_ends", data=np.array([6, 12]))
    return path


def describe(path, **fields) -> None:
    file = path / ".zarray"
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


class Runs(numcodecs.abc.Codec):
    """Stands for a codec that runs what it is given."""

    codec_id = "pickle"
    ran: tuple[bytes, ...] = ()

    def encode(self, buf):
        return buf

    def decode(self, buf, out=None):
        Runs.ran += (bytes(buf),)
        return np.zeros(5, object)


@pytest.mark.parametrize("feature", ["state", "note"])
def test_no_codec_that_runs_code_is_asked(feature, replay, monkeypatch) -> None:
    """Whatever version of numcodecs there is: a codec not in the list decodes nothing."""
    from numcodecs import registry

    monkeypatch.setitem(registry.codec_registry, "pickle", Runs)
    monkeypatch.setattr(Runs, "ran", ())
    if feature == "note":
        shutil.copytree(replay / "data" / "state", replay / "data" / "note")
    place = replay / "data" / feature
    describe(place, dtype="|O", filters=[{"id": "vlen-utf8"}], compressor={"id": "pickle"})
    episodes = open_episodes(replay)
    assert "objects, which are never unpickled" in episodes.left_out[feature]
    inspect_episodes(episodes)
    describe(place, dtype="<f4", filters=None)
    assert "packed by 'pickle', which is not read" in open_episodes(replay).left_out[feature]
    describe(replay / "data" / "action", compressor={"id": "pickle"})
    with pytest.raises(DataError, match="'action' cannot be read: it is packed by 'pickle'"):
        open_episodes(replay)
    assert Runs.ran == ()


def test_a_missing_codec_costs_one_array_and_names_its_package(replay, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    describe(replay / "data" / "camera", compressor={"id": "imagecodecs_jpegxl", "level": 99})
    episodes = open_episodes(replay)
    assert set(episodes.arrays) == {"action", "state"}
    assert "pip install 'steadyhand[jpegxl]' brings imagecodecs" in episodes.left_out["camera"]
    assert "opy" not in episodes.left_out["camera"]


def test_packed_pictures_fill_what_was_declared(replay, monkeypatch) -> None:
    """With the package there, each chunk is unpacked into an array of the declared shape."""

    def decode(data, out):
        if len(data) != out.size:
            raise ValueError(f"a picture of {len(data)} numbers")
        out[...] = np.frombuffer(data, np.uint8).reshape(out.shape)
        return out

    monkeypatch.setitem(sys.modules, "imagecodecs", SimpleNamespace(jpegxl_decode=decode))
    describe(replay / "data" / "camera", compressor={"id": "imagecodecs_jpegxl", "level": 99})
    camera = open_episodes(replay).arrays["camera"]
    np.testing.assert_array_equal(camera[:], PICTURES)
    np.testing.assert_array_equal(camera[[7, 2, 7]], PICTURES[[7, 2, 7]])
    (replay / "data" / "camera" / "3.0.0.0").write_bytes(bytes(10**6))
    with pytest.raises(DataError, match="1000000 bytes where"):
        camera[3]


def test_zarr_is_read_as_zarr_reads_it(tmp_path) -> None:
    """Chunks that do not fit, in any order, sharded or not: every way to ask for rows."""
    random = np.random.default_rng(0)
    values = random.normal(size=(11, 5, 3))
    kinds = [
        (2, {"chunks": (4, 2, 3), "order": "F"}),
        (2, {"chunks": (20, 5, 1), "filters": [numcodecs.FixedScaleOffset(0, 1e6, "<f8", "<i8")]}),
        (3, {"chunks": (2, 5, 1), "shards": (4, 5, 3)}),
        (3, {"chunks": (3, 3, 3), "filters": zarr.codecs.TransposeCodec(order=(2, 0, 1))}),
    ]
    for number, (version, options) in enumerate(kinds):
        path = tmp_path / f"{number}.zarr"
        root = zarr.open_group(path, mode="w", zarr_format=version)
        array = root.create_array("data/x", shape=values.shape, dtype="f8", **options)
        array[...] = values
        root.create_array("meta/episode_ends", data=np.array([11]))
        found, expected = open_episodes(path).arrays["x"], array[...]
        for rows in (slice(None), slice(3, 9, 2), 10, -1, np.array([[3, 3], [10, 0]])):
            np.testing.assert_array_equal(found[rows], expected[rows])


def test_numbers_that_nothing_is_stored_of_take_no_memory(replay) -> None:
    """13 GB in a chunk of an array of 96 bytes; a shape of 10^12 in one small chunk."""
    describe(replay / "data" / "state", chunks=[5, 650_000_000])
    assert "a chunk of it has 13000000000 bytes" in open_episodes(replay).left_out["state"]
    describe(replay / "data" / "state", shape=[10**12, 2], chunks=[10**12, 2])
    assert "it would take 8000000000000 bytes, and" in open_episodes(replay).left_out["state"]


def test_groups_in_a_demonstration_are_read_under_their_path(tmp_path) -> None:
    path = sets.robomimic(tmp_path / "nested.hdf5")
    state, _ = sets.numbers()
    with h5py.File(path, "a") as file:
        for number, values in enumerate(state):
            demo = file[f"data/demo_{number}"]
            demo["obs/policy/joint_pos"] = values * 2
            demo["states/arm/joint_pos"] = values * 3
            demo["initial_state/arm/joint_pos"] = values[:1]
            demo["labels"] = np.array([3, 7, 1])
    episodes = open_episodes(path)
    assert set(episodes.left_out) == {"initial_state/arm/joint_pos", "labels"}
    assert "it has the shape (3,) in demo_0, which has 12 actions" in episodes.left_out["labels"]
    expected = {"policy/joint_pos": 2, "states/arm/joint_pos": 3, "state": 1}
    for format in ("npz", "zarr"):
        write_episodes(tmp_path / f"a.{format}", episodes)
    for found in (episodes, *(open_episodes(tmp_path / f"a.{f}") for f in ("npz", "zarr"))):
        for key, factor in expected.items():
            np.testing.assert_array_equal(found.read(key), np.concatenate(state) * factor)
    said = r"cannot be named '.*/joint_pos' in lerobot: that is a path. Write .npz or"
    with pytest.raises(DataError, match=said) as raised:
        write_episodes(tmp_path / "a.lerobot", episodes.subset([0]))
    for key in ("policy/joint_pos", "states/arm/joint_pos"):  # all at once, to be pasted
        assert f"{key}={key.replace('/', '.')}" in str(raised.value).partition("--rename ")[2]


@pytest.mark.parametrize("how", ["external", "virtual", "link"])
def test_hdf5_reads_no_other_file(how, tmp_path) -> None:
    """Not for a feature, which is left out, nor for actions; `convert` then copies nothing."""
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["x"] = np.full((12, 2), 42, np.float32)

    def place(demo, name) -> None:
        if how == "link":
            demo[name] = h5py.ExternalLink(str(secret), "x")
        elif how == "external":
            demo.create_dataset(name, (12, 2), "f4", external=[(str(secret), 0, 96)])
        else:
            layout = h5py.VirtualLayout((12, 2), "f4")
            layout[...] = h5py.VirtualSource(str(secret), "x", (12, 2))
            demo.create_virtual_dataset(name, layout)

    path = sets.robomimic(tmp_path / "demos.hdf5")
    with h5py.File(path, "a") as file:
        for number in range(3):
            place(file[f"data/demo_{number}"], "kept")
    episodes = open_episodes(path)
    assert "nothing outside is read" in episodes.left_out["kept"]
    write_episodes(tmp_path / "copy.npz", episodes)
    assert "kept" not in open_episodes(tmp_path / "copy.npz").arrays
    with h5py.File(path, "a") as file:
        del file["data/demo_0/actions"]
        place(file["data/demo_0"], "actions")
    with pytest.raises(DataError, match=r"'action' of demo_0 cannot be used: .*nothing outside"):
        open_episodes(path)
    assert open_episodes(path, skip_broken_episodes=True).numbers == (1, 2)


def test_links_inside_an_hdf5_file_are_followed_to_their_end(tmp_path) -> None:
    """Also to links, and through groups; not in circles, nor out of the file by one more step."""
    path = sets.robomimic(tmp_path / "demos.hdf5")
    links = {"once": "actions", "twice": "./once", "circle": "round", "round": "circle"}
    with h5py.File(path, "a") as file:
        file["all"] = h5py.SoftLink("/data")
        for number in range(3):
            demo = file[f"data/demo_{number}"]
            for name, target in links.items():
                demo[name] = h5py.SoftLink(target)
            demo["through"] = h5py.SoftLink(f"/all/demo_{number}/twice")
            demo["beyond"] = h5py.SoftLink("once/x")
            demo["outside"] = h5py.ExternalLink("other.h5", "x")
            demo["out"] = h5py.SoftLink("outside")
    episodes = open_episodes(path)
    for name in ("once", "twice", "through"):
        np.testing.assert_array_equal(episodes.read(name), episodes.read("action"))
    whys = {"circle": "circle", "round": "circle", "beyond": "not in the file"}
    whys |= {"outside": "another file", "out": "another file", "all": "in no episode"}
    assert episodes.left_out.keys() == whys.keys()
    assert all(why in episodes.left_out[name] for name, why in whys.items())


def test_an_npz_that_says_more_than_it_holds(tmp_path) -> None:
    """The header is held against the member's size, and nothing is made room for before."""
    header = {"descr": "<f8", "fortran_order": False, "shape": (10**12, 2)}
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        with archive.open("action.npy", "w") as member:
            np.lib.format.write_array_header_1_0(member, header)
            member.write(bytes(48))
        with archive.open("episode_ends.npy", "w") as member:
            np.lib.format.write_array(member, np.array([3]))
    with pytest.raises(DataError, match=r"'action' cannot be read: its shape \(10{12}, 2\) takes"):
        open_episodes(tmp_path / "a.npz")


def test_more_features_than_anybody_records(tmp_path) -> None:
    """A small file of names without end is refused before they are looked at."""
    with h5py.File(tmp_path / "many.hdf5", "w") as file:
        demo = file.create_group("data/demo_0")
        demo["actions"] = np.zeros((4, 2), np.float32)
        for number in range(1001):
            demo[f"again{number}"] = demo["actions"]
    with pytest.raises(DataError, match=r"1002 arrays or more, and 1000 are the most"):
        open_episodes(tmp_path / "many.hdf5")
