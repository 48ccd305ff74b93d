"""What the numbers of a feature are: colour, a state, or what is trained on as neither.

Depth read as colour is rounded to nothing, and a cloud of points has no order that a network of
states could learn. Told by name, shape, kind of number and what the file declares; only where these
leave it open, by a few of the pictures.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from steadyhand.data.colour import picture_scale
from steadyhand.data.episodes import Episodes
from steadyhand.data.footage import measured
from steadyhand.data.lazy import LazyArray
from steadyhand.sizes import SMALLEST_IMAGE, kind_of

MOST_NUMBERS = 4096
"""A feature with more numbers at a time step is not taken for a state."""
SMALLEST_MAP = 32
"""Rows and columns from which a table of wide numbers is taken for a map; of up to 16 bits, as few
as make a picture."""
CLOUD, FEW_POINTS = 64, 16
"""Rows from which a table is taken for points: one of 3 to 7 columns, and one that is named so."""
DEPTH = ("depth", "disparity", "rgbd")
"""What the name of a picture holds that is no colour."""
MEASURES = {"xyz", "normal", "normals", "pointmap", "flow", "position", "positions"}
"""Words in the names of pictures of floating numbers that are no colour either."""
POINTS = {"cloud", "clouds", "lidar", "pc", "pcd", "pcl", "points", "xyz", "xyzrgb"}
POINTS |= {"pointcloud", "pointclouds"}
ORDERED = ("key", "landmark", "marker", "joint", "corner", "waypoint", "skeleton", "traj", "path")
ORDERED += ("history", "wrench", "force", "imu")
"""How words begin by which a long table is said to have an order."""
FLAT = "if it is a state, store it flat, (steps, numbers)"
NOT_YET = "which is not trained on yet"


def understood(episodes: Episodes) -> Episodes:
    """The episodes without the features that are neither colour nor a state; `left_out` says why.

    Little more than the index is read: headers of pictures, and a few pictures of floating numbers.
    """
    unsaid = {key: a for key, a in episodes.arrays.items() if key not in episodes.kinds}
    found = {key: why_neither(key, array) for key, array in unsaid.items()}
    reasons = {key: why for key, why in found.items() if why is not None}
    if not reasons:
        return episodes
    arrays = {key: array for key, array in episodes.arrays.items() if key not in reasons}
    return replace(episodes, arrays=arrays, left_out={**episodes.left_out, **reasons})


def why_neither(key: str, array: LazyArray) -> str | None:
    """Why a feature (steps, …) is neither colour nor a state; None where it may be one of them."""
    shape, dtype = tuple(array.shape[1:]), np.dtype(array.dtype)
    if 0 in shape:
        return f"it is empty, {shape} at each step"
    if kind_of(shape) == "image":
        return _picture(key, array, shape[2], dtype)
    wide = [size for size in shape if size != 1]
    if len(wide) >= 2 and prod(wide) >= SMALLEST_IMAGE**2 and _says_depth(key):
        return f"it is depth of shape {shape}, {NOT_YET}"
    if len(shape) == 3 and shape[0] in (3, 4) and kind_of((*shape[1:], shape[0])) == "image":
        return (
            f"its pictures have their channels first, {shape}; store them as cameras give them, "
            "(height, width, channels)"
        )
    if len(wide) >= 2 and _is_cloud(key, wide):
        return (
            f"it is a cloud of points, {shape} at each step, {NOT_YET}; if its rows have an order, "
            "store it flat, (steps, numbers)"
        )
    smallest = SMALLEST_IMAGE if dtype.itemsize <= 2 and dtype.kind in "iu" else SMALLEST_MAP
    if len(wide) == 2 and min(wide) >= smallest:
        if dtype == np.uint8:
            return f"it is a picture of shape {shape}; gray ones are (height, width, 1)"
        return f"it is a map of {dtype}, {shape} at each step, as depth is, {NOT_YET}; {FLAT}"
    if prod(shape) > MOST_NUMBERS:
        return (
            f"it has {prod(shape)} numbers at each step, and a state has at most {MOST_NUMBERS}; "
            "record what is to be seen of it as a feature of its own"
        )
    return None


def declared(key: str, feature: Mapping[str, Any]) -> str | None:
    """Why pictures that LeRobot's info.json describes so are no colour; None where they may be."""
    if feature.get("dtype") not in ("image", "video"):
        return None
    info, shape = feature.get("info"), feature.get("shape")
    said = {**feature, **info} if isinstance(info, Mapping) else feature
    depth = any(said.get(name) for name in ("is_depth_map", "video.is_depth_map", "depth_unit"))
    if depth or measured(str(said.get("video.pix_fmt", ""))):
        return f"meta/info.json says that it is depth, {NOT_YET}"
    if isinstance(shape, list) and len(shape) == 2:
        return f"it is declared as a map of shape {shape}, as depth is, {NOT_YET}"
    return f"by its name it is depth, {NOT_YET}" if _says_depth(key) else None


def is_action(key: str) -> bool:
    """Whether a feature is, by its name, what the robot was told: `action`, `actions`, …"""
    return re.match(r"actions?(?![a-z])", key.lower()) is not None


def _picture(key: str, array: LazyArray, channels: int, dtype: np.dtype[Any]) -> str | None:
    if _says_depth(key):
        return f"by its name it is depth, {NOT_YET}"
    if (said := getattr(array, "measures", lambda: None)()) is not None:
        return f"it is {said}, as depth is, {NOT_YET}"
    if dtype == np.uint8:
        return None
    if channels == 1:
        return (
            f"it is one channel of {dtype}: depth or another measure, {NOT_YET}; gray pictures are "
            "stored as uint8, 0 to 255"
        )
    if dtype.kind == "f" and _words(key) & (MEASURES | POINTS):
        return f"by its name it is no colour but a measure, {NOT_YET}"
    try:
        scale = picture_scale(array)
    except Exception:  # what is damaged is told where it is read
        return None
    what = f"its numbers ({dtype}) are no colour, which lies in 0 to 255, or floating in 0 to 1"
    return None if scale is not None else f"{what}, but depth or another measure, {NOT_YET}"


def _says_depth(key: str) -> bool:
    return any(word in key.lower() for word in DEPTH)


def _words(key: str) -> set[str]:
    return set(re.findall("[a-z]+", key.lower()))


def _is_cloud(key: str, wide: list[int]) -> bool:
    words = _words(key)
    if any(word.startswith(ORDERED) for word in words):
        return False
    points = any(3 <= size <= 7 for size in (wide[0], wide[-1]))
    return (points and max(wide) >= CLOUD) or (bool(words & POINTS) and max(wide) >= FEW_POINTS)
