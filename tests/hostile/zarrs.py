"""Replay buffers in zarr v2, whose descriptions, chunks and links are a stranger's."""

import bz2
import gzip
import json
import lzma
import os
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import zarr
from case import Hostile, outside
from replay import BOMB, LIE, ZSTD, Change, chunks, described, replaced, says, store
from sound import ARRAYS, STATE


def filled(data: bytes, **fields: Any) -> Change:
    """Every chunk of the actions replaced."""

    def change(path: Path) -> None:
        for file in chunks(path):
            file.write_bytes(data)
        described(path, **fields)

    return change


def repacked(pack: Callable[[bytes], bytes], compressor: Any, *filters: Any) -> Change:
    """The chunks of the actions packed by another codec."""

    def change(path: Path) -> None:
        source = zarr.open_array(path / "data" / "action", mode="r")
        for number, file in enumerate(chunks(path)):
            part = np.zeros((5, 2), np.float32)
            values = source[5 * number : 5 * number + 5]
            part[: len(values)] = values
            file.write_bytes(pack(part.tobytes()))
        described(path, compressor=compressor, filters=list(filters) or None)

    return change


def without_description(content: str | bytes | None, key: str = "action") -> Change:
    def change(path: Path) -> None:
        file = next(path.glob(f"*/{key}/.zarray"))
        if isinstance(content, bytes):
            file.write_bytes(content)
        elif content is not None:
            file.write_text(content)
        else:
            file.unlink()

    return change


def linked(target: Callable[[Path], Path], place: str) -> Change:
    """Something in the buffer replaced by a link to what lies outside of it."""

    def change(path: Path) -> None:
        there = path / place
        aside = target(path)
        shutil.rmtree(aside, ignore_errors=True)
        aside.unlink(missing_ok=True) if aside.is_file() else None
        there.rename(aside)
        there.symlink_to(aside)

    return change


def beside(path: Path) -> Path:
    return outside(path.parent) / f"{path.name}-part"


def pipe(place: str) -> Change:
    def change(path: Path) -> None:
        (path / place).unlink()
        os.mkfifo(path / place)

    return change


def extra(name: str, values: Any = STATE) -> Change:
    """One more feature, with a name or of a kind that is a stranger's."""

    def change(path: Path) -> None:
        shutil.copytree(path / "data" / "state", path / "data" / name)

    return change


def of_objects(filters: list[Any], compressor: Any) -> Change:
    """Chunks that run what they hold when they are unpickled or decoded."""

    def change(path: Path) -> None:
        attack = b"cos\nsystem\n(S'touch owned'\ntR."
        for file in chunks(path, "state"):
            file.write_bytes(attack)
        described(path, "state", dtype="|O", filters=filters, compressor=compressor, fill_value="")

    return change


def of_words(data: bytes, **fields: Any) -> Change:
    """Texts of what was to be done, whose chunks are what somebody made up."""

    def change(path: Path) -> None:
        shutil.copytree(path / "data" / "state", path / "data" / "task")
        for place in "012":
            (path / "data" / "task" / place).write_bytes(data)
        said = {"dtype": "|O", "filters": [{"id": "vlen-utf8"}], "compressor": None}
        described(path, "task", **{"shape": [12], "chunks": [5], **said, **fields})

    return change


def number(text: str) -> Change:
    """A shape of so many digits, typed."""

    def change(path: Path) -> None:
        file = path / "data" / "action" / ".zarray"
        file.write_text(file.read_text().replace("12", text, 1))

    return change


