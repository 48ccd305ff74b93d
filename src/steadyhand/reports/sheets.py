"""Contact sheets of what cameras saw: colour as it is, depth in grays over one range of metres."""

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data import Episodes
from steadyhand.data.pictures.colour import as_pictures, picture_scale
from steadyhand.data.pictures.resize import resize_depth, resize_frames
from steadyhand.errors import SteadyhandError, library
from steadyhand.sizes import fitted

SHEETS, TIMES = 8, 6
"""Episodes of which pictures are shown, and moments of each."""
THUMBNAIL = 112
"""Pixels of the shorter side."""
ENDS = (0.02, 0.98)
"""Of what was measured, so much is nearer than the brightest gray, and than the darkest."""
BRIGHT, DARK = 255.0, 50.0
"""The grays of what is near and what is far; black is what was not measured."""


def sheets(
    episodes: Episodes, key: str, told: set[str]
) -> tuple[str, list[tuple[str, str]], list[str]]:
    """(feature, (caption, JPEG) of contact sheets, why there are none of others).

    A sheet is an episode, in two rows from its first picture to its last.
    """
    array, depth = episodes.arrays[key], episodes.kind(key) == "depth"
    size = fitted((array.shape[1], array.shape[2]), (THUMBNAIL,))
    found, failures, scale = dict[int, NDArray[Any]](), list[str](), None
    for number in evenly(len(episodes), SHEETS).tolist():
        start, end = int(episodes.starts[number]), int(episodes.ends[number])
        moments = np.linspace(start, end - 1, TIMES).astype(int).tolist()
        try:
            picked = [np.asarray(array[moment]) for moment in moments]
            if depth:
                small = [resize_depth(metres, size) for metres in picked]
            else:
                scale = picture_scale(array) if scale is None else scale
                small = [resize_frames(as_pictures(p, scale, key), size) for p in picked]
        except SteadyhandError as error:
            failures += [str(error)] if str(error) not in told else []
            continue
        found[number] = np.stack(small)
    words = ""
    if depth and found:
        near, far = range_of(np.concatenate(list(found.values())))
        found = {number: in_grays(metres, near, far) for number, metres in found.items()}
        words = f", {near:.3g} m bright to {far:.3g} m dark, black where nothing was measured"
    drawn = []
    for number, pictures in found.items():
        seconds = int(episodes.lengths[number]) / episodes.rate_hz
        caption = f"Episode {episodes.number(number)}, {seconds:.1f} s{words}"
        drawn.append((caption, _jpeg(_laid_out(pictures))))
    return key, drawn, failures


def range_of(metres: NDArray[Any]) -> tuple[float, float]:
    """(near, far) of nearly all that was measured; (0, 1) where nothing was."""
    measured = metres[metres > 0]
    if not len(measured):
        return 0.0, 1.0
    near, far = (float(end) for end in np.quantile(measured, ENDS))
    return near, far if far > near else near + 1e-3


def in_grays(metres: NDArray[Any], near: float, far: float) -> NDArray[np.uint8]:
    """Depth (…, 1) to be looked at: near is bright, far dark, and what was not measured black."""
    place = np.clip((metres.astype(np.float32) - near) / (far - near), 0, 1)
    return np.where(metres > 0, BRIGHT + place * (DARK - BRIGHT), 0).astype(np.uint8)


def evenly(count: int, most: int) -> NDArray[np.int64]:
    """At most so many of `count` places, from the first to the last."""
    return np.unique(np.linspace(0, count - 1, most).astype(int))


def _laid_out(pictures: NDArray[Any]) -> NDArray[Any]:
    """(TIMES, height, width, channels) in two rows."""
    rows = pictures.reshape(2, -1, *pictures.shape[1:])
    return np.concatenate(np.concatenate(rows, axis=1), axis=1)


def _jpeg(pixels: NDArray[Any]) -> str:
    encoded = io.BytesIO()
    picture = library("PIL.Image").fromarray(pixels.squeeze())
    picture.convert("RGB").save(encoded, format="JPEG", quality=85)
    return base64.b64encode(encoded.getvalue()).decode()
