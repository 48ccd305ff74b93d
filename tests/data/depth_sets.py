"""Depth as others store it and the metres that it is: films, pictures, and what is said of them."""

import io
import json
from fractions import Fraction

import av
import numpy as np
import pyarrow.parquet as pq
import sets
from PIL import Image

from steadyhand.data.pictures.pixels import numbers_of

STEPS, HEIGHT, WIDTH = sum(sets.LENGTHS), *sets.SIZE
COUNTED = (np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) % 3000).astype(np.uint16)
"""Numbers of which most need more than 8 bits, and some more than 11."""
RIGHT = np.array([np.float32(n / 1000) for n in range(3000)], np.float32)[COUNTED]
"""Metres, where the numbers are millimetres; the first pixel was not measured."""
METRES = RIGHT.astype(np.float32)


def film(path, frames, pixels="gray12le", codec="libx265") -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(sets.RATE))
        if codec == "libx265":
            stream.options = {"x265-params": "log-level=0:lossless=1"}
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pixels
        for values in frames:
            frame = av.VideoFrame(values.shape[1], values.shape[0], pixels)
            if values.ndim == 3:
                frame = av.VideoFrame.from_ndarray(values, format="rgb24").reformat(format=pixels)
            else:
                kind = numbers_of(pixels, declared=True).newbyteorder(
                    ">" if pixels.endswith("be") else "<"
                )
                plane = frame.planes[0]
                rows = np.zeros((values.shape[0], plane.line_size), np.uint8)
                packed = np.ascontiguousarray(values.astype(kind)).view(np.uint8)
                rows[:, : packed.shape[1]] = packed
                plane.update(rows.tobytes())
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def described(path, key=sets.CAMERA, **said) -> None:
    """Say more of a feature in info.json."""
    card = path / "meta" / "info.json"
    info = json.loads(card.read_text())
    feature = info["features"].setdefault(key, {"names": None})
    feature |= said
    card.write_text(json.dumps(info))


def encoded(values, kind, **more) -> bytes:
    made = io.BytesIO()
    Image.fromarray(values).save(made, format=kind, **more)
    return made.getvalue()


def with_pictures(path, key, values, kind, shape, more) -> None:
    unit = {"info": {"depth_unit": more.pop("unit")}} if "unit" in more else {}
    described(path, key, dtype="image", shape=shape, **unit)
    cell = {"bytes": encoded(values, kind, **more), "path": None}
    for file in path.rglob("*.parquet"):
        rows = pq.read_table(file)
        pq.write_table(rows.append_column(key, [[cell] * len(rows)]), file)
