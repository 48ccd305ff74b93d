"""Inputs of the kinds found in public files and bug reports: what is read of each, what is said.

`python tests/data/field.py` writes the table into docs/data.md; the tests hold it there. The inputs
are made by a script that lies beside the project, and only where that is there.
"""

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from steadyhand.data import Episodes, inspect_episodes, open_episodes
from steadyhand.errors import SteadyhandError

ROOT = Path(__file__).parents[2]
MAKER = ROOT.parent / "shared" / "field" / "make.py"
PAGE = ROOT / "docs" / "data.md"
HEADING = "## What was tried\n"
NOISE = ("constant", "saturated", "unrelated", "rate-assumed")
"""Problems that made up numbers have by chance, or all of them have."""
INTRODUCTION = """
Small inputs of the kinds found in public files and in bug reports, as they come, with what is read
of each and what `inspect` says. Made by `python tests/data/field.py`; the tests check each value
that is read against what another library reads.

| input | what it is | what is read | what is said |
|---|---|---|---|
"""


def made(folder: Path) -> dict[str, tuple[Path, str]]:
    """Name → (where it lies, what it is), all of them written into `folder`."""
    sys.path.insert(0, str(MAKER.parent))
    described = importlib.util.spec_from_file_location("field_make", MAKER)
    assert described is not None
    assert described.loader is not None
    maker = importlib.util.module_from_spec(described)
    before = Path.cwd()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        described.loader.exec_module(maker)
        os.chdir(folder)
        for case in maker.CASES:
            case()
    finally:
        os.chdir(before)
        sys.path.remove(str(MAKER.parent))
    found = {}
    for case in maker.CASES:
        (place,) = (p for p in folder.iterdir() if p.name.split(".")[0] == case.__name__)
        found[case.__name__] = (place, (case.__doc__ or "Two tasks in words.").strip())
    return found


def told(path: Path) -> tuple[str, list[str]]:
    """(what is read, what is said) of an input."""
    try:
        episodes = open_episodes(path)
    except SteadyhandError as error:
        return "nothing", [_short(str(error), path)]
    problems = [p for p in inspect_episodes(episodes) if p.kind not in NOISE]
    said = [_short(f"{problem.kind}: {problem.message}", path) for problem in problems]
    return _read(episodes), said


def _read(episodes: Episodes) -> str:
    features = (
        f"{key} {tuple(array.shape[1:])} {episodes.kind(key)}"
        for key, array in episodes.arrays.items()
    )
    return f"{len(episodes)} episodes, {episodes.steps} steps: {'; '.join(features)}"


def _short(text: str, path: Path) -> str:
    text = text.replace(str(path.parent) + "/", "").replace(str(path), path.name)
    return text.replace("|", "\\|").replace("\n", " ")


def rows(folder: Path) -> Iterator[str]:
    for name, (path, what) in made(folder).items():
        read, said = told(path)
        yield f"| `{name}` | {what} | {read} | {'<br>'.join(said) or 'nothing'} |"


def section(folder: Path) -> str:
    """The last section of the page."""
    return HEADING + INTRODUCTION + "\n".join(rows(folder)) + "\n"


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        page = PAGE.read_text().partition(HEADING)[0]
        PAGE.write_text(page + section(Path(folder)))
