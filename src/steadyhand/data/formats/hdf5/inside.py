"""What lies in an HDF5 file, by a list of what may be: plain arrays that are in the file itself.

Links to other files, data kept in other files, virtual data and objects are never followed or read.
An array that is refused is told with why, in words that go on from "it".
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from steadyhand.data.formats import limits
from steadyhand.errors import library

FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 4: "szip", 6: "scaleoffset", 32000: "lzf"}
"""What is unpacked: filters that come with the library, or with h5py."""
PLUGINS = {32001: "blosc", 32004: "lz4", 32008: "bitshuffle", 32013: "zfp", 32015: "zstd"}
PLUGINS |= {32019: "jpeg", 32026: "blosc2", 32028: "bzip3", 307: "bzip2"}
DEPTH = 12
LINKS = 8
"""Links to links that are followed."""
SINGLE = "it is a single value, not a series with time first"
LONGEST_TEXT = 1 << 24
"""Characters of an attribute."""


@dataclass(frozen=True)
class Found:
    """An array of a file, as its description says; its numbers were not read."""

    place: str
    """Its path below the group that was looked into."""
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    written: bool = True
    """Whether any of its numbers are stored; of others HDF5 has it that they are its fill value."""


def child(parent: Any, name: str) -> Any:
    """What a group has under a name or path; links only to places in the same file.

    Raises `KeyError` where there is nothing, `ValueError` where it lies elsewhere.
    """
    h5py = library("h5py")
    here, parts, links = parent, name.split("/"), []
    while parts:
        part = parts.pop(0)
        if part in ("", "."):
            continue
        kind = _link(here, part) if isinstance(here, h5py.Group) else None
        if kind == h5py.h5l.TYPE_SOFT:
            links.append(here.get(part, getlink=True).path)
            if len(links) > LINKS:
                raise ValueError("it is a link to a link, and so on, or in a circle")
            here = here.file if links[-1].startswith("/") else here
            parts = [*links[-1].split("/"), *parts]
        elif kind is None and links:
            raise ValueError(f"it is a link to {links[0][:60]!a}, which is not in the file")
        elif kind not in (None, h5py.h5l.TYPE_HARD):
            raise ValueError("it is a link to another file, and nothing outside is read")
        else:
            here = here[part]
    return here


def _link(group: Any, name: str) -> int | None:
    """What kind of link a group has under a name; none is followed."""
    links, name_there = group.id.links, name.encode("utf-8", "surrogateescape")
    return links.get_info(name_there).type if links.exists(name_there) else None


def arrays_in(group: Any, size: int, most: int = limits.ARRAYS) -> dict[str, Found | str]:
    """By path below a group: each of at most so many arrays in it, or why it is not read.

    `size` is the file's.
    """
    h5py, found = library("h5py"), dict[str, Found | str]()
    seen, waiting = set[int](), [(group, "")]
    while waiting:
        parent, prefix = waiting.pop(0)
        limits.require_few(len(found) + len(parent), most)
        for name in parent:
            place = f"{prefix}{name}"
            try:
                limits.require_name(name)
                entry = child(parent, name)
                if isinstance(entry, h5py.Dataset):
                    found[place] = array_at(place, entry, size)
                elif isinstance(entry, h5py.Group):
                    address = h5py.h5o.get_info(entry.id).addr
                    if address in seen or place.count("/") >= DEPTH:
                        raise ValueError("it is a group within itself, or too deep")
                    seen.add(address)
                    waiting.append((entry, f"{place}/"))
                else:
                    raise ValueError("it is no array")
            except (ValueError, TypeError) as error:
                found[place] = str(error)
    return found


def array_at(place: str, dataset: Any, size: int) -> Found:
    """An array of numbers, as its description says. Raises `ValueError` for what is none."""
    plan, shape, dtype = _plan(dataset), limits.whole_numbers(dataset.shape), dataset.dtype
    limits.require_numbers(dtype)
    if not shape:
        raise ValueError(SINGLE)
    _require_kept(dataset, plan, shape, dtype, size)
    return Found(place, shape, dtype, not math.prod(shape) or dataset.id.get_storage_size() > 0)


def require_kept(dataset: Any, dtype: np.dtype[Any], size: int) -> None:
    """Refuse what is kept in other files, in unknown packing, or as more than is stored of it.

    `dtype` is of as many bytes as an element takes in the file, whose `size` is given.
    """
    shape = limits.whole_numbers(dataset.shape)
    _require_kept(dataset, _plan(dataset), shape, dtype, size)


def _plan(dataset: Any) -> Any:
    """How a dataset is kept: in this file."""
    plan = dataset.id.get_create_plist()
    if plan.get_layout() == library("h5py").h5d.VIRTUAL or plan.get_external_count():
        raise ValueError("it lies in other files, and nothing outside is read")
    return plan


def _require_kept(
    dataset: Any, plan: Any, shape: tuple[int, ...], dtype: np.dtype[Any], size: int
) -> None:
    codes = [plan.get_filter(i)[0] for i in range(plan.get_nfilters())]
    if strange := [code for code in codes if code not in FILTERS]:
        named = PLUGINS.get(strange[0], "of another package")
        raise ValueError(
            f"it is packed by the filter {strange[0]} ({named}), which is not read here; "
            "h5repack -f GZIP=4 packs it anew"
        )
    if len(set(codes)) < len(codes):
        raise ValueError("it is packed more than once")
    chunked = plan.get_layout() == library("h5py").h5d.CHUNKED
    chunks = plan.get_chunk() if chunked else shape
    limits.require_chunks(chunks, shape, dtype)
    needed, stored = limits.bytes_of(shape, dtype), min(dataset.id.get_storage_size(), size)
    count = math.prod(-(-whole // max(n, 1)) for n, whole in zip(chunks, shape, strict=True)) or 1
    if stored > count * limits.most_stored(limits.bytes_of(chunks, dtype)):
        raise ValueError(f"{stored} bytes are stored of it, more than its chunks can be")
    if needed and not stored:
        if plan.fill_value_defined() == library("h5py").h5d.FILL_VALUE_UNDEFINED:
            raise ValueError("nothing was ever written to it")
        return  # it holds its fill value, of which only what is asked for is made room for
    limits.require_stored(limits.bytes_of(chunks, dtype) if chunked else needed, stored)


def attribute(group: Any, name: str) -> bool | int | float | str | None:
    """A number, a mark or a text that a group says of itself; None where it says nothing.

    Raises `ValueError` for anything else.
    """
    attributes = group.attrs
    if name not in attributes:
        return None
    kept, value = attributes.get_id(name), None
    dtype, shape = kept.dtype, kept.shape
    if dtype.kind in "biuf" and dtype.itemsize <= 8 and shape in ((), (1,)):
        number = np.zeros(shape, dtype)
        kept.read(number)
        return number.item()
    if dtype.kind in "OS" and shape in ((), (1,)) and dtype.itemsize <= LONGEST_TEXT:
        value = np.asarray(attributes[name]).reshape(-1)[0]
    if not isinstance(value, str | bytes):
        raise ValueError(f"its {name} is neither a number nor a text")
    return value if isinstance(value, str) else value.decode(errors="replace")
