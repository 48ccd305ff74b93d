"""The example of a robot with two cameras: its demonstrations, its policy, a real-time run."""

import importlib.util
import json
from pathlib import Path

from steadyhand.cli.main import main

EXAMPLE = Path(__file__).parents[2] / "examples" / "two_cameras.py"
SMALL = ["--denoiser.width=32", "--image-size", "32", "--encoder.network.width=8"]
SMALL += ["--encoder.network.blocks", "1", "1"]


def answer(capsys, *words) -> dict:
    capsys.readouterr()
    assert main([*map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_two_cameras_from_demonstrations_to_a_run_that_trains(tmp_path, capsys) -> None:
    spec = importlib.util.spec_from_file_location("two_cameras", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    demos, run, driven = tmp_path / "demos.lerobot", tmp_path / "run", tmp_path / "driven.lerobot"
    example.demonstrate(demos, episodes=3, ticks=30)
    seen = answer(capsys, "inspect", demos)
    assert (seen["episodes"], seen["steps"], seen["rate_hz"]) == (3, 90, 30)
    assert not [each for each in seen["problems"] if each["kind"] not in ("constant", "short")]
    words = ["train", "lerobot", *SMALL, "--steps=20", "--batch-size=8", "--noises=1"]
    answer(capsys, *words, "--data", demos, "--out", run)
    report = example.drive(run, driven, seconds=1.5)
    assert (report.ticks, report.stopped_by) == (45, "ticks")
    assert report.as_json().keys() >= {"late", "repeated", "latency_ms", "jitter_ms", "clipped"}
    recorded = answer(capsys, "inspect", driven)
    assert recorded["features"].keys() == seen["features"].keys()
    assert recorded["steps"] == 45
    answer(capsys, *words, "--data", driven, "--out", tmp_path / "again")


def test_the_example_is_short() -> None:
    assert len(EXAMPLE.read_text().splitlines()) < 80
