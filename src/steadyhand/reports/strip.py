"""Episodes as pictures of a page: a strip of moments that prints, and a short film that loops."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError, library

Frames = Sequence[NDArray[np.uint8]]
"""(H, W, 3) each, all of one size."""
ROWS = 2
"""Of a strip: six moments stand three by three, large enough for a phone."""
FILM_BYTES = 150_000
FILM_HZ = 10.0
SHAPES = ((240, 75), (200, 65), (160, 55), (120, 45), (90, 30))
"""(pixels high, quality) of a film, the best first."""


@dataclass(frozen=True, kw_only=True)
class Strip:
    """An episode: its moments as a JPEG and, where there is one, its film as a WebP, in base64."""

    caption: str
    jpeg: str
    film: str = ""


def contact_strip(frames: Frames, count: int = 6, height: int = 180) -> str:
    """`count` moments from first to last in two rows, each `height` pixels high, base64 JPEG."""
    image = library("PIL.Image")
    rows = ROWS if count >= 4 else 1
    count = -(-count // rows) * rows
    chosen = np.round(np.linspace(0, len(_checked(frames)) - 1, count)).astype(int)
    small = [np.asarray(_resized(frames[n], height)) for n in chosen]
    gap = np.full((height, 4, 3), 255, np.uint8)
    lines = []
    for row in range(rows):
        line = [
            part for one in small[row * count // rows :][: count // rows] for part in (gap, one)
        ]
        lines.append(np.concatenate(line[1:], axis=1))
    across = np.full((4, lines[0].shape[1], 3), 255, np.uint8)
    sheet = np.concatenate([part for line in lines for part in (across, line)][1:])
    return _encoded(image.fromarray(sheet), "JPEG", quality=85)


def film(frames: Frames, rate_hz: float) -> str:
    """All of an episode as a picture that moves and starts again, base64 WebP.

    At most ten frames a second of its own time and 150 kB: what is longer is smaller and coarser.
    The last frame stays for a second.
    """
    every = max(1, round(rate_hz / FILM_HZ))
    found = ""
    for coarser in (1, 2, 4):
        step = every * coarser
        shown = [*_checked(frames)[:-1:step], frames[-1]]
        times = [round(1000 * step / rate_hz)] * (len(shown) - 1) + [1000]
        for height, quality in SHAPES:
            first, *rest = (_resized(frame, height) for frame in shown)
            moving = {"save_all": True, "append_images": rest, "duration": times, "loop": 0}
            found = _encoded(first, "WEBP", quality=quality, method=4, **moving)
            if len(found) * 3 / 4 <= FILM_BYTES:
                return found
    return found


def _checked(frames: Frames) -> Frames:
    """Raises `ConfigurationError` where there is none."""
    if not len(frames):
        raise ConfigurationError("An episode without frames cannot be shown; film it.")
    return frames


def _resized(frame: NDArray[np.uint8], height: int) -> Any:
    """A picture so many pixels high, of the same shape; a small one stays sharp."""
    image = library("PIL.Image")
    width = max(1, round(frame.shape[1] * height / frame.shape[0]))
    smooth = image.Resampling.LANCZOS if frame.shape[0] > height else image.Resampling.NEAREST
    return image.fromarray(frame).resize((width, height), smooth)


def _encoded(picture: Any, kind: str, **options: Any) -> str:
    written = io.BytesIO()
    picture.save(written, format=kind, **options)
    return base64.b64encode(written.getvalue()).decode()
