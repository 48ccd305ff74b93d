"""A map that fits what is there, from names, shapes and kinds; and the command that uses it.

A guess is tried before it is given: what does not open is not printed.
"""

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from steadyhand.data.bags.found import is_bag
from steadyhand.data.bags.opened import open_bag
from steadyhand.data.bags.topics import bag_guessed
from steadyhand.data.episodes import Episodes
from steadyhand.data.hub import hub_name
from steadyhand.data.mapping.assemble import open_files
from steadyhand.data.mapping.columns import columns_guessed
from steadyhand.data.mapping.cuts import matching_groups
from steadyhand.data.mapping.files import (
    cameras_guessed,
    family_guessed,
    rate_guessed,
    stills_guessed,
)
from steadyhand.data.mapping.likely import (
    arrays_guessed,
    cuts_guessed,
    numbered_guessed,
    said_guessed,
)
from steadyhand.data.mapping.tree import Tree, is_group
from steadyhand.data.mapping.trees import open_trees
from steadyhand.errors import DataError, SteadyhandError


def guess(path: Path, *, alone: bool = False) -> str | None:
    """A map by which a path opens; None where none was found.

    With `alone` nothing is looked at that lies beside a file of arrays.
    """
    try:
        if is_bag(path):
            return next((text for text in bag_guessed(path) if _opens(open_bag, path, text)), None)
        trees = open_trees(path)
        read = partial(open_files, trees=trees)
        near = not alone or trees[0].is_table or (path.is_dir() and not is_group(path))
        fitting = (text for text in _candidates(path, trees, near) if _opens(read, path, text))
        text = next(fitting, None)
        return text and _plainer(text, partial(read, path), len(trees))
    except (SteadyhandError, OSError, ValueError):  # what is wrong with it was said already
        pass
    return None


class UnknownFormat(DataError):
    """No format is known for a path: which there are is told where no map fits either."""

    def __init__(self, path: Path, known: str) -> None:
        self.said = f"{path} is of no format known here."
        super().__init__(f"{self.said} Known: {known}.")


@contextmanager
def a_map_suggested(path: Path) -> Iterator[None]:
    """A `DataError` in here says what to type, too, where a map fits a path of no known format."""
    try:
        yield
    except DataError as error:
        # What is wrong with one episode is damage: the format is known.
        if error.episode is not None or not (way := suggested(path)):
            raise
        said = error.said if isinstance(error, UnknownFormat) else error
        raise DataError(f"{said}{way}", episode=error.episode, file=error.file) from error


def suggested(path: Path) -> str:
    """What to type where a path cannot be read otherwise, as a sentence that goes on from others.

    Empty where no map fits, or where the path is of a known format: it is then damaged.
    """
    try:
        if is_bag(path):
            text = guess(path, alone=True)
            return "" if text is None else f" A map fits it: {command(path, text)}"
        tree = open_trees(path)[0]
    except (SteadyhandError, OSError, ValueError):
        return ""
    of_lerobot = tree.kind == "parquet" and "chunk-000" in tree.path.parts
    if of_lerobot or any((up / "meta/info.json").exists() for up in (path, *tree.path.parents)):
        return ""
    known = {"HDF5": r"data/demo_\d+/actions?", "npz": "episode_ends", "zarr": "meta/episode_ends"}
    known_here = re.compile(known.get(tree.kind, "\0"))
    if any(known_here.fullmatch(name) for name in (*tree.arrays, *tree.refused)):
        return ""
    text = guess(path, alone=True)
    return "" if text is None else f" A map fits it: {command(path, text)}"


def command(path: Path, text: str, target: Path | None = None) -> str:
    """What is typed to convert by a map, quoted for a shell."""
    source, out = hub_name(path) or str(path), target
    if out is None:
        name = path.name.split(".")[0] or "set"
        out = path.with_name(f"{name}.lerobot")
        if source != str(path):  # beside it is the cache of the hub
            out = Path(source.partition("@")[0].rpartition("/")[2] + ".lerobot")
        elif out == path:
            out = path.with_name(f"mapped-{path.name}")
    words = ["steadyhand", "convert", source, str(out), "--map", text]
    return " ".join(map(shlex.quote, words))


def _plainer(text: str, read: Callable[[str], Episodes], files: int) -> str:
    """Without what cuts each of several files into one episode, which it is anyway."""
    plainer = ",".join(pair for pair in text.split(",") if not pair.startswith("episodes="))
    if files < 2 or plainer == text or "*" in text.partition("episodes=")[2]:
        return text
    try:
        cut, whole = read(text), read(plainer)
    except SteadyhandError:
        return text
    return plainer if np.array_equal(cut.ends, whole.ends) else text


def _opens(read: Callable[[Path, str], Episodes], path: Path, text: str) -> bool:
    try:
        episodes = read(path, text)
        return episodes.steps > len(episodes) or len(episodes) == 1
    except SteadyhandError:
        return False


def _candidates(path: Path, trees: Sequence[Tree], near: bool) -> Iterable[str]:
    """Maps, the likeliest first: each way of cutting, with and without what else is said."""
    family, tree = family_guessed(path, trees)
    if numbered := numbered_guessed(tree):
        yield ",".join(numbered)
    for prefix, cut in cuts_guessed(tree):
        inside = f"{prefix}/" if prefix else ""
        own = {
            name.removeprefix(inside): array
            for name, array in tree.arrays.items()
            if name.startswith(inside)
        }
        features = columns_guessed(tree) if tree.is_table else arrays_guessed(own)
        if not features:
            continue
        several = 1 if len(trees) > 1 or not prefix else len(matching_groups(tree, cut))
        films = cameras_guessed(path, len(trees) * several) if near else []
        more = [*said_guessed(tree, prefix, own)]
        rate = [each for each in more if each.startswith("rate")]
        if films and not rate:  # where the films fit, there is a frame a row
            films += rate_guessed(path)
        films = films or (stills_guessed(path) if tree.is_table else [])
        cut = cut or family
        episodes = [f"episodes={cut}"] if cut else []
        for extra in ([*films, *episodes, *more], [*films, *episodes, *rate], [*films, *episodes]):
            yield ",".join([*features, *extra])
        yield ",".join([*features, *episodes, *more])
        yield ",".join([*features, *episodes, *rate])
        yield ",".join([*features, *episodes])
