"""The command line as users meet it: what is printed, what is returned, what is left behind."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from steadyhand.cli.main import main
from steadyhand.data import Episodes, write_episodes

TINY = [
    "--precision=float32",
    "--device=cpu",
    "--denoiser.width=16",
    "--denoiser.blocks=1",
    "--batch-size=16",
    "--prepare",
]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A small made-up set with the features of Push-T."""
    random = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("data") / "pusht.npz"
    arrays = {
        "state": random.uniform(0, 512, (90, 5)).astype(np.float32),
        "keypoint": random.uniform(0, 512, (90, 9, 2)).astype(np.float32),
        "action": random.uniform(0, 512, (90, 2)).astype(np.float32),
    }
    write_episodes(path, Episodes(arrays, np.array([30, 60, 90])))
    return path


@pytest.fixture(scope="module")
def run(data, tmp_path_factory) -> Path:
    """A finished run of thirty steps."""
    out = tmp_path_factory.mktemp("runs") / "first"
    words = ["train", "pusht_state", f"--data={data}", "--steps=30", "--checkpoint-every=10"]
    assert main([*words, f"--out={out}", *TINY]) == 0
    return out


def answer(capsys, words) -> dict:
    """The one JSON object on standard output."""
    assert main([*map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_train_writes_a_run(run, data) -> None:
    assert {path.name for path in run.iterdir()} >= {
        "config.json",
        "log.jsonl",
        "checkpoints",
        "last",
        "best",
    }
    assert list(run.glob("events.out.tfevents*"))
    config = json.loads((run / "config.json").read_text())
    assert config["steps"] == 30
    assert config["data"] == str(data)
    last = json.loads((run / "log.jsonl").read_text().splitlines()[-1])
    assert last["step"] == 30
    assert {"loss", "validation_loss", "samples_per_second"} <= last.keys()


def test_train_answers_in_json(data, tmp_path, capsys) -> None:
    words = ["train", "pusht_state", f"--data={data}", "--steps=5", f"--out={tmp_path / 'r'}"]
    found = answer(capsys, [*words, *TINY])
    assert found.keys() == {
        "run",
        "steps",
        "minutes",
        "loss",
        "validation_loss",
        "parameters",
    }
    assert found["steps"] == 5
    again = answer(capsys, ["train", "--resume", f"--out={tmp_path / 'r'}"])
    assert (again["steps"], again["loss"]) == (5, found["loss"])


def test_evaluations_of_a_checkpoint_belong_to_its_run(run, capsys) -> None:
    found = answer(capsys, ["evaluate", run / "checkpoints" / "00000020", "--episodes=1"])
    assert Path(found["episodes_file"]).parent.resolve() == (run / "evaluations").resolve()


def test_evaluate(run, capsys) -> None:
    found = answer(capsys, ["evaluate", run, "--episodes=2", "--video=1"])
    assert found["task"] == "pusht"
    assert "RandomState" in found["initial_states"]
    for score in ("success", "max_coverage", "final_coverage"):
        assert found[score].keys() == {"mean", "low", "high", "n"}
        assert found[score]["n"] == 2
    assert {"jerk", "boundary_jump"} <= found["smoothness"].keys()
    assert found["chunk_ms"].keys() == {"median", "p95"}
    lines = Path(found["episodes_file"]).read_text().splitlines()
    assert [json.loads(line)["seed"] for line in lines] == [100_000, 100_001]
    assert len(json.loads(lines[0])["initial_state"]) == 5
    assert Path(found["videos"][0]).stat().st_size > 1000
    other = ["evaluate", run, "--episodes=2", "--solver=ddim", "--steps=3", "--execute=4"]
    assert "ddim3-execute4" in answer(capsys, other)["episodes_file"]


def test_compare(run, capsys) -> None:
    early = run / "checkpoints" / "00000010"
    found = answer(capsys, ["compare", run, early, "--episodes=3"])
    assert [row["run"] for row in found["rows"]] == [str(run), str(early)]
    assert {row["score"] for row in found["differences"]} == {
        "success",
        "max_coverage",
        "final_coverage",
    }
    assert {"a", "b", "mean", "low", "high", "p"} <= found["differences"][0].keys()
    assert all(row["adjusted_p"] >= row["p"] for row in found["differences"])


def test_one_episode_has_no_interval(run, capsys) -> None:
    early = run / "checkpoints" / "00000010"
    assert main(["compare", str(run), str(early), "--episodes=1"]) == 0
    said = capsys.readouterr().out
    shown = said.partition("Paired differences")[0]
    assert len(re.findall(r"×\d|none", shown.partition("Jump at seams")[0])) == 2, "smoothness"
    assert said.count("(n = 1)") >= 9, "of each score of each run and of each difference"
    found = answer(capsys, ["evaluate", run, "--episodes=1"])
    assert found["success"]["n"] == 1
    assert found["success"]["low"] is found["success"]["high"] is None


@pytest.mark.parametrize("flag", ["--seed-start", "--episodes"])
def test_a_number_that_is_longer_than_a_file_may_be_called(run, flag, capsys) -> None:
    assert main(["evaluate", str(run), flag, "9" * 400]) == 2
    assert "is a number of some 400 digits; " in capsys.readouterr().err


def test_inspect(run, data, capsys) -> None:
    found = answer(capsys, ["inspect", data])
    assert (found["format"], found["episodes"], found["steps"]) == ("npz", 3, 90)
    assert found["features"]["keypoint"] == {"shape": [9, 2], "dtype": "float32", "kind": "state"}
    assert found["problems"] == []
    policy = answer(capsys, ["inspect", run])
    assert policy["provenance"]["task"] == "pusht"
    assert policy["parameters"] > 1000


def test_ctrl_c_leaves_a_run_that_can_be_resumed(data, tmp_path) -> None:
    out = tmp_path / "r"
    words = ["train", "pusht_state", f"--data={data}", "--steps=100000", f"--out={out}", *TINY]
    command = [sys.executable, "-m", "steadyhand.cli.main", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    log, deadline = out / "log.jsonl", time.monotonic() + 60
    while not (log.exists() and log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Stopped at step" in err
    assert f"steadyhand train --resume --out {out}" in err
    assert "Traceback" not in err
    saved = json.loads((out / "last" / "policy.json").read_text())["provenance"]["step"]
    assert f"Stopped at step {saved}, saved" in err
    assert (out / "last" / "train_state.safetensors").exists()


def test_help_names_every_verb(capsys) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for verb in ("train", "evaluate", "compare", "inspect"):
        assert verb in out
    assert max(map(len, out.splitlines())) <= 90


def test_help_tells_a_verbs_own_flags_before_those_it_shares(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["evaluate", "--help"])
    said = capsys.readouterr().out
    flags = ["--video", "--episodes", "--solver", "--device", "--json"]
    assert sorted(flags, key=said.index) == flags


def test_version(capsys) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("steadyhand 0.")


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        (["train", "fork"], "--batch-size"),
        (["evaluate", "run"], "--parallel"),
        (["evaluate", "run", "--offline"], "less data"),
        (["inspect", "run"], "less data"),
    ],
    ids=lambda value: "",
)
def test_memory_is_saved_with_flags_that_the_verb_has(words, flag, monkeypatch, capsys) -> None:
    def too_much(arguments: list[str]) -> None:
        raise MemoryError

    monkeypatch.setattr("steadyhand.cli.main._run", too_much)
    assert main(words) == 2
    said = capsys.readouterr().err
    assert flag in said
    assert said.count("--") == flag.count("--")
