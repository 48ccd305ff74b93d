"""What the names that people give to features say of them."""

import re

DEPTH = ("depth", "disparity", "rgbd")
"""What the name of a picture holds that is no colour."""
PLACES = {"xyz", "pointmap", "position", "positions"}
"""Words in the names of pictures whose channels are a place."""
VECTORS = {"normal", "normals", "flow"}
"""Words in the names of pictures that are no colour and no places either."""
POINTS = {"cloud", "clouds", "lidar", "pc", "pcd", "pcl", "points", "xyz", "xyzrgb"}
POINTS |= {"pointcloud", "pointclouds", "pointmap"}
ORDERED = ("key", "landmark", "marker", "joint", "corner", "waypoint", "skeleton", "traj", "path")
ORDERED += ("history", "wrench", "force", "imu")
"""How words begin by which a long table is said to have an order."""
TABLES = ("height", "elevation", "terrain", "tactile", "touch", "taxel", "pressure", "force")
"""How words begin by which a map is of sensors or of the ground, and no picture."""
LABELS = ("seg", "label", "instance", "semantic", "mask")
"""How words begin by which the numbers of pixels are those of things."""


def is_action(key: str) -> bool:
    """Whether a feature is, by its name, what the robot was told: `action`, `actions`, …"""
    return re.match(r"actions?(?![a-z])", key.lower()) is not None


def says_depth(key: str) -> bool:
    return any(word in key.lower() for word in DEPTH)


def says_points(key: str) -> bool:
    return bool(_words(key) & POINTS)


def says_pixels_of_places(key: str) -> bool:
    return bool(_words(key) & (PLACES | POINTS))


def says_vectors(key: str) -> bool:
    return bool(_words(key) & VECTORS)


def says_order(key: str) -> bool:
    return any(word.startswith(ORDERED) for word in _words(key))


def says_table(key: str) -> bool:
    return any(word.startswith(TABLES) for word in _words(key))


def says_labels(key: str) -> bool:
    return any(word.startswith(LABELS) for word in _words(key))


def _words(key: str) -> set[str]:
    return set(re.findall("[a-z]+", key.lower()))
