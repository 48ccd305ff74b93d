"""Small bags written by the libraries themselves: MCAP, a ROS 2 folder and a ROS 1 file.

Joints speak at 100 Hz, commands at 50 Hz and 4 ms late, a camera at 10 Hz, depth at 10 Hz.
"""

from pathlib import Path

import numpy as np
from mcap.writer import CompressionType, IndexType
from mcap.writer import Writer as McapWriter
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import Writer as Ros2Writer
from rosbags.typesys import Stores, get_typestore

SECONDS = 2.0
START = 1_700_000_000 * 10**9
JOINTS = ("shoulder", "elbow")
MAP = "state=/joint_states.position,action=/commands,front=/camera/image_raw"


def at(rate, late=0.0):
    """Nanoseconds of each message."""
    return [START + round((i / rate + late) * 1e9) for i in range(int(SECONDS * rate))]


def store(version):
    return get_typestore(Stores.ROS1_NOETIC if version == 1 else Stores.ROS2_HUMBLE)


def messages(version):
    """(topic, type, nanoseconds, message) of all, in the order of time."""
    types = store(version)

    def made(kind, **values):
        return types.types[kind](**values)

    def header(time):
        stamp = made("builtin_interfaces/msg/Time", sec=time // 10**9, nanosec=time % 10**9)
        first = {"seq": 0} if version == 1 else {}
        return made("std_msgs/msg/Header", stamp=stamp, frame_id="base", **first)

    def image(time, encoding, step, data):
        return made(
            "sensor_msgs/msg/Image",
            header=header(time),
            height=8,
            width=10,
            encoding=encoding,
            is_bigendian=0,
            step=step,
            data=np.ascontiguousarray(data).view(np.uint8).reshape(-1),
        )

    found = []
    for i, time in enumerate(at(100)):
        order = [1, 0] if i % 2 else [0, 1]  # as drivers do that ask in any order
        state = made(
            "sensor_msgs/msg/JointState",
            header=header(time - 2_000_000),
            name=[JOINTS[j] for j in order],
            position=np.array([i / 100, -i / 100])[order],
            velocity=np.zeros(2),
            effort=np.zeros(0),
        )
        found.append(("/joint_states", "sensor_msgs/msg/JointState", time, state))
    layout = made("std_msgs/msg/MultiArrayLayout", dim=[], data_offset=0)
    for i, time in enumerate(at(50, 0.004)):
        told = made(
            "std_msgs/msg/Float64MultiArray", layout=layout, data=np.array([i / 50, 1.0, 2.0])
        )
        found.append(("/commands", "std_msgs/msg/Float64MultiArray", time, told))
    for i, time in enumerate(at(10)):
        gray = np.full((8, 10, 3), 10 * i, np.uint8)
        gray[..., 0] = 1  # blue, which comes first
        rows = np.pad(gray.reshape(8, 30), ((0, 0), (0, 2)))
        found.append(
            ("/camera/image_raw", "sensor_msgs/msg/Image", time, image(time, "bgr8", 32, rows))
        )
        far = np.full((8, 10), 1500 + i, np.uint16)
        far[0, 0] = 0
        found.append(
            ("/camera/depth", "sensor_msgs/msg/Image", time, image(time, "16UC1", 20, far))
        )
    place = made("geometry_msgs/msg/Point", x=1.0, y=2.0, z=3.0)
    turn = made("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.6, w=0.8)
    pose = made("geometry_msgs/msg/Pose", position=place, orientation=turn)
    posed = made("geometry_msgs/msg/PoseStamped", header=header(START), pose=pose)
    found.append(("/goal", "geometry_msgs/msg/PoseStamped", START, posed))
    found.append(
        ("/task", "std_msgs/msg/String", START, made("std_msgs/msg/String", data="pick it up"))
    )
    return sorted(found, key=lambda each: each[2])


def mcap(path: Path, compression="zstd", *, index=True) -> Path:
    types = store(2)
    packed = {"zstd": CompressionType.ZSTD, "lz4": CompressionType.LZ4}
    with path.open("wb") as file:
        writer = McapWriter(
            file,
            compression=packed.get(compression, CompressionType.NONE),
            index_types=IndexType.ALL if index else IndexType.NONE,
            chunk_size=20_000,
            use_chunking=compression != "none",
        )
        writer.start(profile="ros2")
        channels = {}
        for number, (topic, kind, time, message) in enumerate(messages(2)):
            if topic not in channels:
                text = types.generate_msgdef(kind, ros_version=2)[0].encode()
                schema = writer.register_schema(kind, "ros2msg", text)
                channels[topic] = writer.register_channel(topic, "cdr", schema)
            data = bytes(types.serialize_cdr(message, kind))
            writer.add_message(channels[topic], time, data, time, number)
        writer.finish()
    return path


def ros2(path: Path) -> Path:
    types, topics = store(2), {}
    with Ros2Writer(path, version=9) as writer:
        for topic, kind, time, message in messages(2):
            if topic not in topics:
                topics[topic] = writer.add_connection(topic, kind, typestore=types)
            writer.write(topics[topic], time, types.serialize_cdr(message, kind))
    return path


def ros1(path: Path, compression=None) -> Path:
    types, topics = store(1), {}
    writer = Ros1Writer(path)
    if compression:
        writer.set_compression(Ros1Writer.CompressionFormat[compression])
    with writer:
        for topic, kind, time, message in messages(1):
            if topic not in topics:
                topics[topic] = writer.add_connection(topic, kind, typestore=types)
            writer.write(topics[topic], time, types.serialize_ros1(message, kind))
    return path
