"""What a frozen part of an encoder makes of each step, worked out once and kept in files.

Such an encoder has `precomputed_from`, the observations it takes for it; `precompute`, for those of
one step (B, 1, …); `fingerprint`; and takes the answers in the place of the observations. A file is
one episode, called after what went in: other pictures, words or weights are another file.
"""

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from steadyhand.data.lazy import LazyArray, Parts, take
from steadyhand.data.pictures.frame_store import Watch, cache_folder
from steadyhand.disk import lock, written_whole
from steadyhand.errors import DataError

BATCH = 16
"""Steps that are worked out together."""
KEPT_DAYS = 30
"""What nobody asked for in so many days is removed when something else is kept."""
Observe = Callable[[NDArray[np.int64]], Mapping[str, torch.Tensor]]
"""Steps (n,) → what was seen at each, normalised, (n, 1, …)."""


def precomputes(encoder: Any) -> bool:
    """Whether a part of it need be asked only once for each step."""
    return bool(getattr(encoder, "precomputed_from", ()))


class Precomputed:
    """The answers of `encoder` for every step of some episodes, `ends` as theirs."""

    def __init__(
        self, encoder: Any, raw: Mapping[str, LazyArray], observe: Observe, ends: NDArray[np.int64]
    ) -> None:
        """`raw` is what goes in, as recorded, by which it is known again."""
        self._encoder, self._raw, self._observe, self._ends = encoder, raw, observe, ends

    def __getitem__(self, steps: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n,) → (n, …). What is not there yet is worked out."""
        return take(self._array, steps)

    @cached_property
    def _array(self) -> LazyArray:
        return self.build()

    def build(self, watch: Watch = lambda steps: None) -> LazyArray:
        """Work out what is not there yet; `watch` is told of the steps that are done.

        Raises `DataError` where there is no room for it.
        """
        folder = cache_folder() / "precomputed" / self._encoder.fingerprint()[:32]
        starts = [0, *self._ends[:-1].tolist()]
        spans = [np.arange(*span) for span in zip(starts, self._ends.tolist(), strict=True)]
        files = [folder / f"{self._name(steps)}.npy" for steps in spans]
        try:
            with lock(folder / ".lock", wait=True):
                _tidy(folder)
                left = sum(map(len, spans))
                for file, steps in zip(files, spans, strict=True):
                    if not file.exists():
                        self._write(file, steps, left)
                    left -= len(steps)
                    watch(len(steps))
        except OSError as error:
            raise DataError(
                f"What the encoder makes of the pictures cannot be kept in {folder} "
                f"({error.strerror or error}). Free the disk, or name another place in the "
                "environment variable STEADYHAND_CACHE."
            ) from error
        return Parts([_Kept(file) for file in files])

    def _write(self, file: Path, steps: NDArray[np.int64], left: int) -> None:
        with torch.no_grad():
            batches = np.array_split(steps, -(-len(steps) // BATCH))
            found = [self._encoder.precompute(self._observe(b)).float().cpu() for b in batches]
        answer = torch.cat(found).numpy()
        needed, free = left * answer[0].nbytes, shutil.disk_usage(file.parent).free
        if needed > free:
            raise DataError(
                f"What the encoder makes of the pictures takes {needed / 1e9:.1f} GB, and "
                f"{file.parent} has {free / 1e9:.1f} GB free. Free the disk, train on fewer "
                "episodes, or name another place in the environment variable STEADYHAND_CACHE."
            )
        with written_whole(file) as partial, partial.open("wb") as open_file:
            np.save(open_file, answer)

    def _name(self, steps: NDArray[np.int64]) -> str:
        known = hashlib.sha256()
        for name, array in sorted(self._raw.items()):
            values = np.ascontiguousarray(take(array, steps))
            known.update(f"{name} {values.dtype} {values.shape}".encode())
            known.update(values.data)
        return known.hexdigest()[:32]


class _Kept:
    """The answers of one episode in a file, which is open only while it is read."""

    def __init__(self, file: Path) -> None:
        self.file = file
        first = np.load(file, mmap_mode="r")
        self.shape, self.dtype = first.shape, first.dtype

    def __getitem__(self, key: Any, /) -> Any:
        return np.array(np.load(self.file, mmap_mode="r")[key])


def _tidy(folder: Path) -> None:
    """Remove what other encoders left that nobody asked for in a long time."""
    os.utime(folder)
    oldest = time.time() - KEPT_DAYS * 86_400
    for other in folder.parent.iterdir():
        with suppress(OSError):
            if other != folder and other.stat().st_mtime < oldest:
                with lock(other / ".lock"):
                    shutil.rmtree(other)
