"""`run` as users type it: a task's world, a robot of one's own, Ctrl-C, and what goes wrong."""

import json
from pathlib import Path

import numpy as np
import pytest

from steadyhand.cli.main import main
from steadyhand.data import open_episodes
from steadyhand.tasks import make_task

TINY = ["--precision=float32", "--device=cpu", "--denoiser.width=16", "--denoiser.blocks=1"]
ROBOT = """
import signal
import time

import numpy as np

class Arm:
    def __init__(self, fault=""):
        self.fault, self.told = fault, 0

    def observe(self):
        if self.told == 12:
            if self.fault == "ctrl-c":
                signal.raise_signal(signal.SIGINT)
            if self.fault == "bus":
                raise ValueError("no answer on the bus")
            if self.fault == "exit":
                raise SystemExit(3)
        return {"state": np.zeros(2, np.float32)}

    def act(self, action):
        self.told += 1

    def stop(self):
        open("stopped", "a").write("x")
        if self.fault == "brake":
            raise OSError("no power")

def nothing():
    pass

class Slow(Arm):
    def observe(self):
        time.sleep(0.03)
        return super().observe()

class Half:
    def observe(self):
        return {}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "flow"
    words = ["train", "fork", "--method=flow", "--demonstrations=10", "--steps=10"]
    assert main([*words, *TINY, f"--out={out}"]) == 0
    return out


@pytest.fixture
def robot(tmp_path, monkeypatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "arm.py").write_text(ROBOT)
    return "arm.py:Arm"


def answer(capsys, *words, status=0) -> dict:
    capsys.readouterr()
    assert main(["run", *map(str, words), "--json"]) == status
    return json.loads(capsys.readouterr().out)


def test_a_world_is_driven_and_recorded(trained, tmp_path, capsys) -> None:
    file, out = tmp_path / "report.json", tmp_path / "driven.npz"
    words = ["--ticks", 5, "--rate", 100, "--controller", "real_time", "--delay", 1]
    found = answer(capsys, trained, *words, "--report", file, "--record", out)
    keys = {"ticks", "late", "repeated", "latency_ms", "jitter_ms", "clipped", "stopped_by"}
    assert keys <= found.keys()
    assert (found["ticks"], found["stopped_by"]) == (5, "ticks")
    assert "success" in found["scores"]
    assert json.loads(file.read_text())["ticks"] == 5
    assert sum(open_episodes(out).lengths) == 5 - found["missed"]


def test_the_noise_is_that_of_the_episode(trained, tmp_path, capsys) -> None:
    """Without --seed, too, it does what `evaluate` does in the task's first episode."""
    told = []
    for name, seed in (("usual", []), ("named", ["--seed", make_task("fork").first_seed])):
        out = tmp_path / f"{name}.npz"
        answer(capsys, trained, "--ticks", 1, *seed, "--record", out)
        told.append(open_episodes(out).read("action"))
    np.testing.assert_array_equal(*told)


def test_an_episode_that_is_over_ends_it(trained, capsys) -> None:
    assert main(["run", str(trained), "--rate", "1000", "--seed", "3"]) == 0
    said = capsys.readouterr().out
    assert "Ended by: stop." in said
    assert "The episode: success" in said


WORLD = """
import numpy as np

class World:
    def reset(self, seed):
        return {"state": np.zeros(2, np.float32)}

    def step(self, action):
        return self.reset(0), False

    def scores(self):
        return {"success": True}

class Table:
    name, rate_hz, max_steps, first_seed, initial_states = "table", 100.0, 4, 0, "one"

    def make(self):
        return World()
"""


def test_a_world_that_cannot_be_filmed_is_driven(trained, tmp_path, capsys) -> None:
    (tmp_path / "table.py").write_text(WORLD)
    found = answer(capsys, trained, "--task", f"{tmp_path}/table.py:Table", "--rate", 100)
    assert found["ticks"] - found["missed"] == 4
    assert found["scores"] == {"success": True}


def test_a_robot_of_ones_own_and_ctrl_c(trained, robot, capsys) -> None:
    words = [trained, "--robot", robot, "--act-hz", "300", "--rate", "100"]
    found = answer(capsys, *words, "--ticks", "10")
    assert found["ticks"] == 10
    assert Path("stopped").read_text() == "x"
    found = answer(capsys, *words[:2], f"{robot}:fault=ctrl-c", "--rate", "100", status=130)
    assert found["ticks"] - found["missed"] == 13, "it ends after that tick"
    assert found["stopped_by"] == "interrupted"
    assert Path("stopped").read_text() == "xx"
    assert main(["run", *map(str, words[:2]), f"{robot}:fault=bus", "--record", "bus.npz"]) == 2
    said = capsys.readouterr()
    assert "Recorded: bus.npz" in said.out
    assert "It ended with ValueError: no answer on the bus. The robot's stop() was" in said.err
    assert "Ended by: error: ValueError" in said.out
    assert Path("stopped").read_text() == "xxx"
    found = answer(capsys, *words[:2], f"{robot}:fault=exit", status=2)
    assert "It ended with SystemExit: 3." in found["error"]["message"]


def test_what_is_told_of_a_robot_that_does_not_stop_or_is_slow(trained, robot, capsys) -> None:
    words = ["run", str(trained), "--rate=100", "--ticks=5", "--robot"]
    assert main([*words, f"{robot}:fault=brake"]) == 2
    said = capsys.readouterr()
    assert "OSError: no power. It came from the robot's stop()." in said.err
    assert "stop() was called" not in said.err
    assert main([*words, "arm.py:Slow", "--record=slow.npz"]) == 0
    said = capsys.readouterr().out
    assert "observe() and act() take longer than the 10 ms" in said
    assert "--urgent" not in said
    assert "Recorded: slow.npz" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "There is no run or checkpoint at nowhere"),
        (["RUN", "--robot", "arm.py:Arm", "--task", "fork"], "one at a time"),
        (["RUN", "--robot", "arm"], "write FILE.py:function"),
        (["RUN", "--robot", "arm.py:Leg"], "There is no function or class in"),
        (["RUN", "--robot", "arm.py:Half"], "not an object with act()"),
        (["RUN", "--robot", "arm.py:nothing"], "arm.py:nothing gives nothing"),
        (["RUN", "--controller", "blend", "--continuation", "guided"], "not of blend"),
        (["RUN", "--controller", "real_time", "--continuation", "prefixed"], "no rows"),
        (["RUN", "--act-hz", "100"], "--act-hz is for a robot"),
        (["RUN", "--controller", "receding", "--delay", "2"], "expects no delay"),
        (["RUN", "--controller", "realtime"], "Did you mean 'real_time'?"),
        (["RUN", "--ticks", "0"], "ticks is 0"),
        (["RUN", "--rate", "-1"], "rate"),
        (["RUN", "--late", "wait"], "late"),
        (["RUN", "--report", "arm.py/report.json"], "arm.py is no folder"),
        (["RUN", "--controller", "asynchronous", "--delay", "99"], "99 ticks late"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_mistakes_are_told_before_anything_moves(words, said, trained, robot, capsys) -> None:
    words = [str(trained) if word == "RUN" else word for word in words]
    capsys.readouterr()
    assert main(["run", *words]) == 2
    assert said in capsys.readouterr().err
    assert not Path("stopped").exists()
