"""Messages of one's own in MCAP: JSON, types that no library has, joints in turn, cut files."""

import json
import struct

import numpy as np
import pytest
from mcap.writer import Writer

from steadyhand.data.bags.bag import Topic
from steadyhand.data.bags.cameras import metres
from steadyhand.data.bags.clouds import cloud
from steadyhand.data.mapping import open_mapped
from steadyhand.errors import DataError

JOINT_STATE = """std_msgs/Header header
string[] name
float64[] position
float64[] velocity
float64[] effort
===
MSG: std_msgs/Header
builtin_interfaces/Time stamp
string frame_id
===
MSG: builtin_interfaces/Time
int32 sec
uint32 nanosec
"""
PLAN = "mine/Point[] points\nuint8 KIND=3\n===\nMSG: mine/Point\nfloat32 weight\nfloat64[2] at\n"


def mcap(path, type, text, datas, *, encoding="cdr", rate=10, finish=True):
    """A file with one topic /x, a message every so often."""
    with path.open("wb") as file:
        writer = Writer(file, chunk_size=200)
        writer.start()
        kind = "ros2msg" if encoding == "cdr" else "jsonschema"
        schema = writer.register_schema(type, kind, text.encode())
        channel = writer.register_channel("/x", encoding, schema)
        for i, data in enumerate(datas):
            writer.add_message(channel, round(i / rate * 1e9), data, 0)
        if finish:
            writer.finish()
    return path


def text(word: str) -> bytes:
    data = word.encode() + b"\0"
    return struct.pack("<I", len(data)) + data + b"\0" * (-len(data) % 4)


def joints(name: str, value: float) -> bytes:
    head = struct.pack("<II", 0, 0) + text("b")
    names = struct.pack("<I", 1) + text(name)
    body = head + names + struct.pack("<I", 1)
    body += b"\0" * (-len(body) % 8) + struct.pack("<d", value) + struct.pack("<II", 0, 0)
    return b"\0\1\0\0" + body


def test_joints_that_are_said_in_turn_are_as_they_were_last_said(tmp_path) -> None:
    said = [joints("arm" if i % 2 == 0 else "grip", i) for i in range(8)]
    path = mcap(tmp_path / "x.mcap", "sensor_msgs/msg/JointState", JOINT_STATE, said)
    episodes = open_mapped(path, "state=/x,rate=10")
    assert episodes.names == {"state": ("arm", "grip")}
    assert episodes.read("state").tolist()[:4] == [[0, 1], [0, 1], [2, 1], [2, 3]]
    assert any("some joints at a time" in p.message for p in episodes.remarks)


def test_a_type_of_ones_own_is_read_by_its_definition(tmp_path) -> None:
    said = []
    for i in range(5):
        body = struct.pack("<I", 2)
        for j in range(2):
            body += struct.pack("<f", j) + b"\0" * (-(len(body) + 4) % 8)
            body += struct.pack("<dd", i, 10 * j)
        said.append(b"\0\1\0\0" + body)
    path = mcap(tmp_path / "x.mcap", "mine/msg/Plan", PLAN, said)
    episodes = open_mapped(path, "state=/x.points[1].at,all=/x,rate=10")
    assert episodes.read("state").tolist() == [[i, 10] for i in range(5)]
    assert episodes.read("all")[2].tolist() == [0, 2, 0, 1, 2, 10]


def test_json_is_read_and_other_ways_of_writing_are_told(tmp_path) -> None:
    said = [json.dumps({"q": [i, 0.5], "name": "a"}).encode() for i in range(6)]
    path = mcap(tmp_path / "x.mcap", "any", "{}", said, encoding="json")
    assert open_mapped(path, "state=/x.q,rate=10").read("state")[3].tolist() == [3, 0.5]
    path = mcap(tmp_path / "y.mcap", "any", "", said, encoding="protobuf")
    with pytest.raises(DataError, match="'protobuf'"):
        open_mapped(path, "state=/x.q,rate=10")


def test_a_recording_that_was_cut_off_is_read_up_to_there(tmp_path) -> None:
    said = [json.dumps({"q": [i, 0.5]}).encode() for i in range(60)]
    whole = mcap(tmp_path / "x.mcap", "any", "{}", said, encoding="json", rate=10).read_bytes()
    (path := tmp_path / "cut.mcap").write_bytes(whole[: len(whole) // 3])
    episodes = open_mapped(path, "state=/x.q,rate=10")
    assert "was not finished" in episodes.remarks[0].message
    read = episodes.read("state")
    assert 3 < len(read) < 60
    assert np.array_equal(read[:, 0], np.arange(len(read)))


def test_parts_of_a_bag_are_one_episode(tmp_path) -> None:
    said = [json.dumps({"q": [i, i]}).encode() for i in range(5)]
    (tmp_path / "metadata.yaml").write_text("rosbag2_bagfile_information: {}")
    for part in range(2):
        mcap(tmp_path / f"x_{part}.mcap", "any", "{}", said, encoding="json", rate=10 - 9 * part)
    episodes = open_mapped(tmp_path, "state=/x.q,rate=1")
    assert episodes.lengths.tolist() == [5]
    (tmp_path / "metadata.yaml").unlink()
    assert len(open_mapped(tmp_path, "state=/x.q,rate=1")) == 2


def test_depth_is_in_metres_and_0_where_nothing_was_measured() -> None:
    assert metres(np.array([0, 1500], np.uint16)).tolist() == [0, 1.5]
    found = metres(np.array([np.nan, np.inf, -1, 2.5], np.float32))
    assert (found.tolist(), found.dtype) == ([0, 0, 0, 2.5], np.float32)


def test_a_cloud_is_as_many_points_spread_over_those_that_were_measured() -> None:
    count = 3000
    points = np.zeros(count, [("x", "<f4"), ("rgb", "<u4"), ("y", "<f4"), ("z", "<f4")])
    points["x"], points["z"] = np.arange(count), 2
    points["x"][::2] = np.nan
    fields = [{"name": n, "offset": o, "datatype": 7} for n, o in (("x", 0), ("y", 8), ("z", 12))]
    said = {"height": 1, "width": count, "point_step": 16, "row_step": 16 * count}
    message = {**said, "fields": fields, "is_bigendian": 0, "data": points.view(np.uint8)}
    topic = Topic("/c", "sensor_msgs/msg/PointCloud2", "cdr", "")
    found = cloud(message, topic)
    assert (found.shape, found.dtype) == ((1024, 3), np.float32)
    assert (found[0].tolist(), found[-1].tolist()) == ([1, 0, 2], [2999, 0, 2])
    assert np.abs(np.diff(found[:, 0]) - 2998 / 1023).max() < 2.1
    few = cloud({**message, "width": 4, "row_step": 64}, topic)
    assert np.unique(few[:, 0]).tolist() == [1, 3]
    for wrong in ({"width": 2**30}, {"point_step": 8}, {"fields": fields[:2]}, {"row_step": 16}):
        with pytest.raises(DataError, match="/c"):
            cloud({**message, **wrong}, topic)
