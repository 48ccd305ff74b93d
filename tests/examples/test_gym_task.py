"""A Gymnasium environment in a user's own file goes all the way, by the command line alone."""

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("gymnasium", reason="the extra gymnasium is not installed")

from steadyhand.cli.main import main
from steadyhand.data import open_episodes
from steadyhand.runtime.card import read_provenance

EXAMPLES = Path(__file__).parents[2] / "examples"
TASK = f"{EXAMPLES / 'gym_task.py'}:arm"
SMALL = ["--steps=400", "--denoiser.width=64", "--denoiser.blocks=2", "--batch-size=64"]


def answer(capsys, *words) -> dict:
    capsys.readouterr()
    assert main([*map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_an_environment_of_ones_own_goes_all_the_way(tmp_path, capsys) -> None:
    data, flow, mean = tmp_path / "arm.npz", tmp_path / "flow", tmp_path / "mean"
    found = answer(capsys, "record", "--task", TASK, "--episodes", 100, "--out", data)
    assert found["success"]["mean"] == 1
    recorded = open_episodes(data)
    assert (recorded.shapes, recorded.rate_hz) == ({"state": (4,), "action": (2,)}, 10.0)
    words = ["train", "state", "--task", TASK, "--data", data, *SMALL, "--seed=1"]
    answer(capsys, *words, "--out", flow)
    answer(capsys, *words, "--method=regression", "--steps=20", "--out", mean)
    assert read_provenance(flow / "last").task == TASK
    found = answer(capsys, "evaluate", flow, "--task", TASK, "--episodes", 20, "--video", 1)
    assert found["success"]["mean"] > 0.1
    assert found["return"]["n"] == 20
    assert Path(found["videos"][0]).stat().st_size > 1000
    found = answer(capsys, "compare", flow, mean, "--task", TASK, "--episodes", 10)
    assert [row["success"]["n"] for row in found["rows"]] == [10, 10]
    assert [row["score"] for row in found["differences"]] == ["success", "return"]


def test_a_simulator_in_a_file(tmp_path, capsys) -> None:
    pytest.importorskip("gymnasium_robotics", reason="the extra adroit is not installed")
    task, data = f"{EXAMPLES / 'fetch.py'}:pick", tmp_path / "fetch.npz"
    found = answer(capsys, "record", "--task", task, "--episodes", 4, "--out", data)
    assert found["success"]["mean"] == 1
    words = ["train", f"{EXAMPLES / 'fetch.py'}:recipe", "--data", data, "--steps=2"]
    answer(capsys, *words, "--denoiser.width=16", "--out", tmp_path / "run")
    few = ("--episodes", 2)
    found = answer(capsys, "evaluate", tmp_path / "run", "--task", task, *few, "--processes", 1)
    assert found["success"]["mean"] < 1
    assert found["away"]["mean"] > 0.05, "metres from the goal"
    again = answer(capsys, "evaluate", tmp_path / "run", "--task", task, *few, "--processes", 0)
    assert again["away"] == found["away"], "in this process as in another"


def test_the_examples_are_short() -> None:
    for name, most in {"gym_task.py": 60, "fetch.py": 100}.items():
        assert len((EXAMPLES / name).read_text().splitlines()) < most
        assert re.search("steadyhand record --task", (EXAMPLES / name).read_text())
