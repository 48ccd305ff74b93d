"""What a zarr array says of itself, v2 or v3: read by us, checked, and only then believed.

A `Layout` makes the numbers of one chunk of the bytes that are stored for it. Anything else than
plain numbers in regular chunks is a `ValueError` that says why.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.formats import limits
from steadyhand.data.formats.zarr.codecs import KIND, unpackers
from steadyhand.data.formats.zarr.fill import filled
from steadyhand.data.formats.zarr.store import Store, read_description

KINDS_V3 = ("bool", "float16", "float32", "float64")
KINDS_V3 += tuple(f"{u}int{n}" for u in ("", "u") for n in (8, 16, 32, 64))
KNOWN_V3 = frozenset(
    (
        *("zarr_format", "node_type", "shape", "data_type", "fill_value", "attributes", "codecs"),
        *("chunk_grid", "chunk_key_encoding", "dimension_names", "storage_transformers"),
        "consolidated_metadata",
    )
)
"""What a description can say; anything else could change what its numbers mean."""
NOTHING = 2**64 - 1
"""Place and size of a part of a shard that was not written."""
Decode = Callable[[Any, tuple[int, ...]], NDArray[Any]]
"""From stored bytes, and how much of the chunk is inside the array, to the chunk's numbers."""


@dataclass(frozen=True)
class Layout:
    """Shape and chunks of an array, and how they are stored."""

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype[Any]
    decode: Decode
    """The numbers of one whole chunk."""
    attributes: Mapping[str, Any]
    fill: Any = None
    """What is in chunks that are not stored; None where that is not said."""
    prefix: str = ""
    separator: str = "."

    @property
    def grid(self) -> tuple[int, ...]:
        """How many chunks there are along each dimension."""
        return tuple(-(-n // size) for n, size in zip(self.shape, self.chunks, strict=True))

    @property
    def chunk_bytes(self) -> int:
        return limits.bytes_of(self.chunks, self.dtype)

    def key(self, place: tuple[int, ...]) -> str:
        """Under which a chunk is stored, below the array's own key."""
        return self.prefix + self.separator.join(map(str, place))


def read_layout(store: Store, key: str) -> Layout | None:
    """None where there is no array. Raises `OSError`, `ValueError`."""
    if found := read_description(store, f"{key}/zarr.json"):
        return _version_3(found) if found.get("node_type") == "array" else None
    if found := read_description(store, f"{key}/.zarray"):
        return _version_2(found, read_description(store, f"{key}/.zattrs"))
    return None


def _version_2(found: dict[str, Any], attributes: dict[str, Any]) -> Layout:
    kind, order = found.get("dtype"), found.get("order", "C")
    separator = found.get("dimension_separator", ".")
    if not isinstance(kind, str) or not KIND.fullmatch(kind):
        raise ValueError(
            "it holds objects, which are never unpickled; store numbers"
            if kind == "|O"
            else f"it holds {repr(kind)[:40]!a}, not numbers of at most 8 bytes; store those"
        )
    if order not in ("C", "F") or separator not in (".", "/"):
        raise ValueError(f"its order is {str(order)[:9]!a}, its separator {str(separator)[:9]!a}")
    dtype = np.dtype(kind)
    shape, chunks = _sizes(found.get("shape"), found.get("chunks"))
    filters, packed = found.get("filters") or [], found.get("compressor")
    if not isinstance(filters, list) or len(filters) > 8:
        raise ValueError("its filters are no list, or too many")
    undo = unpackers([*filters, *([] if packed is None else [packed])], chunks, dtype)
    count = math.prod(chunks)
    limit = count * (16 if filters else dtype.itemsize) + 64

    def decode(data: Any, extent: tuple[int, ...]) -> NDArray[Any]:
        for unpack in reversed(undo):
            data = unpack(data, limit)
        return _numbers(data, dtype, count).reshape(chunks, order=order)

    fill = filled(found.get("fill_value"), dtype)
    return Layout(shape, chunks, dtype, decode, attributes, fill, separator=separator)


def _version_3(found: dict[str, Any]) -> Layout:
    kind, grid = found.get("data_type"), named(found.get("chunk_grid"))
    if kind not in KINDS_V3:
        raise ValueError(f"it holds {repr(kind)[:40]!a}, not numbers of at most 8 bytes")
    strange = [key for key in found.keys() - KNOWN_V3 if found[key] != {"must_understand": False}]
    if grid[0] != "regular" or found.get("storage_transformers") or strange:
        raise ValueError("its chunks are not regular, or stored in a way that is not read here")
    shape, chunks = _sizes(found.get("shape"), grid[1].get("chunk_shape"))
    encoding, settings = named(found.get("chunk_key_encoding"))
    separator = settings.get("separator", "/" if encoding == "default" else ".")
    if encoding not in ("default", "v2") or separator not in (".", "/"):
        raise ValueError(f"its chunks are named by {encoding[:20]!a}, which is not read here")
    attributes, dtype = found.get("attributes"), np.dtype(kind)
    fill = filled(found.get("fill_value"), dtype)
    return Layout(
        shape,
        chunks,
        dtype,
        _codecs(found.get("codecs"), chunks, dtype, fill),
        attributes if isinstance(attributes, dict) else {},
        fill,
        f"c{separator}" if encoding == "default" else "",
        separator,
    )


def _codecs(
    listed: Any, chunk: tuple[int, ...], dtype: np.dtype[Any], fill: Any = None, depth: int = 0
) -> Decode:
    """What undoes the codecs of zarr v3: orders, then one that makes bytes, then packing."""
    if not isinstance(listed, list) or not 0 < len(listed) <= 8 or depth > 2:
        raise ValueError("its list of codecs is empty, no list, or too long")
    codecs = [named(codec) for codec in listed]
    names = [name for name, _ in codecs]
    makes = [i for i, name in enumerate(names) if name in ("bytes", "sharding_indexed")]
    if len(makes) != 1 or any(name != "transpose" for name in names[: makes[0]]):
        raise ValueError(f"its codecs are {', '.join(names)[:80]!a}, not all of which are read")
    orders = []
    for _, settings in codecs[: makes[0]]:
        order = limits.whole_numbers(settings.get("order"))
        if sorted(order) != list(range(len(chunk))):
            raise ValueError(f"its codec transpose has the order {list(order)}")
        orders.append(order)
        chunk = tuple(chunk[i] for i in order)
    undo = unpackers([_as_version_2(*codec) for codec in codecs[makes[0] + 1 :]], chunk, dtype)
    name, settings = codecs[makes[0]]
    if name == "bytes":
        endian = settings.get("endian", "little")
        if endian not in ("little", "big"):
            raise ValueError(f"its bytes are {str(endian)[:20]!a}, neither little nor big")
        stored = dtype.newbyteorder("<" if endian == "little" else ">")
        count, most = math.prod(chunk), limits.bytes_of(chunk, dtype) + 64

        def read(data: Any, extent: tuple[int, ...], /) -> NDArray[Any]:
            return _numbers(data, stored, count).reshape(chunk)
    else:
        most = limits.most_stored(limits.bytes_of(chunk, dtype))
        read = _shards(settings, chunk, dtype, fill, depth)

    def decode(data: Any, extent: tuple[int, ...]) -> NDArray[Any]:
        for unpack in reversed(undo):
            data = unpack(data, most)
        for order in orders:
            extent = tuple(extent[i] for i in order)
        values = read(data, extent)
        for order in reversed(orders):
            values = values.transpose(np.argsort(order))
        return values

    return decode


def _shards(
    settings: Mapping[str, Any], chunk: tuple[int, ...], dtype: np.dtype[Any], fill: Any, depth: int
) -> Decode:
    """A chunk made of smaller ones, with an index of their places at its end or start."""
    shape, inner = _sizes(list(chunk), settings.get("chunk_shape"))
    if any(n % size for n, size in zip(shape, inner, strict=True)):
        raise ValueError(f"its shards {shape} cannot be cut into {inner}")
    part = _codecs(settings.get("codecs"), inner, dtype, fill, depth + 1)
    grid = tuple(n // size for n, size in zip(shape, inner, strict=True))
    index = _codecs(settings.get("index_codecs"), (*grid, 2), np.dtype("u8"), None, depth + 1)
    names = [named(codec)[0] for codec in settings["index_codecs"]]
    at_start = settings.get("index_location", "end") == "start"
    if names not in (["bytes"], ["bytes", "crc32c"]):
        raise ValueError("the index of its shards is packed in a way that is not read here")
    index_size = math.prod(grid) * 16 + 4 * (len(names) - 1)

    def read(data: Any, extent: tuple[int, ...]) -> NDArray[Any]:
        whole = memoryview(data)
        if len(whole) < index_size:
            raise ValueError("a shard of it is cut short")
        places = index(whole[:index_size] if at_start else whole[-index_size:], (*grid, 2))
        values = np.full(shape, 0 if fill is None else fill, dtype)
        for place in np.ndindex(*grid):
            rest = tuple(end - i * n for end, i, n in zip(extent, place, inner, strict=True))
            if min(rest) <= 0:
                continue  # beyond the array's end: nobody writes it, and nobody asks for it
            start, size = (int(number) for number in places[place])
            if (start, size) == (NOTHING, NOTHING) and fill is not None:
                continue
            if start == NOTHING or start + size > len(whole):
                raise ValueError(f"the part {place} of a shard is not there")
            window = (slice(i * n, (i + 1) * n) for i, n in zip(place, inner, strict=True))
            values[tuple(window)] = part(whole[start : start + size], rest)
        return values

    return read


def _sizes(shape: Any, chunks: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    shape, chunks = limits.whole_numbers(shape), limits.whole_numbers(chunks, least=1)
    if len(shape) != len(chunks) or not shape:
        raise ValueError(f"its shape is {shape}, its chunks {chunks}; it needs time first")
    return shape, chunks


def named(found: Any) -> tuple[str, Mapping[str, Any]]:
    """(name, settings) of something that zarr v3 names."""
    name = found.get("name") if isinstance(found, dict) else found
    settings = found.get("configuration", {}) if isinstance(found, dict) else {}
    if not isinstance(name, str) or not isinstance(settings, dict):
        raise ValueError(f"its description names {repr(found)[:40]!a}, which is not understood")
    return name, settings


def _as_version_2(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    at_end = {"location": "end"} if name == "crc32c" else {}
    return {**settings, **at_end, "id": name.removeprefix("numcodecs.")}


def _numbers(data: Any, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
    """The numbers in bytes, or in what a codec made of them."""
    flat = np.ascontiguousarray(data) if isinstance(data, np.ndarray) else np.frombuffer(data, "u1")
    if flat.nbytes != count * dtype.itemsize:
        raise ValueError(f"a chunk of it makes {flat.nbytes} bytes, not {count * dtype.itemsize}")
    return flat.reshape(-1).view(dtype)
