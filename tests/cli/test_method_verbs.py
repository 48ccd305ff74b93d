"""`distill` and `benchmark` as users type them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from steadyhand.cli.main import main
from steadyhand.policy.card import read_config
from steadyhand.runtime.card import read_provenance
from steadyhand.studies.folder import RunFolder
from steadyhand.training.trainer import Trainer

TINY = ["--precision=float32", "--device=cpu", "--denoiser.width=16", "--denoiser.blocks=1"]


@pytest.fixture(scope="module")
def teacher(tmp_path_factory) -> Path:
    """A flow policy of thirty steps."""
    out = tmp_path_factory.mktemp("runs") / "flow"
    words = ["train", "fork", "--method=flow", "--demonstrations=10", "--steps=30"]
    assert main([*words, *TINY, f"--out={out}"]) == 0
    return out


def answer(capsys, words) -> dict:
    capsys.readouterr()
    assert main([*map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_distill_makes_a_policy_of_one_call(teacher, tmp_path, capsys) -> None:
    out = tmp_path / "student"
    found = answer(capsys, ["distill", teacher, "--out", out, "--levels", 5])
    assert found.keys() == {"run", "steps", "minutes", "loss", "validation_loss", "parameters"}
    assert found["steps"] == 15, "half of the teacher's unless told"
    config = read_config(out / "last")
    assert (config.sampler.solver, config.sampler.steps) == ("renoise", 1)
    assert config.process.levels == 5  # type: ignore[union-attr]
    assert read_provenance(out / "last").task == "fork"
    score = answer(capsys, ["evaluate", out, "--episodes", 2])
    assert score["success"]["n"] == 2
    more = answer(capsys, ["evaluate", out, "--episodes", 2, "--steps", 3])
    assert more["episodes_file"] != score["episodes_file"]


def test_distilling_that_was_stopped_is_resumed(teacher, tmp_path, monkeypatch) -> None:
    """A Ctrl-C after the seventh step, and the rest later: the same weights as in one go."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    words = ["distill", str(teacher), "--steps", "20"]
    assert main([*words, f"--out={whole}"]) == 0
    config = json.loads((whole / "config.json").read_text())
    assert config["teacher"] == str((teacher / "last").resolve())
    step = Trainer.step

    def stops(trainer: Trainer, number: int):
        if number == 7:
            os.kill(os.getpid(), signal.SIGINT)
        return step(trainer, number)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "step", stops)
        assert main([*words, f"--out={parts}"]) == 130
    assert read_provenance(parts / "last").step == 8
    assert main(["train", "--resume", f"--out={parts}"]) == 0
    same = (whole / "last" / "policy.safetensors", parts / "last" / "policy.safetensors")
    assert same[0].read_bytes() == same[1].read_bytes()
    # A teacher that has gone is asked for, and where it is now can be said.
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(teacher / "checkpoints", elsewhere)
    config["teacher"] = str(tmp_path / "gone")
    (parts / "config.json").write_text(json.dumps(config))
    shutil.rmtree(parts / "checkpoints")
    assert main(["train", "--resume", f"--out={parts}"]) == 2
    assert main(["train", "--resume", f"--out={parts}", f"--teacher={elsewhere / '00000030'}"]) == 0
    again = parts / "last" / "policy.safetensors"
    assert again.read_bytes() == same[0].read_bytes()


