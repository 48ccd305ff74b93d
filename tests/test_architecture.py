"""The house stays in order: rooms, file sizes, and what needs no torch."""

import ast
import subprocess
import sys
from pathlib import Path

import grimp
import numpy as np
import pytest

import steadyhand as sh
from steadyhand.data import Episodes, write_episodes
from steadyhand.runtime.card import Provenance
from steadyhand.training.train import build_policy

SOURCE = Path(sh.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))


def test_imports_go_downwards_only() -> None:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=SOURCE.parents[1])
    assert done.returncode == 0, done.stdout[-3000:]


def test_no_two_files_import_each_other() -> None:
    """Also not inside of a function, or for the sake of types alone."""
    graph = grimp.build_graph("steadyhand", cache_dir=None)
    of = {file: graph.find_modules_directly_imported_by(file) for file in graph.modules}
    assert not [(file, other) for file in of for other in of[file] if file in of[other]]


def test_no_room_without_a_name_of_its_own() -> None:
    sinks = {"utils", "common", "base", "helpers", "misc", "manager"}
    assert not [path for path in FILES if path.stem in sinks or path.parent.name in sinks]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_open_with_what_they_do_and_stay_short(path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 300
    if path.name == "__init__.py" and not text.strip():
        return
    tree = ast.parse(text)
    said = ast.get_docstring(tree)
    assert said, "a module opens with what it does"
    assert said.count("\n") < 7
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 60, f"{node.name} does not fit a screen"


def test_most_files_are_short() -> None:
    assert np.median([path.read_text().count("\n") for path in FILES]) < 110


WITHOUT_TORCH = """
import sys

class Gone:
    def find_spec(self, name, path=None, target=None):
        gone = "torch safetensors tensorboard gym_pusht av zarr numcodecs pyarrow"
        if name.split(".")[0] in gone.split():
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Gone())
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT_TORCH + code]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_robots_side_needs_no_torch() -> None:
    done = run(
        "import steadyhand, steadyhand.runtime, steadyhand.data\n"
        "steadyhand.Chunking(), steadyhand.recipe('pusht_state'), steadyhand.open_episodes\n"
        "print('fine')"
    )
    assert done.stdout == "fine\n", done.stderr


def test_a_robot_reads_the_card_of_a_policy_without_torch(config, episodes, tmp_path) -> None:
    policy = build_policy(config, episodes)
    sh.save_policy(tmp_path / "p", policy, Provenance(task="fork", step=7))
    done = run(
        "from pathlib import Path\n"
        "from steadyhand.runtime import card\n"
        f"folder = Path({str(tmp_path / 'p')!r})\n"
        "spec, found = card.read_spec(folder), card.read_statistics(folder)['action']\n"
        "print(card.read_provenance(folder).task, spec.chunk_shape, found.mean.tolist())"
    )
    mean = policy.normaliser.statistics["action"].mean.tolist()
    assert done.stdout == f"fork (8, 2) {mean}\n", done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["train", "--help"],
        ["train", "pusht_state", "--help"],
        ["evaluate", "--help"],
        ["run", "--help"],
        ["compare", "--help"],
        ["distill", "--help"],
        ["benchmark", "--help"],
        ["inspect", "--help"],
    ],
    ids=" ".join,
)
def test_help_needs_no_extra(words) -> None:
    done = run(f"from steadyhand.cli.main import main\nsys.exit(main({words!r}))")
    assert done.returncode == 0, done.stderr
    assert "usage: steadyhand" in done.stdout
    assert not done.stderr


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (["evaluate", "{run}"], "train"),
        (["train", "pusht_state", "--data", "{data}"], "data|train"),
        (["inspect", "{data}"], "data"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_a_missing_extra_is_answered_with_what_to_type(words, extra, tmp_path) -> None:
    (tmp_path / "policy.json").write_text("{}")
    write_episodes(tmp_path / "data.zarr", Episodes({"action": np.ones((9, 1))}, np.array([9])))
    words = [word.format(run=tmp_path, data=tmp_path / "data.zarr") for word in words]
    done = run(f"from steadyhand.cli.main import main\nsys.exit(main({words!r}))")
    assert done.returncode == 2
    allowed = [f"pip install 'steadyhand[{name}]'" for name in extra.split("|")]
    assert any(text in done.stderr for text in allowed), done.stderr
    assert "Traceback" not in done.stderr


def test_no_two_files_of_tests_share_a_name() -> None:
    """Pytest imports them by it, and would find one of them alone."""
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert not {name for name in names if names.count(name) > 1}
