"""Opens a path as trees, one a file: HDF5, npz, zarr, parquet and CSV, or a folder of one kind."""

import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from steadyhand.data.files import told
from steadyhand.data.formats import limits
from steadyhand.data.formats.npz import archive as npz
from steadyhand.data.formats.zarr.replay import array_at
from steadyhand.data.formats.zarr.store import Archive, Folder, read_description
from steadyhand.data.mapping.encoded import Encoded, is_encoded
from steadyhand.data.mapping.hdf5_tree import hdf5_tree
from steadyhand.data.mapping.tables import csv_tree, parquet_tree
from steadyhand.data.mapping.tree import Tree, files_in, is_called, is_group, natural
from steadyhand.disk import regular
from steadyhand.errors import DataError, nothing_at, plain
from steadyhand.values import shown

KINDS: dict[str, Callable[[Path], Tree]] = {}
"""By the ending of a file."""
HEADS = {b"\x89HDF\r\n\x1a\n": ".hdf5", b"PK\3\4": ".npz", b"PAR1": ".parquet"}
"""How files begin whose name does not say what they are."""
DEPTH = 12


def is_files(pattern: str) -> bool:
    """Whether what `episodes=` says names files, by their ending."""
    return pattern.lower().endswith(tuple(KINDS))


def open_trees(path: Path, pattern: str = "") -> list[Tree]:
    """The trees of a file, or of the files in a folder that are of the kind most of them are.

    With a `pattern`, of those that it names. Raises `DataError` where none can be read.
    """
    if not path.exists():
        raise DataError(nothing_at("data", path))
    if is_group(path):
        return [zarr_tree(path)]
    if not path.is_dir():
        ending = ".zarr.zip" if path.name.endswith(".zarr.zip") else path.suffix.lower()
        ending = ending if ending in (*KINDS, ".npy") else _by_head(path)
        if ending == ".npy":
            raise DataError(
                f"{path} is a single array. Name the folder in which it and the others lie."
            )
        if ending not in KINDS:
            raise DataError(f"{path} is none of {', '.join(KINDS)}, by its name and how it begins.")
        return [_known(KINDS[ending](path))]
    groups = [g for g in sorted(path.glob("*.zarr"), key=lambda g: natural(g.name)) if g.is_dir()]
    if groups and (not pattern or pattern.endswith(".zarr")):
        return [_known(zarr_tree(group)) for group in groups]
    kinds: dict[Callable[[Path], Tree], list[Path]] = {}
    for file in files_in(path, tuple(KINDS)):
        if pattern and not is_called(file.relative_to(path), pattern):
            continue
        kinds.setdefault(KINDS[file.suffix.lower()], []).append(file)
    if not kinds and (arrays := files_in(path, (".npy",))):
        return [_known(npy_tree(path, arrays))]
    if not kinds:
        called = f" and are called '{pattern}'" if pattern else ""
        raise DataError(f"{path} has no files that end in {', '.join(KINDS)}{called}.")
    read, files = max(kinds.items(), key=lambda each: len(each[1]))
    return [_known(read(file)) for file in files]


def _known(tree: Tree) -> Tree:
    if not tree.arrays:
        whys = (f"'{name}': {why}" for name, why in tree.refused.items())
        raise DataError(f"{tree.path} has no arrays of numbers. {'; '.join(whys)}"[:600])
    return tree


def _by_head(path: Path) -> str:
    try:
        regular(path)
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    return next((ending for begins, ending in HEADS.items() if head.startswith(begins)), "")


def npz_tree(path: Path) -> Tree:
    """Raises `DataError` where the archive is damaged."""
    try:
        found, refused = npz.members(path)
        limits.require_stored(sum(each.needed for each in found.values()), regular(path))
    except npz.DAMAGE as error:
        raise DataError(f"{path} is not a whole .npz file ({error}). Copy it again.") from error
    arrays: dict[str, Any] = {name: array for name, array in found.items() if array.shape}
    texts = {name for name, array in arrays.items() if array.dtype.kind == "U"}
    return Tree(
        path=path,
        kind="npz",
        arrays={name: _pictures(arrays[name], path) for name in arrays if name not in texts},
        words={name: lambda array=arrays[name]: [str(word) for word in array[:]] for name in texts},
        said={name: array[()].item() for name, array in found.items() if not array.shape},
        refused=refused,
    )


def npy_tree(folder: Path, files: Sequence[Path]) -> Tree:
    """The `.npy` files of a folder by their paths in it, mapped and not read."""
    arrays: dict[str, Any] = {}
    refused: dict[str, str] = {}
    for file in files:
        name = file.relative_to(folder).with_suffix("").as_posix()
        try:
            limits.require_name(name)
            regular(file)
            found = np.load(file, mmap_mode="r", allow_pickle=False)
            limits.require_numbers(found.dtype)
            arrays[name] = _pictures(found, file)
        except (OSError, ValueError, EOFError) as error:
            objects = "never unpickled" if "bjects" in str(error) else told(error)
            refused[plain(name)] = f"it is no array of numbers ({objects})"
    return Tree(path=folder, kind="npy", arrays=arrays, refused=refused)


def zarr_tree(path: Path) -> Tree:
    """Raises `DataError` where the group cannot be read."""
    arrays: dict[str, Any] = {}
    refused: dict[str, str] = {}
    try:
        store = Folder(path) if path.is_dir() else Archive(path)
        root = read_description(store, "zarr.json")
        described = root.get("attributes", {}) if root else read_description(store, ".zattrs")
        waiting = [name for name in store.children("") if not name.startswith(".")]
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is not a whole zarr group ({error}). Copy it again.") from error
    while waiting:
        limits.require_few(len(arrays) + len(waiting))
        name = waiting.pop(0)
        try:
            limits.require_name(name)
            if found := array_at(store, path, name):
                arrays[name] = _pictures(found, path)
            elif name.count("/") < DEPTH:
                waiting += [f"{name}/{part}" for part in store.children(name)]
            else:
                raise ValueError("it is a group within too many others")
        except (OSError, ValueError, DataError) as error:
            refused[plain(name)] = str(error)
    said = described if isinstance(described, dict) else {}
    single = {f"@{key}": said[key] for key in said if isinstance(said[key], str | int | float)}
    return Tree(path=path, kind="zarr", arrays=arrays, said=single, refused=refused)


def _pictures(array: Any, path: Path) -> Any:
    return Encoded(array, path) if is_encoded(array) else array


KINDS |= dict.fromkeys((".hdf5", ".h5", ".hdf"), hdf5_tree)
KINDS |= {".npz": npz_tree, ".zarr.zip": zarr_tree, ".parquet": parquet_tree}
KINDS |= dict.fromkeys((".csv", ".tsv"), csv_tree)


def arrays_listed(path: Path) -> dict[str, str]:
    """What there is at a path, in the first of its files, by place: shape and kind of number."""
    trees = open_trees(path)
    tree = trees[0]
    found = {
        place: f"{array.dtype} {tuple(array.shape)}".replace(",)", ")")
        for place, array in tree.arrays.items()
    }
    found |= dict.fromkeys(tree.words, "words")
    found |= {place: shown(value) for place, value in tree.said.items()}
    found |= {place: f"not read: {why}" for place, why in tree.refused.items()}
    alike: dict[str, list[str]] = {}
    for place in found:
        alike.setdefault(re.sub(r"[0-9]+(?=/|@)", "*", place), []).append(place)
    return {
        plain(family if len(places) > 1 else places[0]): found[places[0]]
        for family, places in alike.items()
    }
