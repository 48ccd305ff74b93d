"""What a LeRobotDataset says of itself, in meta/info.json and beside it: checked, then believed."""

import math
from pathlib import Path
from typing import Any, cast

from steadyhand.data.files import Sum, require_whole, told
from steadyhand.data.formats.lerobot.index import unreadable, within
from steadyhand.data.formats.picture_column import MODES
from steadyhand.data.pictures.containers import LARGEST_PICTURE
from steadyhand.disk import read_object
from steadyhand.errors import DataError

INFO = "meta/info.json"
COUNTED = ("index", "episode_index", "frame_index")
"""Columns that only count; they follow from the rest, and are written anew."""
NOTE = "meta/steadyhand.json"
"""What the writer here has to say beside the format."""


class Description:
    """What it holds and how fast, in which version; and what was written here noted besides.

    Raises `DataError` where any of it is missing, or cannot be.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, f"{path}/{INFO}"
        self.note = self._object(NOTE) if (path / NOTE).exists() else {}
        """What the writer here noted besides; empty where somebody else wrote the set."""
        self.sums = self._sums()
        """Name → size and checksum of each file; empty where somebody else wrote them."""
        self.info = self._object(INFO)
        self.features = self._features()
        """What there is, by name; each has a `dtype`."""
        rate: Any = self.info.get("fps")
        version = self.info.get("codebase_version")
        if type(rate) not in (int, float) or not 1e-3 <= rate <= 1e5:
            said = told(repr(rate))
            raise DataError(f"{self._file}: fps is {said}. Write the steps a second there.")
        if not isinstance(version, str) or not version.startswith(("v2.", "v3.")):
            raise DataError(
                f"{path} is a LeRobotDataset {told(repr(version))}, which is not read here: "
                "v2.0, v2.1 and v3.0 are. LeRobot converts older ones."
            )
        self.rate_hz, self.version = float(rate), version
        self.rate_assumed = self.note.get("rate_assumed") is True

    def _object(self, name: str) -> dict[str, Any]:
        file = within(self._path, name)
        try:
            return read_object(file)
        except (OSError, ValueError) as error:
            raise unreadable(file, error) from error

    def _sums(self) -> dict[str, Sum]:
        files, note = self.note.get("files", {}), self._path / NOTE
        if not isinstance(files, dict) or not all(map(_is_sum, files.values())):
            raise DataError(f"{note}: its checksums cannot be read. Delete that file.")
        sums = {name: (size, checksum) for name, (size, checksum) in files.items()}
        way = f"Copy it again; if it was changed on purpose, delete {note}."
        for name in sums:
            if name.startswith("meta/"):
                file = within(self._path, name)
                require_whole(str(file), file, sums[name], None, way)
        return sums

    def _features(self) -> dict[str, dict[str, Any]]:
        features = self.info.get("features")
        if not isinstance(features, dict):
            raise DataError(f"{self._file} lacks features: name → dtype, shape.")
        for key in features:
            if not key.isprintable() or not 0 < len(key) <= 200:
                raise DataError(
                    f"{self._file}: a feature is called {told(repr(key))}. It needs a name in "
                    "letters."
                )
        said = {
            key: feature
            for key, feature in features.items()
            if isinstance(feature, dict) and isinstance(feature.get("dtype"), str)
        }
        self.unsaid = {
            key: f"meta/info.json says {told(repr(features[key]))} of it, and no dtype"
            for key in features
            if key not in said
        }
        """What there is besides, whose kind it does not say, and why it is left out."""
        return said

    def sum_of(self, file: Path) -> Sum | None:
        """Size and checksum of a file of the set, if they were noted."""
        return self.sums.get(file.relative_to(self._path).as_posix())

    def noted(self, key: str) -> list[str]:
        """A list of names in the note; empty where there is none."""
        names = self.note.get(key)
        return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []

    def varies(self, key: str) -> bool:
        """Whether the shape of a feature is said to be another at each time step."""
        shape = self.features[key].get("shape")
        return isinstance(shape, list) and len(shape) > 1 and None in shape

    def shape(self, key: str) -> tuple[int, ...]:
        """The shape of a feature at one time step."""
        shape = self.features[key].get("shape") or ()
        whole = isinstance(shape, list | tuple) and all(type(size) is int for size in shape)
        if not whole or len(shape) > 8 or not all(0 < size < 1 << 31 for size in shape):
            said = told(repr(shape))
            raise DataError(f"{self._file}: '{key}' has shape {said}. Write its sizes there.")
        return tuple(shape)

    def picture_shape(self, key: str) -> tuple[int, int, int]:
        """(height, width, channels); some sets say (channels, height, width)."""
        shape, names = self.shape(key), self.words(key)
        shape = (*shape, 1) if len(shape) == 2 else shape
        if len(shape) == 3 and (
            names[:1] in (("channel",), ("channels",), ("c",))
            or (shape[0] in (1, 3) and shape[2] not in (1, 3))
        ):
            shape = (*shape[1:], shape[0])
        if len(shape) != 3 or shape[2] not in MODES or math.prod(shape[:2]) > LARGEST_PICTURE:
            raise DataError(
                f"{self._file}: '{key}' has shape {shape}, which is no picture: (height, width, 1, "
                "3 or 4 channels), at most 8K."
            )
        return cast(tuple[int, int, int], shape)

    def words(self, key: str) -> tuple[str, ...]:
        """The names of a feature's numbers, out of the ways in which they are written down."""
        names = self.features[key].get("names")
        if isinstance(names, dict):
            names = [word for words in names.values() if isinstance(words, list) for word in words]
        if isinstance(names, list) and len(names) == 1 and isinstance(names[0], list):
            names = names[0]
        return tuple(told(word) for word in names) if isinstance(names, list) else ()


def _is_sum(pair: Any) -> bool:
    return isinstance(pair, list) and [type(n) for n in pair] == [int, int]
