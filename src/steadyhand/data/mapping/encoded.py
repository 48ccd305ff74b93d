"""Pictures that are kept as JPEG, PNG or WebP, a row of bytes each: decoded when asked for."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.files import told
from steadyhand.data.lazy import damage_told, gathered
from steadyhand.data.pictures.containers import LARGEST_PICTURE
from steadyhand.disk import inside, regular
from steadyhand.errors import DataError, library

FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
STILLS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
"""How files of such pictures end."""
MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"RIFF")
"""How the bytes of such pictures begin."""
WIDE = ("I", "I;16", "I;16B", "I;16L", "F")
"""Pillow's names of one channel of more than 8 bits: depth."""


def begins(row: Any) -> bool:
    """Whether bytes begin as such a picture does."""
    return np.asarray(row)[:8].tobytes().startswith(MAGIC)


def is_encoded(array: Any) -> bool:
    """Whether an array is (steps, bytes), and its first row such a picture."""
    if len(array.shape) != 2 or array.dtype != np.uint8 or not array.shape[0]:
        return False
    try:
        return begins(array[0])
    except Exception:  # what is damaged is told where it is read
        return False


def decoded(content: bytes | Path, what: str, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
    """A picture (height, width, channels): uint8, or what one channel of more bits holds.

    Raises `DataError` for what is none, and where it is not of the `shape` of the others.
    """
    pillow = library("PIL.Image")
    try:
        source = io.BytesIO(content) if isinstance(content, bytes) else content
        with pillow.open(source, formats=FORMATS) as picture:
            if picture.width * picture.height > LARGEST_PICTURE:
                raise ValueError(f"it has {picture.width}×{picture.height} pixels, more than 8K")
            if picture.mode in WIDE:
                values = np.asarray(picture)
            else:
                values = np.asarray(picture.convert("L" if picture.mode in "1L" else "RGB"))
    except Exception as error:  # a damaged picture can raise nearly anything
        raise DataError(f"{what} cannot be read: {told(error)}") from error
    values = values.reshape(*values.shape[:2], -1)
    if shape is not None and values.shape != shape:
        raise DataError(f"{what} is {values.shape}, where the first is {shape}")
    return values


class Encoded:
    """The pictures in rows of bytes, (steps, height, width, channels); the first says the size."""

    def __init__(self, source: Any, path: Path | None) -> None:
        self._source, self._path = source, path
        first = self._picture(0)
        self.shape, self.dtype = (source.shape[0], *first.shape), first.dtype

    def _picture(self, step: int, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
        return decoded(np.asarray(self._source[step]).tobytes(), f"its picture {step}", shape)

    def __getitem__(self, key: Any, /) -> NDArray[Any]:
        with damage_told(self._path, "pictures"):
            return gathered(
                self,
                key,
                lambda rows: (
                    (i, self._picture(int(n), self.shape[1:])) for i, n in enumerate(rows)
                ),
            )


class Stills:
    """Pictures in files of a folder, one a step: (steps, height, width, channels).

    The first says the size. Raises `DataError` for what cannot be read, or lies elsewhere.
    """

    def __init__(self, folder: Path, files: Sequence[str | Path]) -> None:
        self.folder, self.files = folder, tuple(files)
        first = self._picture(0)
        self.shape, self.dtype = (len(files), *first.shape), first.dtype

    def _picture(self, step: int, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
        try:
            file = self.folder / inside(self.folder, self.files[step])
            regular(file)
        except (OSError, ValueError) as error:
            raise DataError(f"{self.folder}: {self.files[step]} cannot be read: {error}") from error
        return decoded(file, str(file), shape)

    def __getitem__(self, key: Any, /) -> NDArray[Any]:
        return gathered(
            self,
            key,
            lambda rows: ((i, self._picture(int(n), self.shape[1:])) for i, n in enumerate(rows)),
        )
