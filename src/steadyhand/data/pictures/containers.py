"""Opening a film of a stranger: only these containers and codecs, and no file but the one named.

Left to themselves, the libraries follow playlists, manifests and references to other files and to
the network, and try every decoder they have.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import library

LARGEST_PICTURE = 7680 * 4320
"""Pixels: 8K."""
MOST_FRAMES = 1 << 22
"""Frames of one film whose times are looked at: two days at 25 a second."""
CODECS = ("h264", "hevc", "av1", "vp8", "vp9", "mpeg4", "mjpeg", "ffv1")
DECODERS = (*CODECS, "libdav1d", "libaom-av1", "libvpx", "libvpx-vp9")
MP4 = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
"""What the first part of an mp4 or QuickTime file is called."""
BOUNDS = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi",
    "codec_whitelist": ",".join(DECODERS),
    "enable_drefs": "0",
    "use_absolute_path": "0",
}
STRICT = {
    # A decoder that meets damage says so, instead of painting over it.
    "err_detect": "crccheck+bitstream+buffer+explode",
    "max_pixels": str(LARGEST_PICTURE),
}


class ForeignFilmError(ValueError):
    """A film that may be whole, and is none of those that are read."""


@contextmanager
def opened(file: Path) -> Iterator[tuple[Any, Any]]:
    """(container, its first video stream), to be decoded strictly.

    Raises `ForeignFilmError` for what is not in the lists above, and whatever the library raises.
    """
    av, format = library("av"), _format(file)
    with av.open(str(file.absolute()), format=format, options=dict(BOUNDS)) as container:
        stream = container.streams.video[0] if container.streams.video else None
        if stream is None or stream.codec_context is None:
            raise ValueError("it holds no video that can be decoded")
        codec = stream.codec_context.codec.canonical_name
        if codec not in CODECS:
            raise ForeignFilmError(f"its codec is {codec}; {', '.join(CODECS)} are read")
        if stream.width * stream.height > LARGEST_PICTURE:
            raise ForeignFilmError(f"its frames are {stream.width}×{stream.height}, larger than 8K")
        stream.thread_type = "AUTO"
        stream.codec_context.options = STRICT
        yield container, stream


@lru_cache(maxsize=64)
def times_of(file: Path, *stamped: Any) -> NDArray[np.float64]:
    """When each frame of a film is shown, in seconds after its beginning, in order; decodes none.

    They are read anew where what is `stamped` changes.
    """
    with opened(file) as (container, stream):
        packets = islice(container.demux(stream), MOST_FRAMES)
        ticks = sorted(packet.pts for packet in packets if packet.pts is not None)
        seconds = np.array(ticks, np.float64) - (stream.start_time or 0)
        return seconds * float(stream.time_base)


def _format(file: Path) -> str:
    with file.open("rb") as content:
        head = content.read(12)
    if head[4:8] in MP4:
        return "mov"
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "matroska"
    if head.startswith(b"RIFF") and head.endswith(b"AVI "):
        return "avi"
    raise ValueError("it is no mp4, mov, mkv, webm or avi")
