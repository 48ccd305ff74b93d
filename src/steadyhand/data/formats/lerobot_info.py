"""What a LeRobotDataset says of itself, in meta/info.json and beside it: checked, then believed."""

import math
from pathlib import Path
from typing import Any, cast

from steadyhand.data.containers import LARGEST_PICTURE
from steadyhand.data.files import Sum, told
from steadyhand.data.formats.lerobot_index import unreadable, within
from steadyhand.data.formats.picture_column import MODES
from steadyhand.disk import read_object
from steadyhand.errors import DataError

INFO = "meta/info.json"
COUNTED = ("index", "episode_index", "frame_index")
"""Columns that only count; they follow from the rest, and are written anew."""
NOTE = "meta/steadyhand.json"
"""What the writer here has to say beside the format."""


def read_info(path: Path, name: str) -> dict[str, Any]:
    """The object in a description of the set."""
    file = within(path, name)
    try:
        return read_object(file)
    except (OSError, ValueError) as error:
        raise unreadable(file, error) from error


def features_of(path: Path, info: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What the set says that it holds; each has a `dtype`."""
    features = info.get("features")
    if not isinstance(features, dict):
        raise DataError(f"{path}/{INFO} lacks features: name → dtype, shape.")
    for key, feature in features.items():
        kind = feature.get("dtype") if isinstance(feature, dict) else None
        if not key.isprintable() or not 0 < len(key) <= 200 or not isinstance(kind, str):
            raise DataError(
                f"{path}/{INFO}: the feature {told(repr(key))} is {told(repr(feature))}. "
                "It needs a name in letters, dtype and shape."
            )
    return features


def rate_of(path: Path, info: dict[str, Any]) -> float:
    """Steps a second."""
    rate = info.get("fps")
    if not isinstance(rate, int | float) or isinstance(rate, bool) or not 1e-3 <= rate <= 1e5:
        said = told(repr(rate))
        raise DataError(f"{path}/{INFO}: fps is {said}. Write the steps a second there.")
    return float(rate)


def version_of(path: Path, info: dict[str, Any]) -> str:
    """As `v2.1`; one that is read here."""
    version = info.get("codebase_version")
    if not isinstance(version, str) or not version.startswith(("v2.", "v3.")):
        raise DataError(
            f"{path} is a LeRobotDataset {told(repr(version))}, which is not read here: v2.0, v2.1 "
            "and v3.0 are. LeRobot converts older ones."
        )
    return version


def sums_of(path: Path, own: dict[str, Any]) -> dict[str, Sum]:
    """Name → size and checksum of each file, as the writer here has noted them."""
    files = own.get("files", {})
    pairs = isinstance(files, dict) and all(
        isinstance(pair, list) and len(pair) == 2 and all(type(n) is int for n in pair)
        for pair in files.values()
    )
    if not pairs:
        raise DataError(f"{path / NOTE}: its checksums cannot be read. Delete that file.")
    return {name: (size, checksum) for name, (size, checksum) in files.items()}


def strings_of(own: dict[str, Any], key: str) -> list[str]:
    """A list of words in the note; empty where there is none."""
    values = own.get(key)
    return [word for word in values if isinstance(word, str)] if isinstance(values, list) else []


def shape_of(path: Path, key: str, feature: dict[str, Any]) -> tuple[int, ...]:
    """The shape of a feature at one time step."""
    shape = feature.get("shape") or ()
    whole = isinstance(shape, list | tuple) and all(type(size) is int for size in shape)
    if not whole or len(shape) > 8 or not all(0 < size < 1 << 31 for size in shape):
        said = told(repr(shape))
        raise DataError(f"{path}/{INFO}: '{key}' has shape {said}. Write its sizes there.")
    return tuple(shape)


def picture_shape_of(path: Path, key: str, feature: dict[str, Any]) -> tuple[int, int, int]:
    """(height, width, channels); some sets say (channels, height, width)."""
    shape, names = shape_of(path, key, feature), words_of(feature)
    if len(shape) == 3 and (
        names[:1] in (("channel",), ("channels",), ("c",))
        or (shape[0] in (1, 3) and shape[2] not in (1, 3))
    ):
        shape = (*shape[1:], shape[0])
    if len(shape) != 3 or shape[2] not in MODES or math.prod(shape[:2]) > LARGEST_PICTURE:
        raise DataError(
            f"{path}/{INFO}: '{key}' has shape {shape}, which is no picture: (height, width, 1, 3 "
            "or 4 channels), at most 8K."
        )
    return cast(tuple[int, int, int], shape)


def words_of(feature: dict[str, Any]) -> tuple[str, ...]:
    """The names of a feature's numbers, out of the ways in which they are written down."""
    names = feature.get("names")
    if isinstance(names, dict):
        names = [word for words in names.values() if isinstance(words, list) for word in words]
    if isinstance(names, list) and len(names) == 1 and isinstance(names[0], list):
        names = names[0]
    return tuple(told(word) for word in names) if isinstance(names, list) else ()
