"""Films of episodes, as mp4 that browsers play."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from steadyhand.disk import written_whole
from steadyhand.errors import CheckpointError, library


def write_video(path: Path, frames: Sequence[NDArray[np.uint8]], rate_hz: float) -> None:
    """H.264 at `rate_hz`; frames are (height, width, 3) uint8, of even height and width."""
    av = library("av")
    height, width = (size // 2 * 2 for size in frames[0].shape[:2])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as partial, av.open(str(partial), "w") as container:
            stream = container.add_stream("libx264", rate=Fraction(rate_hz).limit_denominator(1000))
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for frame in frames:
                picture = np.ascontiguousarray(frame[:height, :width])
                for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                    container.mux(packet)
            for packet in stream.encode():
                container.mux(packet)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be written ({error}).") from error
