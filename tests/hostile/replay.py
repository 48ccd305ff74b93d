"""A sound replay buffer, and how parts of it are changed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numcodecs
import zarr
from sound import ARRAYS, ENDS

Change = Callable[[Path], object]


def store(path: Path, version: int = 2, **options: Any) -> Path:
    """A sound buffer, as zarr writes it."""
    root = zarr.open_group(path, mode="w", zarr_format=version, attributes={"rate_hz": 20})
    for key, values in {**ARRAYS, "episode_ends": ENDS}.items():
        room = "meta" if key == "episode_ends" else "data"
        chunks = (len(values), *values.shape[1:]) if room == "meta" else (5, *values.shape[1:])
        more = options if room == "data" else {}
        array = root.create_array(
            f"{room}/{key}",
            shape=values.shape,
            dtype=values.dtype,
            **{"chunks": chunks, "config": {"write_empty_chunks": True}, **more},
        )
        array[...] = values
    return path


def described(path: Path, key: str = "action", **fields: Any) -> None:
    """Fields of an array's description changed."""
    file = next(path.glob(f"*/{key}/.zarray"), None) or next(path.glob(f"*/{key}/zarr.json"))
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


def says(**fields: Any) -> Change:
    return lambda path: described(path, **fields)


def chunks(path: Path, key: str = "action") -> list[Path]:
    found = sorted(path.glob(f"data/{key}/**/*"))
    return [file for file in found if file.is_file() and file.name not in META]


META = (".zarray", ".zattrs", "zarr.json")


def replaced(place: str, content: str) -> Change:
    return lambda path: (path / place).write_text(content)


ZSTD = numcodecs.Zstd(level=3)
BOMB = bytes(300_000_000)
LIE = {"zarr_format": 2, "shape": [10**12], "chunks": [10**12], "dtype": "|O", "order": "C"}
LIE |= {"compressor": {"id": "pickle"}, "filters": [{"id": "vlen-utf8"}], "fill_value": 0}
