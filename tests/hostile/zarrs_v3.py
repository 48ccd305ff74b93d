"""Replay buffers in zarr v3 and in archives, whose descriptions and members are a stranger's."""

import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zarr
from case import Hostile
from replay import BOMB, LIE, ZSTD, Change, chunks, replaced, says, store
from sound import ARRAYS

RIGHT_V3: dict[str, dict[str, Any]] = {
    "plain": {},
    "raw": {"compressors": None},
    "gzip": {"compressors": zarr.codecs.GzipCodec(level=1)},
    "blosc": {"compressors": zarr.codecs.BloscCodec()},
    "crc32c": {"compressors": [zarr.codecs.ZstdCodec(), zarr.codecs.Crc32cCodec()]},
    "big": {"serializer": zarr.codecs.BytesCodec(endian="big")},
    "transposed": {"filters": zarr.codecs.TransposeCodec(order=(1, 0))},
    "in-pieces": {"chunks": (5, 1)},
    "sharded": {"chunks": (2, 1), "shards": (6, 2)},
    "keys-of-v2": {"chunk_key_encoding": {"name": "v2", "separator": "."}},
}

SHARDS = {"name": "sharding_indexed", "configuration": {"chunk_shape": [1, 1]}}
V3: dict[str, Change] = {
    f"{field}-{name}": says(**{field: value})
    for field, values in {
        "data_type": {
            "text": "string", "bytes": "variable_length_bytes", "complex": "complex64",
            "raw": "r64", "object": {"name": "struct"}, "null": None, "list": ["float32"],
            "utf32": {"name": "fixed_length_utf32", "configuration": {"length_bytes": 10**12}},
        },
        "shape": {"negative": [-12, 2], "huge": [10**15, 2], "text": "x", "empty": []},
        "chunk_grid": {
            "null": None, "other": {"name": "rectilinear"}, "list": [],
            "13-gb": {"name": "regular", "configuration": {"chunk_shape": [5, 650_000_000]}},
            "zero": {"name": "regular", "configuration": {"chunk_shape": [0, 2]}},
        },
        "codecs": {
            "none": [], "null": None, "text": "bytes", "vlen": [{"name": "vlen-utf8"}],
            "pickle": [{"name": "bytes"}, {"name": "numcodecs.pickle"}],
            "json2": [{"name": "numcodecs.json2"}], "unknown": [{"name": "mystery"}],
            "numbers": [1, 2], "twice": [{"name": "bytes"}, {"name": "gzip"}, {"name": "zstd"}],
            "bytes-twice": [{"name": "bytes"}] * 2, "many": [{"name": "bytes"}] * 1000,
            "order": [{"name": "transpose", "configuration": {"order": [5, 5]}}, "bytes"],
            "endian": [{"name": "bytes", "configuration": {"endian": "odd"}}],
            "settings": [{"name": "bytes", "configuration": [1]}],
            "shards": [SHARDS],
            "nested": [{"name": "sharding_indexed", "configuration": {
                "chunk_shape": [1, 1], "codecs": [SHARDS], "index_codecs": [SHARDS]}}],
            "index-5": [{"name": "sharding_indexed", "configuration": {
                "chunk_shape": [1, 1], "codecs": ["bytes"], "index_codecs": 5}}],
        },
        "chunk_key_encoding": {"null": None, "other": {"name": "mystery"},
            "up": {"name": "default", "configuration": {"separator": "/../"}}},
        "storage_transformers": {"some": [{"name": "mystery"}]},
        "mystery": {"must": {"must_understand": True}},
        "node_type": {"other": "mystery", "list": []},
        "attributes": {"list": [1], "null": None},
    }.items()
    for name, value in values.items()
}  # fmt: skip
V3 |= {
    "shard-index": lambda path: [
        file.write_bytes(os.urandom(0) + bytes([255]) * 400) for file in chunks(path, "state")
    ],
    "shard-cut": lambda path: [file.write_bytes(b"x") for file in chunks(path, "state")],
    "root-list": replaced("zarr.json", "[]"),
    "root-deep": replaced("zarr.json", "[" * 100_000),
    "root-attributes": replaced(
        "zarr.json", '{"zarr_format": 3, "node_type": "group", "attributes": 5}'
    ),
    "root-consolidated": replaced(
        "zarr.json",
        '{"zarr_format": 3, "node_type": "group", "attributes": {}, "consolidated_metadata":'
        ' {"kind": "inline", "must_understand": false, "metadata": {"data/action": 5}}}',
    ),
}


def write(folder: Path) -> Iterator[Hostile]:
    for name, options in RIGHT_V3.items():
        path = store(folder / f"v3-{name}.zarr", 3, **options)
        yield Hostile(f"zarr v3 {name}", path, True, ARRAYS)
    sound = store(folder.parent / "sound-3.zarr", 3, chunks=(2, 1), shards=(6, 2))
    for name, change in V3.items():
        path = folder / f"v3-{name}.zarr"
        shutil.copytree(sound, path)
        change(path)
        yield Hostile(f"zarr v3 {name}", path)
    yield from _archives(folder)


def _archives(folder: Path) -> Iterator[Hostile]:
    """`.zarr.zip`, whose members are a stranger's."""
    sound = store(folder.parent / "sound-zip.zarr", compressors=ZSTD)
    files = {
        str(file.relative_to(sound)): file.read_bytes()
        for file in sorted(sound.rglob("*"))
        if file.is_file()
    }
    attack = pickle.dumps(0)
    lie = json.dumps({**LIE, "shape": [12]}).encode()
    kinds: dict[str, tuple[dict[str, bytes], int, bool]] = {
        "stored": (files, zipfile.ZIP_STORED, True),
        "deflated": (files, zipfile.ZIP_DEFLATED, True),
        "by-bzip2": (files, zipfile.ZIP_BZIP2, False),
        "out-of-it": ({**files, "../../up": b"x", "/etc/x": b"x"}, zipfile.ZIP_STORED, True),
        "deep-names": ({**files, "data/" + "a/" * 20_000: b""}, zipfile.ZIP_STORED, True),
        "objects": ({**files, "data/action/.zarray": lie, "data/action/0": attack}, 0, False),
        "consolidated": ({**files, ".zmetadata": b'{"metadata": 5}'}, 0, True),
        "chunk-bomb": ({**files, "data/action/0.0": BOMB}, zipfile.ZIP_DEFLATED, False),
        "description-bomb": ({**files, "data/action/.zarray": BOMB[: 10**8]}, 8, False),
        "empty": ({}, 0, False),
        "no-data": ({"meta/episode_ends/.zarray": lie}, 0, False),
    }
    for name, (members, how, right) in kinds.items():
        path = folder / f"{name}.zarr.zip"
        with zipfile.ZipFile(path, "w", how) as archive:
            for key, content in members.items():
                archive.writestr(zipfile.ZipInfo(key), content, how)
        yield Hostile(f"zarr zip {name}", path, right, ARRAYS if right else {})
    for name, content in {
        "text": b"hello",
        "cut": (folder / "stored.zarr.zip").read_bytes()[:-9],
    }.items():
        (folder / f"{name}.zarr.zip").write_bytes(content)
        yield Hostile(f"zarr zip {name}", folder / f"{name}.zarr.zip")
    os.mkfifo(folder / "pipe.zarr.zip")
    yield Hostile("zarr zip pipe", folder / "pipe.zarr.zip")
