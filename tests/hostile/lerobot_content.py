"""Tables, pictures and films of LeRobot's data sets as strangers hand them over."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from lerobot_sets import (
    CAMERA,
    LFS,
    NAN,
    PICTURE,
    SIZE,
    V2_FILM,
    V3_DATA,
    V3_INDEX,
    Maker,
    claimed_png,
    columns,
    deep_parquet,
    described,
    film,
    info,
    more_rows,
    png,
    save,
    v2,
)


def tables(made: Maker) -> None:
    some = columns(0, 10)
    zeros = np.zeros(4_000_000, np.int32)
    wide = pa.ListArray.from_arrays([0, *[4_000_000] * 10], np.zeros(4_000_000, np.float32))
    kinds: dict[str, Any] = {
        "words": ["a"] * 10,
        "bytes": [b"a"] * 10,
        "objects": [{"a": 1}] * 10,
        "lists of lists": [[[[1.0]]]] * 10,
        "lists of words": [["a"]] * 10,
        "nothing": [None] * 10,
        "lists of nothing": [[]] * 10,
        "some nothing": [[1.0, 2.0], None] * 5,
        "rows of all lengths": [[1.0] * n for n in range(10)],
        "numbers too wide": [[1.0] * 3] * 10,
        "decimals": pa.array([1] * 10).cast(pa.decimal128(38, 2)),
        "times": pa.array([0] * 10, pa.timestamp("us")),
        "lists of a million": wide,
        "fewer rows": [[1.0, 2.0]] * 9,
        "a map": pa.array([[("a", 1)]] * 10, pa.map_(pa.string(), pa.int64())),
        "folded words": pa.array(["a"] * 10).dictionary_encode(),
        "lists 40 deep": pa.array([eval("[" * 40 + "1" + "]" * 40)] * 10),
    }
    for what, values in kinds.items():
        rows = min(len(values), 10)
        table = {key: value[:rows] for key, value in some.items()} | {"action": values}
        made("v3", f"actions are {what}", {V3_DATA: table}, other=True)
    made("v3", "task numbers are odd", {V3_DATA: some | {"task_index": np.full(10, -(2**62))}})
    made("v3", "task numbers are NaN", {V3_DATA: some | {"task_index": np.full(10, NAN)}})
    twice = pa.table([pa.array([1.0] * 10)] * 2, names=["action", "action"])
    made("v3", "two columns have one name", {V3_DATA: twice})
    made("v3", "columns are escape sequences", {V3_DATA: some | {"\x1b[2J": np.zeros(10)}})
    made("v3", "many rows of one value", {V3_DATA: {"action": zeros, "observation.state": zeros}})
    for depth in (90, 3000, 200_000):
        made("v3", f"a schema {depth} deep", {V3_DATA: deep_parquet(depth)})
    for what, content in {"empty": b"", "magic alone": b"PAR1PAR1", "Git LFS": LFS}.items():
        for name in (V3_DATA, V3_INDEX, "meta/tasks.parquet"):
            made("v3", f"{name} is {what}", {name: content})
    whole = made.base("v3") / V3_DATA
    made("v3", "rows are claimed", {V3_DATA: more_rows(whole, 2_000_000_000)})
    chance = np.random.default_rng(0)
    for number in range(6):
        content = bytearray(whole.read_bytes())
        for place in chance.integers(4, len(content) - 8, 6):
            content[place] = int(chance.integers(256))
        made("v3", f"a table is damaged, {number}", {V3_DATA: bytes(content)}, other=True)


def pictures(made: Maker, beside: Path) -> None:
    save(beside / "picture.png", png())
    cells: dict[str, Any] = {
        "up": {"bytes": None, "path": "../../outside/picture.png"},
        "absolute": {"bytes": None, "path": str(beside / "picture.png")},
        "a device": {"bytes": None, "path": "/dev/zero"},
        "with a zero": {"bytes": None, "path": "a\0b"},
        "with an escape sequence": {"bytes": None, "path": "\x1b[2J.png"},
        "of a long name": {"bytes": None, "path": "x" * 5000},
        "empty": {"bytes": None, "path": None},
        "of no bytes": {"bytes": b"", "path": ""},
        "of numbers": {"bytes": 7, "path": 7},
        "of lists": {"bytes": [b"a"], "path": ["a"]},
        "of other words": {"a": 1},
        "plain bytes": png(),
        "text": "a.png",
        "a number": 7,
        "a bomb": {"bytes": claimed_png(60_000, 60_000), "path": None},
        "large": {"bytes": claimed_png(12_000, 12_000), "path": None},
        "promised and missing": {"bytes": claimed_png(SIZE[1], SIZE[0]), "path": None},
        "of another size": {"bytes": png(10, 10), "path": None},
        "depth": {"bytes": png(mode="I;16"), "path": None},
        "a TIFF": {"bytes": png(kind="TIFF"), "path": None},
        "a GIF": {"bytes": png(kind="GIF"), "path": None},
        "PostScript": {
            "bytes": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 24 16\n",
            "path": None,
        },
        "a PDF": {"bytes": png(kind="PDF"), "path": None},
        "Git LFS": {"bytes": LFS.encode(), "path": None},
    }
    for what, cell in cells.items():
        made("v2", f"pictures are {what}", then=lambda path, cell=cell: v2(path, cell=cell))
    right = {"bytes": png(), "path": "../outside/picture.png"}
    made("v2", "pictures are right", then=lambda path: v2(path, cell=right), right=True)
    cell = pa.array([{"bytes": png() + bytes(100_000), "path": None}])
    many = pa.StructArray.from_arrays(
        [
            pa.DictionaryArray.from_arrays(np.zeros(200_000, np.int32), cell.field("bytes")),
            pa.nulls(200_000, pa.string()),
        ],
        ["bytes", "path"],
    )
    features = {PICTURE: described(picture=True)[PICTURE]}
    changed = {"meta/info.json": {**info("v3.0"), "features": features}, V3_DATA: {PICTURE: many}}
    made("v3", "pictures would unfold to 20 GB", changed, other=True)
    linked = {"bytes": None, "path": "images/0.png"}
    for what, target in {"a link out": str(beside / "picture.png"), "a pipe": "pipe"}.items():
        links = {"images/0.png": target}
        made("v2", f"pictures are {what}", None, links, then=lambda path: v2(path, cell=linked))
    features = described() | {PICTURE: {"dtype": "image", "shape": [100_000, 100_000, 3]}}
    changed = {"meta/info.json": {**info("v2.1"), "features": features}}
    made("v2 picture", "pictures are said to be 30 GB", changed)
    features = described() | {PICTURE: {"dtype": "image", "shape": [4320, 7680, 3]}}
    changed = {"meta/info.json": {**info("v2.1"), "features": features}}
    made("v2 picture", "pictures are said to be 8K", changed)


def films(made: Maker, beside: Path) -> None:
    shown = film(4)
    (beside / "film.mp4").write_bytes(shown)
    (beside / "list.m3u8").write_text("#EXTM3U\n")
    there = beside / "film.mp4"
    dash = f"<MPD><BaseURL>{there}</BaseURL></MPD>"
    contents: dict[str, Any] = {
        "a playlist": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{there}\n#EXT-X-ENDLIST\n",
        "a list of the net": "#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
        "ffconcat": f"ffconcat version 1.0\nfile '{there}'\n",
        "dash": f'<?xml version="1.0"?>{dash}',
        "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 9999 RTP/AVP 96\n",
        "a picture": png(),
        "subtitles": "1\n00:00:00,000 --> 00:00:01,000\nx\n",
        "IMF": '<?xml version="1.0"?><CompositionPlaylist/>',
        "Git LFS": LFS,
        "empty": b"",
        "its beginning": shown[: len(shown) // 2],
        "its head": shown[:40],
        "nothing but ftyp": struct.pack(">I", 16) + b"ftypisom\0\0\0\0",
        "a part of 2^63": struct.pack(">I", 1) + b"ftyp" + struct.pack(">Q", 2**63 - 1),
        "larger": film(4, 64, 48),
        "at another rate": film(4, rate=1),
        "uncompressed": film(4, codec="rawvideo", format="avi"),
        "flv": film(4, codec="flv1", format="flv"),
        "a GIF": film(4, codec="gif", format="gif", pixels="rgb8"),
        "nowhere": shown.replace(b"url \0\0\0\1", b"url \0\0\0\0"),
        "elsewhere": referring(shown, bytes(there)),
        "of a strange codec": shown.replace(b"avc1\0\0", b"XXXX\0\0"),
        "of no time": shown.replace(
            b"mdhd" + shown[shown.index(b"mdhd") + 4 :][:16],
            b"mdhd" + shown[shown.index(b"mdhd") + 4 :][:12] + bytes(4),
        ),
    }
    sizes, times = shown.index(b"stsz"), shown.index(b"stts")
    avc = shown.index(b"avc1\0\0")
    wide = struct.pack(">HH", 65535, 65535)
    contents |= {
        "of 2^32 frames": patched(shown, sizes + 8, struct.pack(">II", 1, 2**32 - 1)),
        "of 2^28 frames": patched(shown, sizes + 8, struct.pack(">II", 1, 2**28)),
        "of 2^31 times": patched(shown, times + 8, struct.pack(">III", 1, 2**31, 1)),
        "of many times": patched(shown, times + 8, struct.pack(">I", 2**30)),
        "of a year": patched(shown, times + 16, struct.pack(">I", 2**31 - 1)),
        "said to be 65535 wide": patched(shown, avc + 28, wide),
    }
    for what, content in contents.items():
        made("v2 film", f"a film is {what}", {V2_FILM: content}, other=True)
    chance = np.random.default_rng(1)
    for number in range(6):
        content = bytearray(shown)
        for place in chance.integers(0, len(content), 6):
            content[place] = int(chance.integers(256))
        made("v2 film", f"a film is damaged, {number}", {V2_FILM: bytes(content)}, other=True)
    for what, shape in {
        "30 GB": [100_000, 100_000, 3],
        "8K": [4320, 7680, 3],
        "grey": [16, 24, 9],
    }.items():
        features = described() | {CAMERA: {"dtype": "video", "shape": shape}}
        changed = {"meta/info.json": {**info("v2.1"), "features": features}}
        made("v2 film", f"films are said to be {what}", changed)


def referring(shown: bytes, target: bytes) -> bytes:
    """An mp4 whose pictures are in another file, named by its absolute path."""
    name = target.rpartition(b"/")[2]
    entry = b"alis" + bytes(4) + bytes(10) + b"\4disk".ljust(28, b"\0") + bytes(12)
    entry += bytes([len(name)]) + name.ljust(63, b"\0") + bytes(16) + b"\0\1\0\1" + bytes(16)
    target += b"\0" * (len(target) % 2)
    entry += struct.pack(">HH", 2, len(target)) + target + b"\xff\xff\0\0"
    old = b"\0\0\0\x0curl \0\0\0\1"
    more = len(entry) + 4 - len(old)
    for part in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        place = shown.index(part) - 4
        (size,) = struct.unpack_from(">I", shown, place)
        shown = patched(shown, place, struct.pack(">I", size + more))
    return shown.replace(old, struct.pack(">I", len(entry) + 4) + entry)


def patched(content: bytes, place: int, new: bytes) -> bytes:
    return content[:place] + new + content[place + len(new) :]
