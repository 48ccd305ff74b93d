"""How the chunks of a zarr array are packed: by a list of what may be, unpacked to a known size.

An unknown name, or a setting that is not that of its codec, is a `ValueError` before any byte is
read. What a stranger packed never grows beyond what its chunk can hold.
"""

import bz2
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from steadyhand.errors import MissingExtraError, library

KIND = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248])")
"""Kinds of numbers, as numpy spells them."""
FILTERS: dict[str, frozenset[str]] = {
    "delta": frozenset({"dtype", "astype"}),
    "fixedscaleoffset": frozenset({"offset", "scale", "dtype", "astype"}),
    "quantize": frozenset({"digits", "dtype", "astype"}),
    "bitround": frozenset({"keepbits"}),
    "astype": frozenset({"encode_dtype", "decode_dtype"}),
    "packbits": frozenset(),
    "shuffle": frozenset({"elementsize"}),
    **dict.fromkeys(("crc32", "crc32c", "adler32"), frozenset({"location"})),
    "fletcher32": frozenset(),
    "jenkins_lookup3": frozenset({"initval"}),
}
"""Codecs of numcodecs that give about what they are given, and the settings of each."""
MEMORY = 1 << 27
"""Bytes that lzma may need for itself."""
PICTURES = {
    f"imagecodecs_{kind}": f"{kind}_decode"
    for kind in ("avif", "jpeg", "jpeg2k", "jpegls", "jpegxl", "jpegxr", "png", "webp")
}
"""Pictures, one a chunk, that another package unpacks."""
Unpack = Callable[[Any, int], Any]


def _zstd(data: Any, limit: int) -> bytes:
    arrow = library("pyarrow")
    with arrow.CompressedInputStream(arrow.BufferReader(data), "zstd") as stream:
        return stream.read(limit)


def _told(place: int, codec: str) -> Unpack:
    """A codec whose data says its size at `place`, in four bytes."""

    def unpack(data: Any, limit: int) -> Any:
        size = int.from_bytes(bytes(data[place : place + 4]), "little")
        if size > limit:
            raise ValueError(f"a chunk of it says that it makes {size} bytes")
        return _numcodecs(codec, {}).decode(data)

    return unpack


def _blosc(data: Any, limit: int) -> Any:
    """Of a chunk that was cut short, the library would read what lies behind it in memory."""
    if (packed := int.from_bytes(bytes(data[12:16]), "little")) != len(data):
        raise ValueError(f"a chunk of it says that it has {packed} bytes, and has {len(data)}")
    return _told(4, "blosc")(data, limit)


PACKED: dict[str, Unpack] = {
    "blosc": _blosc,
    "lz4": _told(0, "lz4"),
    "zstd": _zstd,
    "zlib": lambda data, limit: zlib.decompressobj().decompress(data, limit),
    "gzip": lambda data, limit: gzip.GzipFile(fileobj=io.BytesIO(data)).read(limit),
    "bz2": lambda data, limit: bz2.BZ2File(io.BytesIO(data)).read(limit),
    "lzma": lambda data, limit: lzma.LZMADecompressor(memlimit=MEMORY).decompress(data, limit),
}
"""Codecs that make much of little."""


def unpackers(codecs: list[Any], chunk: tuple[int, ...], dtype: np.dtype[Any]) -> list[Unpack]:
    """What undoes each codec, named as in zarr v2: `{"id": …, setting: …}`; takes (bytes, limit).

    Raises `ValueError` for one that is not read, or whose package is not installed.
    """
    undo = [_unpacker(codec, chunk, dtype) for codec in codecs]
    much = [i for i, codec in enumerate(codecs) if codec["id"] not in FILTERS]
    if len(much) > 1 or (much and codecs[much[0]]["id"] in PICTURES and len(codecs) > 1):
        raise ValueError("it is packed more than once")
    return undo


def _unpacker(codec: Any, chunk: tuple[int, ...], dtype: np.dtype[Any]) -> Unpack:
    name = codec.get("id") if isinstance(codec, Mapping) else None
    if not isinstance(name, str):
        raise ValueError("it does not say how it is packed")
    if name in PICTURES:
        return _picture(name, chunk, dtype)
    if name in PACKED:
        return PACKED[name]
    if name not in FILTERS:
        known = ", ".join(sorted([*PACKED, *FILTERS, *PICTURES]))
        raise ValueError(
            f"it is packed by {name[:40]!a}, which is not read here; write it anew with zarr, "
            f"packed by one of {known}"
        )
    settings = {key: value for key, value in codec.items() if key != "id"}
    for key, value in settings.items():
        if key in ("dtype", "astype", "encode_dtype", "decode_dtype"):
            right = isinstance(value, str) and KIND.fullmatch(value)
        else:
            number = type(value) in (int, float) and abs(value) < 1e300
            right = number or value in ("start", "end")
        if key not in FILTERS[name] or not right:
            raise ValueError(f"its {name} has the setting {key[:20]!a}: {repr(value)[:40]!a}")
    made = _numcodecs(name, settings)
    return lambda data, limit: made.decode(data)


def _numcodecs(name: str, settings: dict[str, Any]) -> Any:
    try:
        return library("numcodecs").get_codec({"id": name, **settings})
    except MissingExtraError:
        raise
    except Exception as error:  # each codec says in its own way what it lacks
        raise ValueError(f"its codec {name} cannot be used ({error})") from error


def _picture(name: str, chunk: tuple[int, ...], dtype: np.dtype[Any]) -> Unpack:
    try:
        decode = getattr(library("imagecodecs"), PICTURES[name])
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"its pictures are packed by '{name}', which another package unpacks: "
            "pip install 'steadyhand[jpegxl]' brings imagecodecs"
        ) from error
    shape = chunk[1:] if chunk[0] == 1 else chunk
    # What it says of its size is held against the array that it is to fill.
    return lambda data, limit: decode(bytes(data), out=np.empty(shape, dtype))
