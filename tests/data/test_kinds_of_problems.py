"""Every kind of problem that the code can tell of is in the table of docs/data.md, and no other."""

import ast
import re
from pathlib import Path

import steadyhand
from steadyhand.errors import NotFiniteError

SOURCE = Path(steadyhand.__file__).parent
TABLE = Path(__file__).parents[2] / "docs" / "data.md"
BY_NAME = {
    "data/pictures/footage.py": "video-rate video-long video-short video-clock",
    "data/kinds/meaning.py": "colour channels unit points painted",
    "data/problems/film.py": "cut frozen black",
    "data/problems/outliers.py": "outliers seldom",
    "data/problems/pictures.py": "black unmeasured",
    "data/problems/__init__.py": "unreadable",
}
"""Files that tell of problems whose kind is a variable, and which these are."""


def told() -> tuple[set[str], set[str]]:
    """(kinds that are written out, files in which one is a variable)."""
    trees = {file: ast.parse(file.read_text()) for file in (SOURCE / "data").rglob("*.py")}
    constants = {
        node.targets[0].id: node.value.value
        for tree in trees.values()
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    written, by_name = set[str](), set[str]()
    for file, tree in trees.items():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and ast.unparse(node.func) == "Problem"):
                continue
            kind = node.args[0]
            if isinstance(kind, ast.Constant):
                written.add(str(kind.value))
            elif isinstance(kind, ast.Name) and kind.id in constants:
                written.add(str(constants[kind.id]))
            else:
                by_name.add(file.relative_to(SOURCE).as_posix())
    return written, by_name


def test_the_table_has_every_kind_and_no_other() -> None:
    written, by_name = told()
    assert by_name == set(BY_NAME)
    text = "".join(file.read_text() for file in (SOURCE / "data").rglob("*.py"))
    for name in " ".join(BY_NAME.values()).split():
        assert f'"{name}"' in text, f"nothing tells of {name} any more"
        written.add(name)
    written.add(NotFiniteError.kind)
    section = TABLE.read_text().split("## What `inspect` finds")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]*`) \|", section, re.M)
    listed = [kind for row in rows for kind in re.findall(r"`([^`]+)`", row)]
    assert sorted(listed) == sorted(set(listed)), "each once"
    assert set(listed) == written
