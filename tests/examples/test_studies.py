"""Every study of a task and a recipe in a user's own file, by the command line alone."""

import json
import sys
from pathlib import Path

import pytest

from steadyhand.cli.main import main
from steadyhand.cli.options import Spread

sys.path.append(str(Path(__file__).parents[1] / "studies"))
from in_process import executor

EXAMPLE = Path(__file__).parents[2] / "examples" / "reach.py"
QUESTIONS = {
    "modes": 4,
    "steps": 1,
    "chunk": 6,
    "history": 4,
    "data": 3,
    "sweep --vary chunking.horizon=4,8 --vary solver=ddim,dpmpp_2m": 2,
    "seeds": 4,
}
"""How many policies each trains."""


SMALL = f'''"""The example's recipe with a network for tests."""
from dataclasses import replace
import steadyhand as sh
from steadyhand.nets.choices import MLPConfig

def small(method="flow", network="mlp"):
    config = sh.recipe("{EXAMPLE}:reach", method=method, network=network)
    denoiser = MLPConfig(width=16, blocks=1)
    return replace(config, policy=replace(config.policy, denoiser=denoiser), batch_size=16)
'''


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("own") / "small.py"
    path.write_text(SMALL)
    return f"{path}:small"


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("studies")


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_task_of_ones_own_is_studied(question, recipe, out, capsys, monkeypatch) -> None:
    monkeypatch.setattr(Spread, "executor", executor)
    words = ["study", *question.split(), "--quick", "--steps=4", "--episodes=4", f"--out={out}"]
    assert main([*words, f"--recipe={recipe}", "--demonstrations=100", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["question"] == question.split()[0]
    assert found["runs"] == QUESTIONS[question]
    assert found["rows"][0]["success"].keys() == {"mean", "low", "high", "n"}
    page = Path(found["report"]).read_text()
    assert found["answer"][:20] in page
    assert "cannot be told" in page or "no room to differ" in page or "score" in page
    for picture in found["figures"]:
        assert Path(picture).stat().st_size > 500
