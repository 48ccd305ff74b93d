"""The data files of a LeRobotDataset that is written: numbers, lists of them, encoded pictures."""

import io
import os
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.colour import as_pictures, picture_scale
from steadyhand.data.episodes import Episodes
from steadyhand.data.formats.lerobot_stats import spread
from steadyhand.data.formats.stream import piece_steps
from steadyhand.errors import library
from steadyhand.sizes import kind_of

FILE_BYTES = 100_000_000
"""A data file is closed when it has about so many."""
FILES_A_CHUNK = 1000


def place_of(folder: str, number: int, ending: str) -> str:
    """Where the file of a number lies in its folder, as the format counts them."""
    chunk, file = divmod(number, FILES_A_CHUNK)
    return f"{folder}/chunk-{chunk:03d}/file-{file:03d}.{ending}"


def index_of(prefix: str, number: int) -> dict[str, int]:
    """What the index says of where that is."""
    chunk, file = divmod(number, FILES_A_CHUNK)
    return {f"{prefix}/chunk_index": chunk, f"{prefix}/file_index": file}


class Tables:
    """Episodes one after the other, a new file where one is full; without the `videos`."""

    def __init__(self, path: Path, episodes: Episodes, videos: Collection[str]) -> None:
        self._path, self._episodes = path, episodes
        self._arrays = {key: a for key, a in episodes.arrays.items() if key not in videos}
        self._scales = {
            key: picture_scale(array)
            for key, array in self._arrays.items()
            if kind_of(array.shape[1:]) == "image"
        }
        self._writer: Any = None  # opened with the first episode, whose columns it needs
        self._bytes = self._steps = 0
        self.file = -1

    def append(self, number: int, start: int, end: int) -> dict[str, NDArray[Any]]:
        """Write an episode; its columns: all numbers, and of pictures some, spread over it."""
        steps = end - start
        flat = [key for key in self._arrays if key not in self._scales]
        columns = {key: self._episodes.read(key, start, end) for key in flat}
        columns.setdefault("timestamp", (np.arange(steps) / self._episodes.rate_hz).astype("f4"))
        columns.setdefault("task_index", np.zeros(steps, np.int64))
        columns["frame_index"] = np.arange(steps)
        columns["episode_index"] = np.full(steps, number)
        columns["index"] = np.arange(start, end)
        numbers = library("pyarrow").table({key: _numbers(v) for key, v in columns.items()})
        usual = self._bytes / self._steps if self._steps and self._scales else 0.0
        if self.file < 0 or self._bytes + max(numbers.nbytes, usual * steps) > FILE_BYTES:
            self.close()
            self.file, self._bytes, self._steps = self.file + 1, 0, 0
        piece = min((piece_steps(self._episodes, key) for key in self._scales), default=steps)
        for first in range(0, steps, piece):
            table = numbers.slice(first, piece)
            for key in self._scales:
                pictures = self._pictures(key, start + first, min(start + first + piece, end))
                table = table.append_column(key, _pictures(pictures))
            self._write(table)
        self._steps += steps
        sampled = {key: self._sampled(key, start, steps) for key in self._scales}
        return {**columns, **sampled}

    def _pictures(self, key: str, start: int, end: int) -> NDArray[np.uint8]:
        return as_pictures(self._episodes.read(key, start, end), self._scales[key], f"'{key}'")

    def _sampled(self, key: str, start: int, steps: int) -> NDArray[np.uint8]:
        return np.concatenate(
            [self._pictures(key, start + s, start + s + 1) for s in spread(steps)]
        )

    def _write(self, table: Any) -> None:
        if self._writer is None:
            file = self._path / place_of("data", self.file, "parquet")
            file.parent.mkdir(parents=True, exist_ok=True)
            parquet = library("pyarrow.parquet")
            self._writer = parquet.ParquetWriter(file, table.schema, write_page_checksum=True)
        self._writer.write_table(table)
        self._bytes += table.nbytes

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _numbers(values: NDArray[Any]) -> Any:
    arrow = library("pyarrow")
    flat = arrow.array(values.reshape(-1).astype(values.dtype.newbyteorder("=")))
    if values.ndim <= 2 and values[0].size == 1:
        return flat
    if values.ndim == 2:
        return arrow.FixedSizeListArray.from_arrays(flat, values.shape[1])
    for size in values.shape[:0:-1]:
        offsets = np.arange(0, len(flat) + 1, size, dtype=np.int32)
        flat = arrow.ListArray.from_arrays(offsets, flat)
    return flat


def _pictures(values: NDArray[np.uint8]) -> Any:
    arrow = library("pyarrow")
    kind = arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as workers:  # zlib leaves Python's lock
        encoded = workers.map(_png, values)
        return arrow.array([{"bytes": data, "path": None} for data in encoded], type=kind)


def _png(picture: NDArray[np.uint8]) -> bytes:
    """Quick, as LeRobot's own: a fifth of the time for a sixth more bytes."""
    made = io.BytesIO()
    library("PIL.Image").fromarray(picture.squeeze()).save(made, format="PNG", compress_level=1)
    return made.getvalue()
