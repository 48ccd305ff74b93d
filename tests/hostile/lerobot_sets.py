"""Small sound data sets of LeRobot's, and a maker of copies of them in which something is odd."""

import io
import json
import os
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from case import Hostile
from PIL import Image

STEPS, RATE, SIZE = (6, 4), 10, (16, 24)
STATE = np.arange(30, dtype=np.float32).reshape(10, 3)
ACTION = STATE[:, :2] * 2 + 1
CAMERA, PICTURE = "observation.images.top", "observation.image"
NAN, HUGE, MANY = float("nan"), 10**30, "9" * 400
DEEP = "[" * 100_000
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:f2d2\nsize 1890\n"
PAGE = {"compression": "zstd", "write_statistics": False}


def film(
    frames: int, width: int = SIZE[1], height: int = SIZE[0], codec: str = "libx264", **options: Any
) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=options.pop("format", "mp4")) as container:
        stream = container.add_stream(codec, rate=options.pop("rate", RATE))
        stream.width, stream.height = width, height
        stream.pix_fmt = options.pop("pixels", "yuv420p")
        for step in range(frames):
            picture = np.full((height, width, 3), 40 + 20 * step, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return file.getvalue()


def png(width: int = SIZE[1], height: int = SIZE[0], kind: str = "PNG", mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, (width, height)).save(file, kind)
    return file.getvalue()


def claimed_png(width: int, height: int) -> bytes:
    """A header that promises a size, and next to nothing behind it."""

    def part(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    content = part(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + content + part(b"IEND", b"")


def described(*, film: bool = False, picture: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {
        "observation.state": {"dtype": "float32", "shape": [3], "names": None},
        "action": {"dtype": "float32", "shape": [2], "names": ["x", "y"]},
        "timestamp": {"dtype": "float32", "shape": [1], "names": None},
        "task_index": {"dtype": "int64", "shape": [1], "names": None},
    }
    if film:
        found[CAMERA] = {"dtype": "video", "shape": [*SIZE, 3], "names": ["height", "width", "c"]}
    if picture:
        found[PICTURE] = {"dtype": "image", "shape": [*SIZE, 3], "names": ["height", "width", "c"]}
    return found


def columns(first: int, end: int, cell: Any = None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "observation.state": pa.array(list(STATE[first:end])),
        "action": pa.array(list(ACTION[first:end])),
        "timestamp": (np.arange(end - first) / RATE).astype(np.float32),
        "task_index": np.zeros(end - first, np.int64),
    }
    if cell is not None:
        found[PICTURE] = pa.array([cell] * (end - first))
    return found


def save(file: Path, content: Any) -> None:
    """Bytes, text, columns of a table, or what becomes JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif isinstance(content, str):
        file.write_text(content)
    elif file.suffix == ".parquet":
        pq.write_table(
            content if isinstance(content, pa.Table) else pa.table(content), file, **PAGE
        )
    else:
        file.write_text(json.dumps(content))


def info(version: str, **more: Any) -> dict[str, Any]:
    return {"codebase_version": version, "fps": RATE, "features": described(**more)}


def v2(path: Path, shown: bool = False, cell: Any = None) -> None:
    """Two episodes, each in a table and, with `shown`, a film; or with pictures in a column."""
    made = info("v2.1", film=shown, picture=cell is not None)
    save(path / "meta/info.json", made)
    lines = [{"episode_index": n, "tasks": ["go"], "length": STEPS[n]} for n in (0, 1)]
    save(path / "meta/episodes.jsonl", "\n".join(map(json.dumps, lines)))
    save(path / "meta/tasks.jsonl", '{"task_index": 0, "task": "go"}\n')
    for number, (first, end) in enumerate([(0, 6), (6, 10)]):
        save(path / f"data/chunk-000/episode_00000{number}.parquet", columns(first, end, cell))
        if shown:
            save(path / f"videos/chunk-000/{CAMERA}/episode_00000{number}.mp4", film(end - first))


INDEX: dict[str, Any] = {
    "episode_index": [0, 1],
    "length": list(STEPS),
    "dataset_from_index": [0, 6],
    "dataset_to_index": [6, 10],
    "data/chunk_index": [0, 0],
    "data/file_index": [0, 0],
}
FILMED: dict[str, Any] = {
    f"videos/{CAMERA}/chunk_index": [0, 0],
    f"videos/{CAMERA}/file_index": [0, 0],
    f"videos/{CAMERA}/from_timestamp": [0.0, 0.6],
}
V3_DATA, V3_INDEX = "data/chunk-000/file-000.parquet", "meta/episodes/chunk-000/file-000.parquet"
V3_FILM, V2_DATA = (
    f"videos/{CAMERA}/chunk-000/file-000.mp4",
    "data/chunk-000/episode_000001.parquet",
)
V2_FILM = f"videos/chunk-000/{CAMERA}/episode_000001.mp4"


def v3(path: Path, shown: bool = False) -> None:
    save(path / "meta/info.json", info("v3.0", film=shown))
    save(path / V3_INDEX, {**INDEX, **(FILMED if shown else {})})
    save(path / "meta/tasks.parquet", {"task_index": [0], "task": ["go"]})
    save(path / V3_DATA, columns(0, 10))
    if shown:
        save(path / V3_FILM, film(10))


def deep_parquet(depth: int) -> bytes:
    """A schema of groups in groups, written by hand: no library makes it."""

    def count(number: int) -> bytes:
        low, rest = number & 127, number >> 7
        return bytes([low | 128]) + count(rest) if rest else bytes([low])

    root, leaf = b"\x48\x04root\x15\x02\0", b"\x15\x0a\x25\x02\x18\x01x\0"
    schema = bytes([0xFC]) + count(depth + 2) + root + b"\x35\x02\x18\x01g\x15\x02\0" * depth + leaf
    footer = b"\x15\x02\x19" + schema + b"\x16\x00\x19\x0c\0"
    return b"PAR1" + footer + struct.pack("<I", len(footer)) + b"PAR1"


def more_rows(file: Path, claimed: int) -> bytes:
    """The table with another number of rows in its footer, where that is of as many bytes."""
    content = file.read_bytes()
    place = len(content) - 8 - struct.unpack("<I", content[-8:-4])[0]
    footer = content[place:-8]

    def number(value: int) -> bytes:
        return b"\x16" + bytes(
            [*[(value >> shift & 127) | 128 for shift in (0, 7, 14, 21)], value >> 28]
        )

    changed = footer.replace(b"\x16\x14\x19", number(claimed * 2) + b"\x19", 1)
    return content[:place] + changed + struct.pack("<I", len(changed)) + b"PAR1"


class Maker:
    """Copies a sound set and puts in what is odd."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.cases = folder, list[Hostile]()
        v2(self.base("v2"))
        v2(self.base("v2 film"), True)
        v2(self.base("v2 picture"), cell={"bytes": png(), "path": None})
        v3(self.base("v3"))
        v3(self.base("v3 film"), True)

    def base(self, kind: str) -> Path:
        return self.folder / "sound" / kind.replace(" ", "_")

    def __call__(
        self,
        base: str,
        name: str,
        files: dict[str, Any] | None = None,
        links: dict[str, str] | None = None,
        *,
        then: Callable[[Path], None] | None = None,
        other: bool = False,
        right: bool = False,
    ) -> None:
        """`other` is a set whose actions are not those that were written."""
        path = self.folder / f"set{len(self.cases)}"
        if then is None:
            shutil.copytree(self.base(base), path, symlinks=True)
        else:
            then(path)
        for place, content in (files or {}).items():
            save(path / place, content)
        for place, target in (links or {}).items():
            file = path / place
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(file) if file.is_dir() else file.unlink(missing_ok=True)
            if target == "pipe":
                os.mkfifo(file)
            elif target == "folder":
                file.mkdir()
            else:
                file.symlink_to(target)
        arrays = {} if other else {"action": ACTION}
        self.cases.append(Hostile(f"{base}: {name}", path, right, arrays))