RIGHT: dict[str, tuple[dict[str, Any], Change | None]] = {
    "plain": ({}, None),
    "raw": ({"compressors": None}, None),
    **{
        f"packed-by-{name}": ({}, repacked(pack, {"id": name, **settings}))
        for name, pack, settings in [
            ("zlib", zlib.compress, {"level": 1}),
            ("gzip", gzip.compress, {"level": 1}),
            ("bz2", bz2.compress, {"level": 1}),
            ("lzma", lzma.compress, {"format": 1, "check": -1, "preset": None, "filters": None}),
            ("lz4", numcodecs.LZ4().encode, {"acceleration": 1}),
            ("zstd", numcodecs.Zstd(level=3, checksum=True).encode, {"level": 3}),
            ("blosc", numcodecs.Blosc("lz4").encode, {"cname": "lz4", "clevel": 5, "shuffle": 1}),
        ]
    },
    "crc32": ({}, repacked(numcodecs.CRC32().encode, None, {"id": "crc32"})),
    "adler32": ({}, repacked(numcodecs.Adler32().encode, None, {"id": "adler32"})),
    "fletcher32": ({}, repacked(numcodecs.Fletcher32().encode, None, {"id": "fletcher32"})),
    "shuffled": (
        {},
        repacked(
            lambda data: ZSTD.encode(numcodecs.Shuffle(4).encode(data)),
            {"id": "zstd", "level": 3},
            {"id": "shuffle", "elementsize": 4},
        ),
    ),
    "delta": ({"filters": [numcodecs.Delta("<f4")]}, None),
    "turned": ({"order": "F"}, None),
    "in-pieces": ({"chunks": (5, 1)}, None),
    "in-folders": ({"chunk_key_encoding": {"name": "v2", "separator": "/"}}, None),
    "with-a-group": ({}, lambda path: zarr.open_group(path, mode="a").create_group("data/more")),
    "with-objects": (
        {},
        lambda path: (
            extra("note")(path),
            described(path, "note", dtype="|O", filters=[{"id": "vlen-utf8"}]),
        ),
    ),
    "with-pictures": (
        {},
        lambda path: (
            extra("camera")(path),
            described(path, "camera", compressor={"id": "imagecodecs_tiff", "level": 99}),
        ),
    ),
    "with-a-bad-name": ({}, extra("\x1b[2J")),
    "with-consolidated-lies": (
        {},
        lambda path: (path / ".zmetadata").write_text(
            json.dumps({"zarr_consolidated_format": 1, "metadata": {"data/action/.zarray": LIE}})
        ),
    ),
    "with-a-pipe-inside": ({}, lambda path: os.mkfifo(path / "data" / "state" / "note")),
}
V2: dict[str, Change] = {
    **{f"objects-{i}": of_objects(*pair) for i, pair in enumerate([
        ([{"id": "vlen-utf8"}], {"id": "pickle", "protocol": 4}),
        ([{"id": "pickle", "protocol": 5}], None),
        ([{"id": "json2"}], None),
        ([{"id": "msgpack2"}], {"id": "pickle"}),
        ([{"id": "vlen-array", "dtype": "|O"}], {"id": "pickle"}),
        ([{"id": "categorize", "labels": ["a"], "dtype": "|O"}], None),
    ])},
    **{f"kind-{name}": says(dtype=kind) for name, kind in {
        "object": "|O", "text": "<U9", "bytes": "|S8", "void": "|V8", "complex": "<c8",
        "date": "<M8[ns]", "fields": [["a", "<f4"], ["b", "|O"]], "null": None, "number": 4,
        "long": "<f16", "code": "__import__('os')", "sub": "(1000000000,)f8", "many": "f4,f4",
    }.items()},
    **{f"shape-{name}": says(shape=shape) for name, shape in {
        "negative": [-12, 2], "null": None, "text": "12", "bool": [True, 2], "float": [12.0, 2],
        "nested": [[12], 2], "empty": [], "huge": [10**18, 2], "trillion": [10**12, 2],
        "long": [1] * 200, "object": {"0": 12}, "more": [24, 2], "fewer": [6, 2],
    }.items()},
    "shape-400-digits": number("9" * 400),
    "shape-1e999": number("1e999"),
    **{f"chunks-{name}": says(chunks=value) for name, value in {
        "zero": [0, 2], "negative": [-5, 2], "null": None, "one": [5], "huge": [10**9, 2],
        "13-gb": [5, 650_000_000], "true": True, "tiny": [1, 1], "text": ["5", "2"],
    }.items()},
    **{f"compressor-{name}": says(compressor=value) for name, value in {
        "pickle": {"id": "pickle"}, "unknown": {"id": "mystery"}, "text": "zstd", "list": [],
        "no-id": {}, "id-a-list": {"id": ["zstd"]}, "json2": {"id": "json2"},
        "other": {"id": "blosc", "cname": "none", "clevel": "high"}, "base64": {"id": "base64"},
        "name": {"id": "\x1b[31mred"}, "jpegxl": {"id": "imagecodecs_jpegxl"},
    }.items()},
    **{f"filters-{name}": says(filters=value) for name, value in {
        "pickle": [{"id": "pickle"}], "text": "delta", "many": [{"id": "crc32"}] * 50,
        "delta-of-objects": [{"id": "delta", "dtype": "|O", "astype": "|O"}],
        "delta-of-nothing": [{"id": "delta"}], "twice": [{"id": "zlib"}, {"id": "bz2"}],
        "scale": [{"id": "fixedscaleoffset", "offset": 0, "scale": 0, "dtype": "<f4"}],
        "shuffle-0": [{"id": "shuffle", "elementsize": 0}], "null": [None],
        "initval": [{"id": "jenkins_lookup3", "initval": {"a": 1}}],
        "labels": [{"id": "categorize", "labels": ["a"], "dtype": "|O"}],
    }.items()},
    "order": says(order="X"),
    "separator": says(dimension_separator="/../../../"),
    "separator-list": says(dimension_separator=["/"]),
    "fill-value": says(fill_value={"a": [1] * 100}),
    "format-9": says(zarr_format=9),
    "deep": without_description("[" * 100_000),
    "deep-objects": without_description('{"a":' * 50_000),
    "a-list": without_description("[]"),
    "a-null": without_description("null"),
    "not-json": without_description("{"),
    "not-text": without_description(b"\xff\xfe\x00"),
    "no-description": without_description(None),
    "no-ends": lambda path: shutil.rmtree(path / "meta"),
    "no-data": lambda path: shutil.rmtree(path / "data"),
    "ends-objects": lambda path: described(path, "episode_ends", dtype="|O"),
    "ends-floats": lambda path: described(path, "episode_ends", dtype="<f8"),
    "ends-huge": lambda path: described(path, "episode_ends", shape=[10**12]),
    "ends-trillion-chunk": lambda path: described(
        path, "episode_ends", shape=[10**12], chunks=[10**12]
    ),
    **{f"rate-{name}": replaced(".zattrs", json.dumps({"rate_hz": value})) for name, value in {
        "text": "fast", "nan": float("nan"), "infinite": float("inf"), "negative": -1, "zero": 0,
        "null": None, "list": [20], "object": {}, "bool": True, "huge": 1e308,
    }.items()},
    "rate-400-digits": replaced(".zattrs", '{"rate_hz": ' + "9" * 400 + "}"),
    "attributes-list": replaced(".zattrs", "[1]"),
    "checksum-text": lambda path: (path / "data/action/.zattrs").write_text('{"crc32": "x"}'),
    "chunk-empty": filled(b""),
    "chunk-noise": filled(bytes(range(256)) * 4),
    "chunk-zstd-bomb": filled(ZSTD.encode(BOMB)),
    "chunk-zlib-bomb": filled(zlib.compress(BOMB), compressor={"id": "zlib", "level": 1}),
    "chunk-bz2-bomb": filled(bz2.compress(BOMB[: 10**7]), compressor={"id": "bz2", "level": 1}),
    "chunk-lzma-bomb": filled(
        lzma.compress(BOMB[: 10**7], preset=0), compressor={"id": "lzma", "format": 1}
    ),
    "chunk-blosc-2-gb": filled(
        b"\2\1\1\1" + struct.pack("<III", 2**31 - 1, 2**20, 64) + bytes(48),
        compressor={"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1},
    ),
    "chunk-lz4-2-gb": filled(
        struct.pack("<i", 2**31 - 1) + bytes(60), compressor={"id": "lz4", "acceleration": 1}
    ),
    "chunk-zstd-13-gb": filled(b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 13 << 30) + bytes(20)),
    "chunk-large": filled(bytes(50_000_000), compressor=None),
    "chunk-pipe": pipe("data/action/1.0"),
    "description-pipe": pipe("data/action/.zarray"),
    "ends-pipe": pipe("meta/episode_ends/.zarray"),
    "feature-linked": linked(beside, "data/state"),
    "action-linked": linked(beside, "data/action"),
    "data-linked": linked(beside, "data"),
    "meta-linked": linked(beside, "meta"),
    "ends-linked": linked(beside, "meta/episode_ends"),
    "chunk-linked": linked(beside, "data/action/1.0"),
    "description-linked": linked(beside, "data/action/.zarray"),
    "link-to-itself": lambda path: (path / "data" / "loop").symlink_to("."),
    "link-in-a-circle": lambda path: (path / "data" / "loop").symlink_to("loop"),
    "link-to-a-device": lambda path: (
        (path / "data/action/1.0").unlink(),
        (path / "data/action/1.0").symlink_to("/dev/zero"),
    ),
    "chunk-a-folder": lambda path: (
        (path / "data/action/1.0").unlink(),
        (path / "data/action/1.0").mkdir(),
    ),
    **{f"words-{name}": of_words(*data) for name, data in {
        "many": (struct.pack("<I", 2**32 - 1),), "long": (struct.pack("<II", 1, 2**32 - 1),),
        "nothing": (b"",), "cut": (struct.pack("<II", 5, 9) + b"pick",),
        "steering": (struct.pack("<II", 5, 4) + b"\x1b[2J" * 5,),
    }.items()},
    "words-bomb": of_words(zlib.compress(BOMB), compressor={"id": "zlib", "level": 1}),
    "words-wide": of_words(b"", dtype="<U999999", filters=None),
    "words-endless": of_words(b"", shape=[10**15], chunks=[10**15]),
    "words-pickled": of_words(b"cos\nsystem\n(S'touch owned'\ntR.", filters=[{"id": "pickle"}]),
    "chunk-gone": lambda path: (path / "data/action/1.0").unlink(),
    "action-a-file": lambda path: (
        shutil.rmtree(path / "data/action"),
        (path / "data/action").write_text("hello"),
    ),
}  # fmt: skip


def write(folder: Path) -> Iterator[Hostile]:
    for name, (options, change) in RIGHT.items():
        path = store(folder / f"v2-{name}.zarr", **options)
        if change is not None:
            change(path)
        yield Hostile(f"zarr v2 {name}", path, True, ARRAYS)
    sound = store(folder.parent / "sound-2.zarr", compressors=ZSTD)
    for name, change in V2.items():
        path = folder / f"v2-{name}.zarr"
        shutil.copytree(sound, path)
        change(path)
        yield Hostile(f"zarr v2 {name}", path)
