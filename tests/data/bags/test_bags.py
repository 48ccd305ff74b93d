"""A robot's bags: topics at one rate, with what they say at each tick, and how old that is."""

import contextlib
import shutil
import sqlite3
import struct

import numpy as np
import pytest
import written

from steadyhand.data.bags.bag import Topic
from steadyhand.data.bags.cameras import picture
from steadyhand.data.bags.decoding import decoded_cdr
from steadyhand.data.bags.definitions import Field, fields_of
from steadyhand.data.bags.ticks import chosen, ticks_of
from steadyhand.data.mapping import guess, open_mapped
from steadyhand.errors import DataError, SteadyhandError, UsageError

WRITERS = {
    "zstd": lambda folder: written.mcap(folder / "x.mcap"),
    "lz4": lambda folder: written.mcap(folder / "x.mcap", "lz4", index=False),
    "plain": lambda folder: written.mcap(folder / "x.mcap", "none"),
    "ros2": lambda folder: written.ros2(folder / "x"),
    "ros1": lambda folder: written.ros1(folder / "x.bag"),
    "bz2": lambda folder: written.ros1(folder / "x.bag", "BZ2"),
}


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    return written.mcap(tmp_path_factory.mktemp("bag") / "a.mcap")


@pytest.mark.parametrize("kind", WRITERS)
def test_each_tick_has_the_last_that_was_said(kind, tmp_path) -> None:
    path = WRITERS[kind](tmp_path)
    more = ",depth=/camera/depth,goal=/goal,task=/task,rate=20"
    episodes = open_mapped(path, written.MAP + more)
    # Commands begin 4 ms late, and the camera ends at 1.9 s.
    ticks = 0.004 + np.arange(38) / 20
    joints = np.floor(ticks * 100 + 1e-6) / 100
    assert np.allclose(episodes.read("state"), np.stack([joints, -joints], 1))
    assert episodes.names == {"state": written.JOINTS}
    commands = np.floor((ticks - 0.004) * 50 + 1e-6) / 50
    assert np.allclose(episodes.read("action")[:, 0], commands)
    shown = episodes.read("front")
    assert shown.shape == (38, 8, 10, 3)
    seen = np.floor(ticks * 10 + 1e-6) * 10
    assert np.array_equal(shown[:, 0, 0], np.stack([seen, seen, np.ones(38)], 1))
    depth = episodes.read("depth")
    assert (episodes.kind("depth"), depth.dtype) == ("depth", np.float32)
    assert np.allclose(depth[:, 1, 1, 0], 1.5 + np.floor(ticks * 10 + 1e-6) / 1000)
    assert not depth[:, 0, 0].any()
    assert episodes.read("goal")[0].tolist() == [1, 2, 3, 0, 0, 0.6, 0.8]
    assert episodes.tasks == ("pick it up",)


def test_how_old_is_said_of_each_topic(bag) -> None:
    said = [p.message for p in open_mapped(bag, f"{written.MAP},goal=/goal,rate=20").remarks]
    assert any("/camera/image_raw at 20 Hz, by last value, log time: 29 ms" in s for s in said)
    assert any("/goal speaks less than once a second" in s for s in said)
    near = open_mapped(bag, f"{written.MAP},rate=20,by=nearest").remarks
    assert any("by nearest" in p.message and "46 ms at worst" in p.message for p in near)


def test_the_stamps_of_headers_are_a_clock(bag) -> None:
    """The joints say that they are 2 ms older than they were recorded."""
    said = [p.message for p in open_mapped(bag, f"{written.MAP},rate=20,clock=header").remarks]
    assert any("/joint_states" in s and "header time: 6 ms old at the median" in s for s in said)
    assert any("/commands has no stamps" in s for s in said)