def test_a_benchmark_is_a_table_and_a_picture(tmp_path, capsys) -> None:
    out = tmp_path / "b"
    words = ["benchmark", "--task", "fork", "--methods", "regression,flow,flow:1,consistency"]
    words += ["--steps", "6", "--episodes", "2", "--seeds", "2", "--out", str(out)]
    found = answer(capsys, words)
    assert found["task"] == "fork"
    assert [row["method"] for row in found["rows"]] == words[4].split(",")
    assert [row["calls"] for row in found["rows"]] == [1, 5, 1, 1]
    for row in found["rows"]:
        assert row.keys() >= {"denoiser", "parameters", "chunk_ms", "train_minutes", "seeds"}
        assert row["success"].keys() == {"mean", "low", "high", "n"}
        assert row["success"]["n"] == 4
        assert row["success"]["low"] <= row["success"]["mean"] <= row["success"]["high"]
        assert row["seeds"] == 2
        assert row["chunk_ms"] > 0
    flow, one = found["rows"][1:3]
    assert flow["train_minutes"] == one["train_minutes"], "the same runs"
    trained = {path.parent.name.rpartition("-")[0] for path in out.glob("*/trained.json")}
    kinds = ("regression", "flow", "consistency")  # whose teacher is a shorter flow
    assert trained == {f"fork-{name}-mlp-2to16-{seed}" for name in kinds for seed in (0, 1)}
    assert len([*out.glob("*/trained.json")]) == 4 * 2
    table = (out / "table.md").read_text()
    assert table.splitlines()[0].startswith("| method | network | calls | success |")
    assert len(table.splitlines()) == 2 + 4
    picture = ElementTree.parse(found["picture"]).getroot()
    names = {element.text for element in picture.iter() if element.tag.endswith("text")}
    assert set(words[4].split(",")) <= names
    assert "flow:1" in Path(found["report"]).read_text()
    assert json.loads((out / "rows.json").read_text())["rows"] == found["rows"]
    # The same again trains nothing; another seed trains only that.
    stamps = {path: path.stat().st_mtime_ns for path in out.glob("*/trained.json")}
    again = answer(capsys, words)
    assert [row["success"] for row in again["rows"]] == [row["success"] for row in found["rows"]]
    answer(capsys, [*words[:4], "flow", *words[5:]])
    assert {path: path.stat().st_mtime_ns for path in out.glob("*/trained.json")} == stamps


def test_what_a_benchmark_cannot_do_is_said_before_it_trains(tmp_path, capsys) -> None:
    out = tmp_path / "b"
    words = ["benchmark", "--steps", "1", "--episodes", "1", f"--out={out}", "--methods"]
    for methods, more in [
        ("regression,regression:3", []),
        ("ddpm:200", []),
        ("shortcut:3", []),
        ("flow", ["--seed-start=-1"]),
        ("flow", ["--task=fork:gap=9"]),
        ("flow", ["--task=fork:gapp=1"]),
        ("flow", [f"--data={tmp_path / 'typo.npz'}"]),
    ]:
        assert main([*words, methods, *more]) == 2, (methods, more)
        assert not out.exists(), "and nothing is left behind"
    assert main([*words, "regression"]) == 0
    capsys.readouterr()
    card = out / "fork-200.json"
    card.write_text(card.read_text().replace("fork", "pusht"))
    assert main([*words, "regression"]) == 2, "recorded of another task"
    assert "was not recorded of fork as it is now" in capsys.readouterr().err
    assert main([*words, "regression", f"--data={tmp_path / 'typo.npz'}"]) == 2


def test_networks_are_compared_the_same_way(tmp_path, capsys) -> None:
    words = ["benchmark", "--methods", "regression", "--networks", "mlp,unet", "--steps", "2"]
    found = answer(capsys, [*words, "--episodes", "1", "--out", tmp_path / "b"])
    assert [row["denoiser"] for row in found["rows"]] == ["mlp", "unet"]
    assert len({row["parameters"] for row in found["rows"]}) == 2


def test_a_benchmark_that_is_stopped_goes_on(tmp_path) -> None:
    out = tmp_path / "b"
    words = ["benchmark", "--methods", "regression", "--steps", "1000000", "--out", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-m", "steadyhand.cli.main", *words, "--json"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    until = time.monotonic() + 90
    trained = 0.0
    while not trained and time.monotonic() < until:
        trained = sum(RunFolder(path.parent).share for path in out.glob("*/progress.json"))
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    printed, said = process.communicate(timeout=90)
    assert process.returncode == 130, said.decode()[-1000:]
    assert json.loads(printed)["error"]["kind"] == "interrupted"
    assert "the same command goes on" in said.decode()
    assert list(out.glob("*/run/checkpoints/*/train_state.safetensors"))
