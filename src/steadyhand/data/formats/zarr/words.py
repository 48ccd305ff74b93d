"""Texts in a zarr array, v2 or v3: of a fixed width, or each of its own length. Nothing unpickled.

Read by us from the bytes of the chunks, which are unpacked to no more than a description may have.
"""

import math
import re
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from steadyhand.data.files import told
from steadyhand.data.formats import limits
from steadyhand.data.formats.zarr.codecs import unpackers
from steadyhand.data.formats.zarr.layout import named
from steadyhand.data.formats.zarr.store import Store, read_description

MOST = 1 << 26
"""Bytes of a chunk of texts."""
FIXED = re.compile(r"[<>]U[0-9]{1,6}|\|S[0-9]{1,6}")
Texts = Callable[[bytes], list[str]]


def read_words(store: Store, key: str) -> list[str]:
    """The texts of an array, in order. Raises `OSError`, `ValueError` for what holds none."""
    found = read_description(store, f"{key}/zarr.json")
    shape, size, packed, texts, name = _version_3(found) if found else _version_2(store, key)
    if len(shape) != 1 or shape[0] > limits.FREE >> 8:
        raise ValueError(f"its shape is {shape}; texts are one a step or one an episode")
    undo = unpackers(packed, (MOST,), np.dtype("u1"))
    words: list[str] = []
    for place in range(math.ceil(shape[0] / size)):
        wanted = min(size, shape[0] - place * size)
        try:
            data: Any = store.read(f"{key}/{name(place)}", MOST)
        except FileNotFoundError:
            words += [""] * wanted
            continue
        try:
            for unpack in reversed(undo):
                data = unpack(data, MOST)
            some = texts(bytes(data))
        except Exception as error:  # each codec says in its own way what is damaged
            raise ValueError(f"a chunk of it cannot be unpacked ({told(error)})") from error
        if len(some) < wanted:
            raise ValueError(f"a chunk of it has {len(some)} texts for {wanted}")
        words += some[:wanted]
    return words


Described = tuple[tuple[int, ...], int, list[Any], Texts, Callable[[int], str]]


def _version_2(store: Store, key: str) -> Described:
    found = read_description(store, f"{key}/.zarray")
    kind, filters, packed = found.get("dtype"), found.get("filters") or [], found.get("compressor")
    texts = _fixed(kind) if isinstance(kind, str) else None
    if kind == "|O" and filters == [{"id": "vlen-utf8"}]:
        texts, filters = _each, []
    if texts is None or filters:
        raise ValueError(f"it holds {repr(kind)[:40]!a}, neither numbers nor texts")
    shape = limits.whole_numbers(found.get("shape"))
    chunks = limits.whole_numbers(found.get("chunks"), least=1)
    return shape, (*chunks, 1)[0], [] if packed is None else [packed], texts, str


def _version_3(found: dict[str, Any]) -> Described:
    (kind, width), codecs = named(found.get("data_type")), found.get("codecs")
    if not isinstance(codecs, list) or not 0 < len(codecs) <= 8:
        raise ValueError("its list of codecs is empty, no list, or too long")
    (first, _), *packing = map(named, codecs)
    bytes_ = width.get("length_bytes")
    if (kind, first) in (("string", "vlen-utf8"), ("variable_length_utf8", "vlen-utf8")):
        texts: Texts | None = _each
    elif (kind, first) == ("fixed_length_utf32", "bytes") and type(bytes_) is int:
        texts = _fixed(f"<U{bytes_ // 4}")
    else:
        texts = None
    if texts is None:
        raise ValueError(f"it holds {kind[:40]!a}, neither numbers nor texts")
    chunks = named(found.get("chunk_grid"))[1].get("chunk_shape")
    encoding, settings = named(found.get("chunk_key_encoding"))
    start = f"c{settings.get('separator', '/')}" if encoding == "default" else ""
    packed = [{**settings, "id": name} for name, settings in packing]
    shape, size = limits.whole_numbers(found.get("shape")), limits.whole_numbers(chunks, least=1)
    return shape, (*size, 1)[0], packed, texts, lambda place: f"{start}{place}"


def _fixed(kind: str) -> Texts | None:
    """Texts of one width: of so many characters of four bytes, or of bytes."""
    dtype = np.dtype(kind) if FIXED.fullmatch(kind) else None
    if dtype is None or not dtype.itemsize:
        return None

    def texts(data: bytes) -> list[str]:
        values = np.frombuffer(data[: len(data) // dtype.itemsize * dtype.itemsize], dtype)
        return [v.decode(errors="replace") if isinstance(v, bytes) else str(v) for v in values]

    return texts


def _each(data: bytes) -> list[str]:
    """A count, then each text after its own length: four bytes each, little-endian."""
    (count,) = struct.unpack_from("<I", data)
    words, place = list[str](), 4
    for _ in range(min(count, len(data) // 4)):
        (size,) = struct.unpack_from("<I", data, place)
        words.append(data[place + 4 : place + 4 + size].decode(errors="replace"))
        place += 4 + size
        if place > len(data):
            raise ValueError("a text of it is cut short")
    return words