def test_a_silence_is_told(tmp_path) -> None:
    times = np.r_[np.arange(10), np.arange(30, 40)].astype(np.int64) * 10**8
    ticks = ticks_of({"/a": times, "/b": np.arange(40) * 10**8}, 10, "last")
    assert ticks is not None
    assert ticks.ages["/a"].max() == pytest.approx(2.0)


def test_last_never_looks_ahead_and_nearest_is_the_nearest() -> None:
    random = np.random.default_rng(0)
    spoken = np.sort(random.integers(0, 10**9, 50))
    times = np.sort(random.integers(int(spoken[0]), 10**9, 80))
    assert (spoken[chosen(spoken, times, "last")] <= times).all()
    nearest = np.abs(spoken[None] - times[:, None]).min(axis=1)
    assert np.array_equal(np.abs(spoken[chosen(spoken, times, "nearest")] - times), nearest)


@pytest.mark.parametrize("kind", ["zstd", "ros2", "ros1"])
def test_the_guess_opens(kind, tmp_path) -> None:
    path = WRITERS[kind](tmp_path)
    text = guess(path)
    assert text.startswith("state=/joint_states,action=/commands,")
    assert {"camera", "depth"} <= set(open_mapped(path, text).arrays)


def test_a_folder_of_bags_has_an_episode_each(bag, tmp_path) -> None:
    for name in ("run_2.mcap", "run_10.mcap"):
        shutil.copy(bag, tmp_path / name)
    episodes = open_mapped(tmp_path, f"{written.MAP},rate=10")
    assert episodes.lengths.tolist() == [19, 19]
    assert episodes.left_out["/goal"].startswith("the map does not name it")


def test_the_rate_is_that_of_the_slowest_unless_it_is_said(bag) -> None:
    assert open_mapped(bag, written.MAP).rate_hz == 10
    assert open_mapped(bag, written.MAP, ticks_hz=25).rate_hz == 25


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("state=/joint_state", "Did you mean '/joint_states'"),
        ("state=/joint_states.positions", "Did you mean 'position'"),
        ("state=/joint_states.position[2:]", "pick nothing"),
        ("state=/joint_states.name", "0 numbers"),
        ("state=/task", "0 numbers"),
        ("state=/commands.data[9]", "3 parts"),
        ("state=/joint_states,episodes=x", "Each bag is an episode"),
        ("state=/joint_states,clock=mine", "clock=mine"),
        ("state=/joint_states,by=mine", "by=mine"),
        ("state=/joint_states,rate=-1", "no rate"),
        ("state=/joint_states,rate=0", "rate=0 is no rate"),
        ("state=/joint_states,rate=/task", "rate=/task is no rate"),
    ],
)
def test_a_map_of_topics_that_does_not_fit_says_what_would(text, said, bag) -> None:
    with pytest.raises(UsageError) as raised:
        open_mapped(bag, text)
    assert said in str(raised.value)


def test_what_only_bags_have_is_refused_elsewhere(tmp_path) -> None:
    np.savez(path := tmp_path / "x.npz", s=np.zeros((5, 2)))
    with pytest.raises(UsageError, match="said of bags"):
        open_mapped(path, "state=s,clock=header")


EVIL = "float64 x\nfloat64 __import__('os').system('touch /tmp/evil')\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (EVIL, "names no field"),
        ("a/B b\n===\nMSG: a/B\na/B b\n", "has itself in it"),
        ("a/Missing m\n", "is not defined"),
        ("float64[99999999999] x\n", "names no field"),
        ("a/B[9] b\n===\nMSG: a/B\n" + "float64 x\n" * 3000, "more than 2000"),
    ],
)
def test_a_definition_is_a_list_of_fields_and_nothing_else(text, said) -> None:
    with pytest.raises(ValueError, match=said):
        fields_of("a/A", text, "ros2")


