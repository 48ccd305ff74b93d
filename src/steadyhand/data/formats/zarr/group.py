"""What a zarr group of demonstrations holds: arrays of numbers, texts, and what is not read.

Features lie below `data/`, what is said of episodes below `meta/`; where there is no `data/`, all
that is not below `meta/` is a feature.
"""

from dataclasses import dataclass, field
from pathlib import Path

from steadyhand.data.formats import limits
from steadyhand.data.formats.npz.plain_arrays import WORDS
from steadyhand.data.formats.zarr.array import ZarrArray
from steadyhand.data.formats.zarr.layout import read_layout
from steadyhand.data.formats.zarr.store import Store
from steadyhand.errors import plain

DEPTH = 8
"""Groups within each other that are looked into."""


@dataclass
class Held:
    """By path: arrays of numbers, the keys of what may hold texts, why others are not read."""

    arrays: dict[str, ZarrArray] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def held_in(store: Store, path: Path) -> tuple[Held, Held]:
    """(features by their path, `meta/…` beside them). Raises `OSError`, `ValueError`."""
    top = store.children("")
    features, beside = Held(), Held()
    if "data" in top:
        _walk(store, path, "data/", store.children("data"), features)
        others = [name for name in top if name not in ("data", "meta")]
        beside.left_out |= dict.fromkeys(map(plain, others), "it is not below data/")
    else:
        _walk(store, path, "", [name for name in top if name != "meta"], features)
    if "meta" in top:
        _walk(store, path, "", ["meta"], beside)
    return features, beside


def _walk(store: Store, path: Path, prefix: str, waiting: list[str], held: Held) -> None:
    while waiting:
        limits.require_few(len(held.arrays) + len(waiting))
        name = waiting.pop(0)
        key = f"{prefix}{name}"
        try:
            limits.require_name(name)
            if found := array_at(store, path, key):
                held.arrays[name] = found
            elif name.count("/") < DEPTH:
                waiting += [f"{name}/{part}" for part in store.children(key)]
            else:
                raise ValueError("it is a group within too many others")
        except (OSError, ValueError) as error:
            held.left_out[plain(name)] = str(error)
            if name.rpartition("/")[2].lower() in WORDS:
                held.words[name] = key


def array_at(store: Store, path: Path, key: str) -> ZarrArray | None:
    """None where there is no array. Raises `OSError`, `ValueError`."""
    layout = read_layout(store, key)
    if layout is None:
        return None
    limits.require_chunks(layout.chunks, layout.shape, layout.dtype)
    array = ZarrArray(store, layout, path, key)
    if layout.shape[0] > limits.STEPS:
        limits.require_stored(8 * layout.shape[0], array.stored)  # what counting its steps takes
    return array
