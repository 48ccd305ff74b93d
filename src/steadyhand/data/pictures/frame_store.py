"""The frame store: every picture decoded once, resized, in one memory-mapped file a camera.

Colour is uint8 in it, depth metres in float32. It lies in a cache folder, not beside the data,
which may be read-only. A store is built block by block, so that a killed process goes on where it
was; one process builds, others wait. The folder's name says what it was made from: other content
is another store, and none is ever written over.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.lazy import Formed, LazyArray, beneath
from steadyhand.data.pictures.colour import as_pictures, picture_scale
from steadyhand.data.pictures.footage import Footage
from steadyhand.data.pictures.resize import resize_depth, resize_frames
from steadyhand.disk import lock, read_object, regular, write_json
from steadyhand.errors import DataError

VERSION = 2
"""Of the pixels: where they are made in another way, stores of before are not used."""
KEPT = 3
"""Other stores of the same feature that are left: of data in turns, as with other episodes."""
BLOCK = 256
"""Frames read in one go where the source has no blocks of its own."""
SYNC_SECONDS = 5.0
Watch = Callable[[int], object]
"""Told how many more frames are done."""


def cache_folder() -> Path:
    """Where stores lie: $STEADYHAND_CACHE, or `steadyhand` in the user's cache folder."""
    if chosen := os.environ.get("STEADYHAND_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "steadyhand"


class FrameStore:
    """The frames of one camera at one size."""

    def __init__(
        self, source: LazyArray, where: str, key: str, size: tuple[int, int], *, depth: bool = False
    ) -> None:
        """`where` and `key` say what it is, and so where it lies; `size` is (height, width)."""
        self.source, self.key, self.where, self._depth = source, key, where, depth
        self.shape = (source.shape[0], *size, source.shape[3])
        self.dtype = np.dtype(np.float32 if depth else np.uint8)
        said = [where, key, size, *(["depth"] if depth else [])]
        name = hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]
        words = f"{Path(where).name}-{key}"[:60]
        plain = "".join(c if c.isalnum() else "-" for c in words)
        self._place = f"{plain}-{size[0]}x{size[1]}-{name}"

    @property
    def bytes(self) -> int:
        return int(np.prod(self.shape)) * self.dtype.itemsize

    @property
    def _file(self) -> Path:
        """Where all the frames are, once they are."""
        return self.folder / ("frames.f4" if self._depth else "frames.u8")

    @cached_property
    def folder(self) -> Path:
        """Where it lies: another folder for other content."""
        return cache_folder() / "frames" / f"{self._place}-{self._fingerprint[:16]}"

    @cached_property
    def _fingerprint(self) -> str:
        return self._fingerprint_now()

    def _fingerprint_now(self) -> str:
        made_from = [VERSION, self.source.shape, self.source.fingerprint()]  # type: ignore[attr-defined]
        return hashlib.sha256(json.dumps(made_from).encode()).hexdigest()

    @property
    def ready(self) -> bool:
        """Whether it is whole and of the source as it is now."""
        return self._says("store.json") and self._there(self._file.name)

    def _says(self, card: str) -> bool:
        return self._card(card).get("fingerprint") == self._fingerprint

    def _there(self, name: str) -> bool:
        """Whether a file of all the frames is there, with the room of all of them."""
        try:
            return regular(self.folder / name) == self.bytes
        except OSError:
            return False

    @property
    def broken(self) -> list[tuple[int, int, str]]:
        """(first frame, frame after the last, why) of each block that could not be decoded."""
        return [tuple(entry) for entry in self._card("store.json").get("broken", [])]

    def frames(self) -> NDArray[Any]:
        """The frames (steps, height, width, channels), memory-mapped, read-only."""
        return np.memmap(self._file, self.dtype, "r", shape=self.shape)

    def build(self, watch: Watch = lambda frames: None, *, tolerant: bool = False) -> None:
        """Decode what is not there yet. Where another process is at it, wait for that one.

        Raises `DataError` for a block that is damaged, unless `tolerant`, and where the disk is
        full.
        """
        try:
            if not self.ready:
                with lock(self.folder / ".lock", wait=True):
                    if not self.ready:
                        self._build(watch, tolerant)
                        self._tidy(KEPT)
                        return
            watch(self.shape[0])
            with suppress(OSError):  # a cache that can only be read
                os.utime(self.folder)
        except OSError as error:
            raise DataError(
                f"The frames of '{self.key}' ({self.bytes / 1e9:.1f} GB) cannot be written to "
                f"{self.folder} ({error.strerror or error}). Free the disk, or name another place "
                "in the environment variable STEADYHAND_CACHE."
            ) from error

    def _build(self, watch: Watch, tolerant: bool) -> None:
        films = beneath(self.source)
        if isinstance(films, Footage) and not tolerant:
            for clip in films.clips:  # a look at the headers, before hours of decoding
                clip.check()
        ends, done = self._ends.tolist(), self._resumable()
        broken: list[tuple[int, int, str]] = []
        watch(ends[done - 1] if done else 0)
        partial = self.folder / "frames.partial"
        self._require_space(partial)
        frame_bytes = self.bytes // self.shape[0]
        synced = time.monotonic()
        with partial.open("r+b" if partial.exists() else "w+b") as file:
            file.truncate(self.bytes)
            for block in range(done, len(ends)):
                start = ends[block - 1] if block else 0
                try:
                    frames = self._decoded(start, ends[block])
                except DataError as error:
                    if not tolerant:
                        raise
                    broken.append((start, ends[block], str(error)))
                else:
                    file.seek(start * frame_bytes)
                    file.write(frames.tobytes())
                watch(ends[block] - start)
                if time.monotonic() - synced > SYNC_SECONDS:
                    self._note(file, "progress.json", block + 1, broken)
                    synced = time.monotonic()
            self._note(file, "progress.json", len(ends), broken)
            if self._fingerprint_now() != self._fingerprint:
                raise DataError(
                    f"{self.where}: '{self.key}' changed while its pictures were read. Start again "
                    "when nothing writes to it any more."
                )
            # What says that the frames are whole goes first, so that it never speaks of others.
            (self.folder / "store.json").unlink(missing_ok=True)
            partial.replace(self._file)
            self._note(file, "store.json", len(ends), broken)
        (self.folder / "progress.json").unlink(missing_ok=True)

    def _resumable(self) -> int:
        """Blocks done by a process that was stopped, before the first that is broken.

        What is broken is tried again: it may have been mended, or may be an error now.
        """
        if not (self._says("progress.json") and self._there("frames.partial")):
            return 0
        card = self._card("progress.json")
        first = min((start for start, *_ in card["broken"]), default=self.shape[0])
        return min(int(card["done"]), int(np.searchsorted(self._ends, first, side="right")))

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        steps = self.shape[0]
        blocks = getattr(self.source, "blocks", None)
        return np.append(np.arange(BLOCK, steps, BLOCK), steps) if blocks is None else blocks

    def _decoded(self, start: int, end: int) -> NDArray[Any]:
        films = beneath(self.source)
        if isinstance(films, Footage):
            frames = films.clips[int(np.searchsorted(self._ends, end))].frames()
        else:
            frames = enumerate(np.asarray(films[start:end]))
        result = np.empty((end - start, *self.shape[1:]), self.dtype)
        for number, frame in frames:
            result[number] = self._stored(frame)
        return result

    def _stored(self, frame: NDArray[Any]) -> NDArray[Any]:
        """A frame as it is recorded, as it is in the store."""
        size = (self.shape[1], self.shape[2])
        if isinstance(self.source, Formed):
            [frame] = self.source.form(frame[None])
        if self._depth:
            return resize_depth(frame.astype(np.float32, copy=False), size)
        pictures = as_pictures(frame, self._scale, f"{self.where}: '{self.key}'")
        return resize_frames(pictures, size)

    @cached_property
    def _scale(self) -> float | None:
        return picture_scale(self.source)

    def _require_space(self, partial: Path) -> None:
        needed = self.bytes - (partial.stat().st_blocks * 512 if partial.exists() else 0)
        if needed > shutil.disk_usage(self.folder).free:
            self._tidy(0)
        if needed > (free := shutil.disk_usage(self.folder).free):
            raise DataError(
                f"The frames of '{self.key}' take {self.bytes / 1e9:.1f} GB, and {self.folder} has "
                f"{free / 1e9:.1f} GB free. Free the disk, take a smaller --image-size, or name "
                "another place in the environment variable STEADYHAND_CACHE."
            )

    def _tidy(self, kept: int) -> None:
        """Remove other stores of this feature but the `kept` used last, where none is being built.

        Who reads from one goes on: its file lives as long as it is mapped.
        """
        with suppress(OSError):  # somebody else tidies
            others = [p for p in self.folder.parent.glob(f"{self._place}*") if p != self.folder]
            others.sort(key=lambda p: p.stat().st_mtime_ns, reverse=True)
            for old in others[kept:]:
                with suppress(OSError), lock(old / ".lock"):
                    shutil.rmtree(old)

    def _card(self, name: str) -> dict[str, Any]:
        try:
            return read_object(self.folder / name)
        except (OSError, ValueError):
            return {}

    def _note(self, file: Any, name: str, done: int, broken: list[tuple[int, int, str]]) -> None:
        """Write down how far it is, once the frames themselves are on the disk."""
        file.flush()
        os.fsync(file.fileno())
        card = {
            "fingerprint": self._fingerprint,
            "data": self.where,
            "feature": self.key,
            "shape": self.shape,
            "done": done,
            "broken": broken,
        }
        write_json(self.folder / name, card)
