"""Which arrays of a tree a place of a map means: by name, by `*`, by a range of columns.

A name is looked for in the episode's own group first, then from the top of the file.
"""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.lazy import LazyArray
from steadyhand.data.mapping.grammar import Name, Place
from steadyhand.data.mapping.tree import Tree, natural
from steadyhand.errors import UsageError, unknown

_COLUMNS = re.compile(r"(?P<name>[^\[\]]+)\[(?P<start>[0-9]*):(?P<stop>[0-9]*)\]")


def array_of(tree: Tree, prefix: str, place: Place) -> LazyArray:
    """What a place means, (rows, …): one array, or several side by side, (rows, numbers).

    Raises `UsageError` where there is nothing of that name, or arrays of different lengths.
    """
    found = [each for name in place.names for each in _arrays(tree, prefix, name)]
    if len(found) > 1 or len(found[0].shape) == 1:
        lengths = {array.shape[0] for array in found}
        if len(lengths) > 1:
            said = ", ".join(map(str, sorted(lengths)))
            raise UsageError(
                f"{tree.path}: '{place.words}' are arrays of {said} rows; only those of one "
                "length can stand side by side."
            )
        return Beside(found)
    return found[0]


def place_of(tree: Tree, prefix: str, name: str, among: Sequence[str] | Any) -> str | None:
    """The path of a name in the episode's group, or else from the top."""
    here = f"{prefix}/{name}" if prefix and not name.startswith("@") else f"{prefix}{name}"
    return here if here in among else name if name in among else None


def _arrays(tree: Tree, prefix: str, name: Name) -> list[LazyArray]:
    if place := place_of(tree, prefix, name.text, tree.arrays):
        return [tree.arrays[place]]
    if not name.exact:
        if cut := _COLUMNS.fullmatch(name.text):
            bounds = (int(text) if text else None for text in cut.group("start", "stop"))
            whole = _arrays(tree, prefix, Name(cut["name"]))
            return [Columns(array, slice(*bounds)) for array in whole]
        if tree.is_table and ":" in name.text and (columns := _range(tree, name.text)):
            return [tree.arrays[column] for column in columns]
        if matching := _matching(tree, prefix, name.text):
            return [tree.arrays[place] for place in matching]
    inside = f"{prefix}/" if prefix else ""
    own = [place.removeprefix(inside) for place in tree.arrays if place.startswith(inside)]
    kind = "column" if tree.is_table else "array"
    why = tree.refused.get(f"{inside}{name.text}") or tree.refused.get(name.text)
    if why:
        raise UsageError(f"{tree.path}: '{name.text}' cannot be used: {why}.")
    said = unknown(kind, name.text, own[:40])
    raise UsageError(f"{tree.path}: {said}")


def _range(tree: Tree, text: str) -> list[str]:
    """The columns from one to another, both included, in the order of the table."""
    first, _, last = text.partition(":")
    columns = list(tree.arrays)
    if first in columns and last in columns:
        return columns[columns.index(first) : columns.index(last) + 1]
    return []


def _matching(tree: Tree, prefix: str, text: str) -> list[str]:
    for pattern in (f"{prefix}/{text}" if prefix else text, text):
        same = [
            place
            for place in tree.arrays
            if fnmatchcase(place, pattern) and place.count("/") == pattern.count("/")
        ]
        if same:
            return sorted(same, key=natural)
    return []


class Columns:
    """Some columns of an array (rows, numbers), or (episodes, steps, numbers)."""

    def __init__(self, source: LazyArray, columns: slice) -> None:
        width = source.shape[-1] if len(source.shape) in (2, 3) else 0
        if not (kept := len(range(*columns.indices(width)))):
            raise UsageError(
                f"[{columns.start or ''}:{columns.stop or ''}] picks no columns of an array of "
                f"shape {tuple(source.shape)}."
            )
        self.source, self.columns = source, columns
        self.shape, self.dtype = (*source.shape[:-1], kept), source.dtype

    def __getitem__(self, key: Any, /) -> NDArray[Any]:
        return np.asarray(self.source[key])[..., self.columns]


class Beside:
    """Arrays of one length side by side, (rows, numbers in all)."""

    def __init__(self, parts: Sequence[LazyArray]) -> None:
        self.parts = tuple(parts)
        self.widths = [int(np.prod(part.shape[1:])) for part in parts]
        self.shape = (parts[0].shape[0], sum(self.widths))
        self.dtype = np.result_type(*{np.dtype(part.dtype) for part in parts})

    def __getitem__(self, key: Any, /) -> NDArray[Any]:
        rows = np.shape(np.empty(self.shape[0], np.bool_)[key])
        flat = [
            np.asarray(part[key]).reshape(*rows, width)
            for part, width in zip(self.parts, self.widths, strict=True)
        ]
        return np.concatenate(flat, axis=-1).astype(self.dtype, copy=False)
