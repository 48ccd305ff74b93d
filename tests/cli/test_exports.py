"""Verbs that take an export where they take a run, and drive it where there is no torch."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from steadyhand.cli.export import told
from steadyhand.cli.main import main
from steadyhand.runtime.exported import is_export, read_export

# In a process of its own: shapes are not checked at run time there.
MAKE = """
import sys
from steadyhand.cli.main import main

train = "train fork --method=regression --demonstrations=10 --steps=10 --precision=float32"
small = "--device=cpu --denoiser.width=16 --denoiser.blocks=1 --out=flow"
sys.exit(main(f"{train} {small}".split()) or main("export flow --to=onnx --out=light".split()))
"""
ALONE = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in %r:
            raise ImportError(f"there is no {name} on this robot")

sys.meta_path.insert(0, Blocked())
import numpy as np
import steadyhand as sh
from steadyhand.cli.main import main
from steadyhand.runtime import ChunkRequest, RealTime, RecedingHorizon, run_loop

class Arm:
    def observe(self):
        return {"state": np.zeros(2, np.float32)}
    def act(self, action):
        assert np.isfinite(action).all()

predictor = sh.load_exported("light")
now = {"state": np.zeros((2, 2), np.float32)}
assert predictor.predict([ChunkRequest(observation=now)]).shape == (1, 16, 2)
report = run_loop(Arm(), predictor, RecedingHorizon(predictor.spec), ticks=10, rate_hz=200)
assert report.ticks == 10
open("arm.py", "w").write(ARM)
assert main(["run", "light", "--robot", "arm.py:Arm", "--ticks", "5", "--rate", "200"]) == 0
assert main(["run", "light", "--engine", "openvino", "--ticks", "5"]) == 0
assert main(["inspect", "light", "--json"]) == 0
assert main(["serve", "--help"]) == 0
assert not {"torch", "onnx"} & set(sys.modules)
"""
ARM = """
import numpy as np

class Arm:
    def observe(self):
        return {"state": np.zeros(2, np.float32)}
    def act(self, action):
        assert np.isfinite(action).all()
"""
LEARNING = "torch onnx onnxscript jaxtyping safetensors diffusers tensorboard transformers scipy"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A run, `flow`, and an export of it, `light`."""
    folder = tmp_path_factory.mktemp("made")
    done = subprocess.run([sys.executable, "-c", MAKE], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.fixture(autouse=True)
def there(made, monkeypatch) -> None:
    monkeypatch.chdir(made)


def answer(capsys, words: str) -> dict:
    capsys.readouterr()
    assert main([*words.split(), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_an_export_is_tried_as_its_run_is_in_the_same_episodes(capsys) -> None:
    found = answer(capsys, "compare flow light --episodes 4")
    run, export = found["rows"]
    assert run["task"] == export["task"] == "fork"
    assert (run["success"], run["collision"]) == (export["success"], export["collision"])
    # What is computed elsewhere differs in last bits: a file that was copied would not.
    jumps = [row["smoothness"]["jerk"] for row in (run, export)]
    assert jumps[0] == pytest.approx(jumps[1], rel=1e-2)


def test_no_episode_of_an_export_depends_on_the_others(capsys) -> None:
    lines = []
    for engine in ("onnx", "openvino"):
        for parallel in (1, 3):
            words = f"evaluate light --episodes 3 --parallel {parallel} --engine {engine}"
            found = answer(capsys, f"{words} --out by_{engine}_{parallel}")
            lines.append(Path(found["episodes_file"]).read_text())
            assert "light" in Path(found["episodes_file"]).name
    assert lines[0] == lines[1]
    assert lines[2] == lines[3]
    assert "by-openvino" in found["episodes_file"]


def test_inspect_shows_the_card_and_says_where_a_file_is_not_whole(capsys) -> None:
    found = answer(capsys, "inspect light")
    assert found["engine"] == "onnx"
    assert found["features"]["action"]["shape"] == [2]
    assert found["verification"]["largest"] < 1e-4
    assert main(["inspect", "light"]) == 0
    said = capsys.readouterr().out
    assert "differs by" in said
    assert "in 1 call\n" in said  # by no solver: it is regression
    assert "files are whole" in said
    whole = Path("light/weights.bin").read_bytes()
    Path("light/weights.bin").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        assert main(["inspect", "light"]) == 2
        assert "checksum differs" in capsys.readouterr().err
    finally:
        Path("light/weights.bin").write_bytes(whole)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("evaluate light --steps 3", "is chosen where a run is exported"),
        ("compare light flow --temperature 0.5", "is chosen where a run is exported"),
        ("distill ws://arm:80/flow --out d", "ws://arm:80/flow is a server's address, and this"),
        ("evaluate --offline wss://arm", "wss://arm is a server's address, and this takes the run"),
        ("run light/chunk.onnx", "is a file of an export. Name its folder: light"),
        ("inspect light/chunk.onnx", "is a file of an export. Name its folder: light"),
        ("run .", "It holds runs: flow; exports: light."),
        ("run light --device cuda", "--provider, not --device cuda"),
        ("run flow --threads 2", "--threads 2 is of an export, and flow is a run"),
        (
            "serve flow --threads 2 --host 300.1.1.1",
            "--threads 2 is of an export, and flow is a run",
        ),
        ("serve light other=light --device cpu --host 300.1.1.1", "--provider, not --device cpu"),
        (
            "compare flow --controllers receding blend --engine onnx",
            "--engine onnx is of an export, and flow is",
        ),
        ("run nowhere --engine onnx", "There is no run or checkpoint at nowhere"),
        ("evaluate light --provider CUDA", "Available: CPUExecutionProvider"),
        ("evaluate light --text-model minilm", "knows the words of its tasks and no others"),
        ("run light --controller real_time", "no graph that goes on from the last chunk"),
        ("evaluate --offline light", "light is an export, and this takes the run"),
        ("distill light --out d", "light is an export, and this takes the run"),
        ("export light --to onnx", "light is an export, and this takes the run"),
        ("train --resume --out light", "light is an export, and this takes the run"),
        ("compare light light", "Name at least two different runs"),
    ],
)
def test_what_an_export_is_not_for_is_said(words, said, capsys) -> None:
    assert main(words.split()) == 2
    assert said in capsys.readouterr().err


def test_an_export_of_no_task_is_for_a_robot_or_its_run_for_demonstrations(capsys) -> None:
    shutil.copytree("light", "free", dirs_exist_ok=True)
    card = json.loads(Path("free/export.json").read_text())
    card["provenance"]["task"] = None
    Path("free/export.json").write_text(json.dumps(card))
    assert main(["evaluate", "free"]) == 2
    assert "by its run: steadyhand evaluate --offline RUN" in capsys.readouterr().err
    told(read_export("free"), Path("free"), as_json=False)
    assert "Run it: steadyhand run free --robot FILE.py:function\n" in capsys.readouterr().out


def test_data_to_compare_on_is_looked_at_before_anything_is_exported(capsys, monkeypatch) -> None:
    def exported(*_, **__):
        raise AssertionError("It was exported first.")

    monkeypatch.setattr("steadyhand.export.folder.write_export", exported)
    arrays = {"other": np.zeros((9, 2)), "action": np.zeros((9, 2)), "episode_ends": np.array([9])}
    np.savez("other.npz", **arrays, rate_hz=10.0)
    for name, said in (("gone.npz", "no data at gone.npz"), ("other.npz", "does not fit")):
        assert main(f"export flow --to onnx --out new --data {name}".split()) == 2
        assert said in capsys.readouterr().err


def test_a_robot_needs_neither_torch_nor_what_exports_are_made_with() -> None:
    assert is_export("light")
    code = f"ARM = {ARM!r}\n" + ALONE % (tuple(LEARNING.split()),)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
