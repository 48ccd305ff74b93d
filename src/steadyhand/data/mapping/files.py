"""Which files of a folder are the episodes, and which films its cameras: from their names."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from steadyhand.data.mapping.beside import films_beside
from steadyhand.data.mapping.encoded import STILLS
from steadyhand.data.mapping.grammar import RESERVED
from steadyhand.data.mapping.tree import Tree, files_in
from steadyhand.data.pictures.containers import opened

NO_CAMERA = {"ep", "episode", "episodes", "traj", "trajectory", "demo", "demos", "video", "videos"}
NO_CAMERA |= {"film", "films", "data", "run", "chunk", "file", "observation", "images", "rec"}
NO_CAMERA |= {
    "take",
    "takes",
    "trial",
    "trials",
    "session",
    "recording",
    "recordings",
    "log",
    "logs",
}
"""Words in the paths of films that say nothing of the camera."""
CAMERAS = 8


def family_guessed(path: Path, trees: Sequence[Tree]) -> tuple[str, Tree]:
    """(what `episodes=` says where only some files are episodes, else "", the first of them)."""
    if len(trees) < 2:
        return "", trees[0]
    families: dict[str, list[Tree]] = {}
    for tree in trees:
        families.setdefault(_starred(str(tree.path.relative_to(path))), []).append(tree)
    pattern, most = max(families.items(), key=lambda each: len(each[1]))
    return (pattern if len(families) > 1 and "*" in pattern else ""), most[0]


def cameras_guessed(path: Path, files: int) -> list[str]:
    """FEATURE=PATTERN of the films beside the tables, one a camera."""
    _, films = films_beside(path)
    ways: list[Callable[[Path], str]] = [
        lambda film: f"{film.parent}/{_starred(film.name)}",
        lambda film: f"{re.sub('[0-9]+', '*', str(film.parent))}/{film.name}",
        lambda film: _starred(str(film)),
        str,
    ]
    groupings: list[dict[str, int]] = []
    for way in ways:
        counts: dict[str, int] = {}
        for film in films:
            pattern = way(film).removeprefix("./")
            counts[pattern] = counts.get(pattern, 0) + 1
        groupings.append(counts)
    wanted = [g for g in groupings if g and {*g.values()} == {files}] if files > 1 else []
    several = [g for g in groupings if g and len({*g.values()}) == 1]
    counts = wanted[0] if wanted else several[0] if several else {}
    return _named_cameras(list(counts))


def _named_cameras(patterns: Sequence[str]) -> list[str]:
    """FEATURE=PATTERN, a feature called by the words of its pattern that tell it from others."""
    names: dict[str, str] = {}
    for pattern in [pattern for pattern in patterns if not re.search(r'[\s,=|"()\[\]]', pattern)]:
        words = re.findall("[A-Za-z]+[0-9]*", pattern.rpartition(".")[0])
        name = "_".join(word for word in words if word.lower() not in NO_CAMERA) or "front"
        taken = name in names or name in (*RESERVED, "state", "action")
        names[f"camera_{name}{len(names)}" if taken else name] = pattern
    return [f"{name}={pattern}" for name, pattern in list(names.items())[:CAMERAS]]


def rate_guessed(path: Path) -> list[str]:
    """`rate=` of the first film beside the tables, in pictures a second."""
    root, films = films_beside(path)
    try:
        with opened(root / films[0]) as (_, stream):
            rate = float(stream.average_rate or 0)
    except Exception:  # what is damaged is told where it is read
        return []
    return [f"rate={rate:.6g}"] if rate > 0 else []


def stills_guessed(path: Path) -> list[str]:
    """FEATURE=PATTERN of folders of pictures beside the tables, one a camera."""
    root = path if path.is_dir() else path.parent
    folders: dict[str, str] = {}
    for file in files_in(root, STILLS):
        above = file.parent.relative_to(root).as_posix()
        pattern = "" if above == "." else f"{above}/"
        head, _, last = pattern.rstrip("/").rpartition("/")
        # The folder of an episode has its number; that of a camera may have one, too.
        starred = f"{re.sub('[0-9]+', '*', head)}/{last}/" if head else pattern
        folders.setdefault(f"{starred}*{file.suffix}", last)
    return _named_cameras(list(folders))


def _starred(name: str) -> str:
    """A path with a star for each number but those of its ending."""
    stem, dot, ending = name.rpartition(".")
    return re.sub(r"[0-9]+", "*", stem if dot else name) + (f".{ending}" if dot else "")