def test_fields_with_bounds_constants_defaults_and_remarks() -> None:
    text = "int32 KIND=3\nfloat64[<=5] a # how\nfloat32[3] b\nstring<=10 c 'x'\nuint8 d 7\ntime e\n"
    fields = fields_of("a/A", text, "ros1")
    assert [(f.name, f.array, f.count) for f in fields] == [
        ("a", True, None),
        ("b", True, 3),
        ("c", False, None),
        ("d", False, None),
        ("e", False, None),
    ]


def test_lengths_are_held_against_the_bytes_that_are_there() -> None:
    fields = (Field("x", "float64", array=True),)
    whole = b"\0\1\0\0" + struct.pack("<I4xdd", 2, 1.0, 2.0)
    assert decoded_cdr(whole, fields)["x"].tolist() == [1.0, 2.0]
    big = b"\0\0\0\0" + struct.pack(">I4xdd", 2, 1.0, 2.0)
    assert decoded_cdr(big, fields)["x"].tolist() == [1.0, 2.0]
    for bad in (b"", whole[:-1], b"\0\1\0\0" + struct.pack("<I", 2**31), b"\0\7" + whole[2:]):
        with pytest.raises(ValueError, match=r"bytes|CDR"):
            decoded_cdr(bad, fields)
    nothing = (Field("x", "a/B", array=True, fields=()),)
    with pytest.raises(ValueError, match="parts"):
        decoded_cdr(b"\0\1\0\0" + struct.pack("<I", 2**31), nothing)


@pytest.mark.parametrize("size", [{"step": 4}, {"height": 99}, {"width": 2**31}, {"encoding": "x"}])
def test_a_picture_that_its_bytes_do_not_hold_is_refused(size) -> None:
    topic = Topic("/c", "sensor_msgs/msg/Image", "cdr", "")
    sound = {"encoding": "rgb8", "height": 8, "width": 8, "step": 24, "is_bigendian": 0}
    message = {**sound, "data": np.zeros(192, np.uint8)}
    assert picture(message, topic)[0].shape == (8, 8, 3)
    with pytest.raises(DataError, match="/c"):
        picture({**message, **size}, topic)


def test_a_view_in_place_of_a_table_is_not_asked(tmp_path) -> None:
    with sqlite3.connect(path := tmp_path / "x.db3") as found:
        found.execute("CREATE TABLE topics(id, name, type, serialization_format)")
        found.execute(
            "CREATE VIEW messages AS WITH RECURSIVE t(id) AS (SELECT 1 UNION ALL SELECT id FROM t) "
            "SELECT id, 1 AS topic_id, 1 AS timestamp, x'00' AS data FROM t"
        )
    with pytest.raises(DataError, match="no tables"):
        open_mapped(path, "state=/a")


@pytest.mark.parametrize("kind", ["zstd", "lz4", "plain", "ros2", "ros1", "bz2"])
def test_damage_is_told_and_never_a_traceback(kind, tmp_path) -> None:
    path = WRITERS[kind](tmp_path)
    file = next(path.glob("*.db3")) if path.is_dir() else path
    sound, random = file.read_bytes(), np.random.default_rng(1)
    for number in range(25):
        data = bytearray(sound)
        if number % 3:
            for place in random.integers(0, len(data), 1 + number % 5 * 8):
                data[place] = random.integers(256)
        else:
            del data[int(random.integers(len(data))) :]
        file.write_bytes(data)
        with contextlib.suppress(SteadyhandError):
            episodes = open_mapped(path, f"{written.MAP},rate=20")
            for key in episodes.arrays:
                episodes.read(key)


def test_a_camera_at_the_very_rate_of_the_ticks_has_a_new_picture_at_each() -> None:
    """Its stamps were seconds in 64 bits, which are rounded to a quarter of a microsecond."""
    stamps = np.rint((1.7e9 + np.arange(90) / 15) * 1e9).astype(np.int64)
    ticks = ticks_of({"/camera": stamps}, 15.0, "last")
    assert np.array_equal(ticks.places["/camera"], np.arange(len(ticks.times)))
