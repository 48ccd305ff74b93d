"""The example of a user's own task and recipe does what it says, by the command line alone."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from steadyhand.cli.main import main
from steadyhand.data import open_episodes
from steadyhand.runtime.card import read_provenance

EXAMPLE = Path(__file__).parents[2] / "examples" / "reach.py"
TASK, RECIPE = f"{EXAMPLE}:Reach", f"{EXAMPLE}:reach"
SMALL = ["--denoiser.width=32", "--denoiser.blocks=1", "--batch-size=64"]


def answer(capsys, *words) -> dict:
    capsys.readouterr()
    assert main([*map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A run of the example's recipe, shorter and smaller."""
    out = tmp_path_factory.mktemp("runs") / "reach"
    words = ["train", RECIPE, "--steps=400", "--demonstrations=40", *SMALL, f"--out={out}"]
    assert main(words) == 0
    return out


def test_the_expert_demonstrates_both_ways(tmp_path, capsys) -> None:
    found = answer(capsys, "record", "--task", TASK, "--episodes", 30, "--out", tmp_path / "d.npz")
    assert found["success"]["mean"] == 1
    recorded = open_episodes(tmp_path / "d.npz")
    left = recorded.read("action")[recorded.ends - 1, 0] < 0
    assert 8 < np.sum(left) < 22


def test_a_task_without_success_is_recorded(tmp_path, capsys) -> None:
    own = tmp_path / "own.py"
    own.write_text(EXAMPLE.read_text().replace('"success": any(held.values()), ', ""))
    words = ("record", "--task", f"{own}:Reach", "--episodes", 3, "--out", tmp_path / "d.npz")
    assert answer(capsys, *words)["success"] is None
    assert len(open_episodes(tmp_path / "d.npz")) == 3


def test_what_it_trains_reaches_a_cup(trained, capsys) -> None:
    assert read_provenance(trained / "last").task == TASK, "by its whole path"
    found = answer(capsys, "evaluate", trained, "--task", TASK, "--episodes", 20)
    assert found["success"]["mean"] > 0.6
    assert 0 < found["left"]["mean"] < found["success"]["mean"]
    assert Path(found["episodes_file"]).parent == trained / "evaluations"
    slow = answer(capsys, "evaluate", trained, "--task", f"{TASK}:speed=0.01", "--episodes", 2)
    assert slow["success"]["mean"] == 0
    assert slow["task"] == f"{TASK}:speed=0.01"


def test_it_stands_in_a_table(tmp_path, capsys) -> None:
    words = ["benchmark", "--task", TASK, "--recipe", RECIPE, "--out", tmp_path / "out"]
    found = answer(capsys, *words, "--methods", "flow:1,flow:2", "--steps", 2, "--episodes", 3)
    assert [row["calls"] for row in found["rows"]] == [1, 2]
    assert found["task"] == "reach.py:Reach"


def test_a_run_whose_file_was_moved_goes_on(trained, tmp_path, capsys) -> None:
    moved = shutil.copy(EXAMPLE, tmp_path)
    words = ["train", "--resume", "--out", trained]
    assert answer(capsys, *words, "--task", f"{moved}:Reach")["steps"] == 400
    assert main([*map(str, words), "--task", f"{moved}:Reach:speed=0.4"]) == 2
    assert "begun with another task" in capsys.readouterr().err


def test_another_own_recipe_is_asked_for_what_it_takes(tmp_path, capsys) -> None:
    file = tmp_path / "mine.py"
    file.write_text("import steadyhand as sh\ndef plain():\n    return sh.recipe('state')\n")
    assert main(["train", f"{file}:plain", "--method=flow", "--data=none"]) == 2
    assert "mine.py:plain does not take a method: give the function" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["train", f"{file}:plain", "--help"])
    assert "A recipe of your own. Every field of the recipe is a flag." in capsys.readouterr().out
