"""`compare` of one run under several controllers, as users type it."""

import json
from pathlib import Path

import pytest

from steadyhand.cli.main import main

TINY = ["--precision=float32", "--device=cpu", "--denoiser.width=16", "--denoiser.blocks=1"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "flow"
    words = ["train", "fork", "--method=flow", "--demonstrations=10", "--steps=10"]
    assert main([*words, *TINY, f"--out={out}"]) == 0
    return out


def test_what_a_controller_has_no_use_for_is_left_out(trained, capsys) -> None:
    words = ["compare", str(trained), "--controllers", "receding", "real_time", "--episodes", "2"]
    late = ["--latency", "100ms", "--latency-jitter=50ms", "--drop=0.1", "--delay=2"]
    capsys.readouterr()
    assert main([*words, *late, "--continuation", "guided"]) == 0
    said = capsys.readouterr().out
    assert "2 episodes each, chunks 100 ± 50 ms late, 10 % of them lost" in said
    assert "receding - real_time" in said, "one run needs no name"
    assert main([*words, "--json"]) == 0
    json.loads(capsys.readouterr().out)


def test_controllers_are_named_in_one_place(trained, capsys) -> None:
    words = ["compare", str(trained), "--controllers", "receding", "ensemble"]
    assert main([*words, "--controller", "blend"]) == 2
    assert "add blend to it" in capsys.readouterr().err
