"""A column of encoded pictures in parquet files: `{bytes, path}` each, one of the two empty.

Colour is read as colour; what has one wide number a pixel, as depth, in those numbers.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.files import AGAIN, LEAVE, damage_of, require_whole, stamp, told
from steadyhand.data.formats.lerobot.index import within
from steadyhand.data.formats.parquet import Table
from steadyhand.data.lazy import gathered
from steadyhand.errors import DataError, MissingExtraError, library

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Pillow's names of pictures with so many channels."""
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
ENDINGS = ("*.png", "*.jpg", "*.jpeg", "*.webp", "*.bmp", "*.tif", "*.tiff")
"""What files of these are called."""
COLOURED = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
"""Pillow's names of what is colour."""
NUMBERS = {"I;16": "u2", "I;16L": "u2", "I;16B": "u2", "I;16N": "u2", "I": "i4", "F": "f4"}
"""Its names of one number a pixel, and what that is."""

PACKED = ("raw", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits")
"""How a TIFF may be packed: in strips of rows, by what is as good as PNG."""
TILES = range(322, 326)
"""Tags of a TIFF in tiles, each of which may claim any size, and is made room for."""

Span = tuple[Table, int, int, int]
"""(table, first row, steps, episode)."""


class Images:
    """The pictures of all episodes, decoded when asked for: (steps, height, width, channels).

    What they hold is told by the header of the first.
    """

    def __init__(
        self, spans: Sequence[Span], name: str, shape: tuple[int, int, int], *, root: Path
    ) -> None:
        self._spans, self._name, self._root = spans, name, root
        self.blocks = np.cumsum([steps for _, _, steps, _ in spans])
        self._held: tuple[Table | None, range, Any] = (None, range(0), None)
        numbers = self._numbers()
        self.dtype = np.dtype(numbers or np.uint8)
        self.shape = (int(self.blocks[-1]), *shape[:2], 1 if numbers else shape[2])

    def fingerprint(self) -> list[Any]:
        """Changes when a table does, or a picture beside the tables: cells may name any of them."""
        beside = sorted(file for end in ENDINGS for file in self._root.rglob(end))
        return [
            [[*stamp(table.file), first, steps] for table, first, steps, _ in self._spans],
            [[str(file.relative_to(self._root)), *stamp(file)] for file in beside],
        ]

    def __getitem__(self, key: Any, /) -> NDArray[Any]:
        return gathered(self, key, lambda steps: enumerate(map(self._picture, steps.tolist())))

    def _picture(self, step: int) -> NDArray[Any]:
        block = int(np.searchsorted(self.blocks, step, side="right"))
        table, first, steps, episode = self._spans[block]
        row = first + step - (int(self.blocks[block]) - steps)
        if self._held[0] is not table or row not in self._held[1]:
            with damage_of(episode):
                self._held = (table, *table.cells(self._name, row))
        _, rows, cells = self._held
        pillow = library("PIL.Image")
        try:
            source = self._source(cells[row - rows.start].as_py(), episode)
            with pillow.open(source, formats=FORMATS) as picture:
                return self._decoded(picture)
        except DataError:
            raise
        except pillow.UnidentifiedImageError as error:
            why, way, cause = f"it is no {', '.join(FORMATS)}", LEAVE, error
        except Exception as error:  # a damaged picture can raise nearly anything
            why, way, cause = told(error), AGAIN if isinstance(error, OSError) else LEAVE, error
        why = f"the picture '{self._name}' of its row {row} ({why})"
        raise table.damaged(why, episode, way) from cause

    def _numbers(self) -> str | None:
        """What the first picture holds where that is no colour, by its header."""
        table, _, _, episode = self._spans[0]
        try:
            source = self._source(table.first(self._name), episode)
            with library("PIL.Image").open(source, formats=FORMATS) as picture:
                return NUMBERS.get(picture.mode)
        except MissingExtraError:
            raise
        except Exception:  # what is damaged is told where it is read
            return None

    def _source(self, cell: Any, episode: int) -> Any:
        """What Pillow opens: bytes in memory, or a file of the data set."""
        data, path = (cell.get("bytes"), cell.get("path")) if isinstance(cell, dict) else (None, "")
        if isinstance(data, bytes) and data:
            return io.BytesIO(data)
        if not isinstance(path, str) or not path:
            raise ValueError("the cell is empty")
        file = within(self._root, path)
        require_whole(f"The picture {file} of episode {episode}", file, None, episode)
        return file

    def _decoded(self, picture: Any) -> NDArray[Any]:
        height, width, channels = self.shape[1:]
        if (picture.height, picture.width) != (height, width):
            size = f"{picture.width}×{picture.height}"
            raise ValueError(f"it is {size}, not {width}×{height} as declared")
        if picture.format == "TIFF" and (
            picture.info.get("compression") not in PACKED or any(t in picture.tag_v2 for t in TILES)
        ):
            raise ValueError("it is a TIFF in tiles, or packed in a way that is not read")
        if self.dtype == np.uint8:
            if picture.mode not in COLOURED:
                raise ValueError(f"mode {picture.mode}, and the first of them is colour")
            picture = picture.convert(MODES[channels])
        elif NUMBERS.get(picture.mode) != self.dtype.str[1:]:
            raise ValueError(f"mode {picture.mode}, and the first of them holds {self.dtype}")
        return np.asarray(picture, self.dtype).reshape(height, width, channels)
