"""What is kept in HDF5 as bytes: words, and pictures in JPEG or PNG, one a step.

Bytes lie padded to one length, or each of a length of its own, of which one is read at a time: none
can be longer than the file. Pictures are recognised by how they begin.
"""

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.files import told
from steadyhand.data.formats import limits
from steadyhand.data.formats.hdf5.inside import LONGEST_TEXT, require_kept
from steadyhand.data.formats.limits import FREE
from steadyhand.data.pictures.containers import LARGEST_PICTURE
from steadyhand.errors import MissingExtraError, library

FORMATS = ("JPEG", "PNG")
MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
MODES = {"L": "L", "1": "L", "RGB": "RGB", "RGBA": "RGBA", "P": "RGB", "CMYK": "RGB"}
"""As what pictures of these modes of Pillow are read; its letters are channels."""
WIDE = ("I", "I;16", "I;16B", "I;16L")
"""Pillow's names of one channel of 16 bits, which is depth."""
REFERENCE = np.dtype("V16")
"""What an element of a length of its own takes where it is listed."""


TOGETHER = 1024
"""Texts that are read at once, at most."""


@dataclass(frozen=True)
class Pictures:
    """A series of encoded pictures."""

    place: str
    rows: int
    size: tuple[int, int, int]
    """Height, width and channels of the first."""
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class Words:
    """Texts: one, or a series of them."""

    place: str
    shape: tuple[int, ...]


def bytes_at(place: str, dataset: Any, size: int) -> Pictures | Words | None:
    """What a dataset holds that is no array of numbers, or is bytes of pictures in one.

    None where it is neither. Raises `ValueError` for what is not kept as it may be.
    """
    h5py, dtype, shape = library("h5py"), dataset.dtype, limits.whole_numbers(dataset.shape)
    text, inner = h5py.check_string_dtype(dtype), h5py.check_vlen_dtype(dtype)
    listed = inner == np.uint8 or (text is not None and text.length is None)
    padded = text is not None or (dtype == np.uint8 and len(shape) == 2)
    if not (listed or padded) or dtype.itemsize > LONGEST_TEXT:
        return None
    require_kept(dataset, REFERENCE if listed else dtype, size)
    series = len(shape) == 2 if dtype == np.uint8 else len(shape) == 1
    if series and shape[0] and (content := row(dataset, 0)).startswith(MAGIC):
        return Pictures(place, shape[0], *seen(content))
    return Words(place, shape) if text is not None and len(shape) < 2 else None


def row(dataset: Any, step: int) -> bytes:
    """The bytes of one step."""
    value = dataset[step]
    return value.encode() if isinstance(value, str) else bytes(value)


def words(dataset: Any, rows: Iterable[int] | None = None, *, size: int = FREE) -> list[str]:
    """Texts of some rows, or all. Raises `ValueError` where they are too long.

    Of all, as many are read at once as have room even if each were as long as the file of `size`.
    """
    found, left = list[str](), LONGEST_TEXT
    if dataset.shape == ():
        value = dataset[()]
        return [value.decode(errors="replace") if isinstance(value, bytes) else str(value)]
    most = max(min(FREE // max(size, dataset.dtype.itemsize, 1), TOGETHER), 1)
    some = range(0, dataset.shape[0], most) if rows is None else rows
    for first in some:
        for value in dataset[first : first + (most if rows is None else 1)]:
            content = value.encode() if isinstance(value, str) else bytes(value)
            left -= len(content)
            if left < 0:
                raise ValueError(f"its words have more than {LONGEST_TEXT} characters")
            found.append(content.decode(errors="replace"))
    return found


def seen(content: bytes) -> tuple[tuple[int, int, int], np.dtype[Any]]:
    """((height, width, channels), kind of number) of a picture, by its header alone.

    Raises `ValueError` where it is none that is read.
    """
    with _opened(content) as picture:
        wide = picture.mode in WIDE
        channels = 1 if wide else len(MODES[picture.mode])
        return (picture.height, picture.width, channels), np.dtype("u2" if wide else "u1")


def decoded(content: bytes, size: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """A picture (height, width, channels). Raises `ValueError` where it is not as the first is."""
    found = seen(content)
    if found != (size, dtype):
        raise ValueError(f"it is {found[0]} of {found[1]}, where the first is {size} of {dtype}")
    with _opened(content) as picture:
        kept = picture if picture.mode in WIDE else picture.convert(MODES[picture.mode])
        return np.asarray(kept).astype(dtype).reshape(size)


@contextmanager
def _opened(content: bytes) -> Iterator[Any]:
    try:
        with library("PIL.Image").open(io.BytesIO(content), formats=FORMATS) as picture:
            if picture.width * picture.height > LARGEST_PICTURE:
                raise ValueError(f"it is {picture.width}×{picture.height}, larger than 8K")
            if picture.mode not in MODES and picture.mode not in WIDE:
                raise ValueError(f"it is a picture of mode {picture.mode}, which is not read")
            yield picture
    except (MissingExtraError, ValueError):
        raise
    except Exception as error:  # a damaged picture can raise nearly anything
        raise ValueError(f"it is no whole picture ({told(error)})") from error
