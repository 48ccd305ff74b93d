"""The demo and the recordings: what they answer, what they leave behind, and how they go on."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from steadyhand.cli.main import main
from steadyhand.data import open_episodes
from steadyhand.recipes import recipe
from steadyhand.studies.runs import alone
from steadyhand.tasks import Fork, record_episodes
from steadyhand.training.demonstrations import sample

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
TINY = ["--steps=30", "--checkpoint-every=10", "--denoiser.width=16", "--denoiser.blocks=1"]


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "steadyhand.cli.main", *map(str, words)]


def answer(capsys, *words: object) -> dict:
    assert main([*map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> dict:
    """What `steadyhand demo --quick` answers."""
    out = tmp_path_factory.mktemp("runs") / "demo"
    words = command("demo", "--quick", "--out", out, "--json")
    done = subprocess.run(words, capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout), "out": out, "said": done.stderr}


@pytest.mark.slow
def test_diffusion_does_what_regression_cannot(demo) -> None:
    diffusion, regression = demo["diffusion"], demo["regression"]
    for found in (diffusion, regression):
        assert found.keys() == {"success", "modes", "collision"}
        assert found["modes"].keys() == {"left", "right"}
        for share in (found["success"], found["collision"], *found["modes"].values()):
            assert share.keys() == {"mean", "low", "high", "n"}
            assert share["n"] == 50
    assert diffusion["success"]["mean"] > 0.9
    assert min(share["mean"] for share in diffusion["modes"].values()) > 0.2
    assert regression["success"]["mean"] < 0.4
    assert regression["collision"]["mean"] > 0.6


@pytest.mark.slow
def test_it_says_how_long_each_part_took(demo) -> None:
    assert list(demo["seconds"]) == [
        "loading",
        "recording",
        "training regression",
        "training diffusion",
        "evaluating regression",
        "evaluating diffusion",
    ]
    assert "Done in" in demo["said"]
    table = demo["said"].partition("50 episodes each")[2]
    assert max(map(len, table.splitlines()[:9])) <= 80
    assert "training diffusion " in table
    assert "\x1b" not in demo["said"], "plain where the output is no terminal"
    assert "\nregression:\n" in demo["said"], "with lines, and no marks of them"


class Page(HTMLParser):
    """The tags that are open, and everything that is fetched from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.fetched += [value for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)


@pytest.mark.slow
def test_the_report_is_complete_in_itself(demo) -> None:
    text = Path(demo["report"]).read_text()
    page = Page()
    page.feed(text)
    assert not page.open
    assert not page.fetched
    assert "script" not in page.seen
    assert "url(" not in text
    assert "@import" not in text
    pictures = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", text)]
    name = "{http://www.w3.org/2000/svg}"
    lines = [len(picture.findall(f"{name}polyline")) for picture in pictures]
    # The demonstrations, two policies, six of the strip, the loop, the mean.
    assert lines == [200, 50, 50, *[8] * 6, 16, 1]
    moving = pictures[-2].findall(f"{name}polyline/{name}animate")
    assert len(moving) == 16
    assert moving[0].get("values", "").count(";") == 11, "ten steps, and a rest at the end"
    crosses = len(pictures[1].findall(f"{name}path"))
    assert crosses == round(50 * demo["regression"]["collision"]["mean"])
    for word in ("Wilson", "torch", "steadyhand train", "episode_ends", "viewport", "dark"):
        assert word in text
    assert len(text) < 1e6


@pytest.mark.slow
def test_what_is_there_is_not_done_again(demo, capsys) -> None:
    checkpoint = demo["out"] / "diffusion" / "last" / "policy.safetensors"
    before = checkpoint.stat().st_mtime_ns
    again = answer(capsys, "demo", "--quick", "--out", demo["out"])
    assert checkpoint.stat().st_mtime_ns == before
    assert again["diffusion"] == demo["diffusion"]
    for part in ("recording", "training regression", "training diffusion"):
        assert again["seconds"][part] == demo["seconds"][part], "what it took is still told"
    assert main(["demo", "--out", str(demo["out"])]) == 2
    assert "with other settings" in capsys.readouterr().err


SHORTER = """
import sys
from dataclasses import replace
from steadyhand import recipes
from steadyhand.cli.main import main
usual = recipes.recipe
recipes.recipe = lambda *given, **named: replace(
    usual(*given, **named), steps=usual(*given, **named).steps // 5
)
sys.exit(main(sys.argv[1:]))
"""
"""The demo with a fifth of its training."""


@pytest.mark.slow
def test_stopped_at_any_moment_it_goes_on_and_ends_the_same(tmp_path) -> None:
    random = np.random.default_rng(0)
    out = tmp_path / "demo"

    def short(folder: Path) -> list[str]:
        words = ["demo", "--quick", "--out", str(folder), "--json"]
        return [sys.executable, "-c", SHORTER, *words]

    done = subprocess.run(short(tmp_path / "whole"), capture_output=True, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    whole, stopped = json.loads(done.stdout), 0
    for sitting in range(6):  # the last one may take as long as it needs
        told = tmp_path / f"{sitting}.txt"
        with told.open("w") as file:
            process = subprocess.Popen(
                short(out), stdout=subprocess.PIPE, stderr=file, text=True, env=ENVIRONMENT
            )
        while "Two policies" not in told.read_text() and process.poll() is None:
            time.sleep(0.05)
        try:
            said, _ = process.communicate(timeout=random.uniform(0, 3) if sitting < 5 else 300)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=60)
        complaint = told.read_text()
        assert "Traceback" not in complaint
        if process.returncode == 0:
            break
        assert process.returncode == 130
        assert f"Continue: steadyhand demo --quick --out {out}" in complaint
        stopped += 1
    assert stopped > 1
    found = json.loads(said)
    assert {name: found[name] for name in ("diffusion", "regression")} == {
        name: whole[name] for name in ("diffusion", "regression")
    }


def test_record(tmp_path, capsys) -> None:
    for name in ("a.npz", "b.zarr"):
        path = tmp_path / name
        found = answer(capsys, "record", "--task=fork", "--episodes=3", "--seed=5", "--out", path)
        episodes = record_episodes(Fork(), 3, first_seed=5)
        assert (found["episodes"], found["steps"], found["path"]) == (3, episodes.steps, str(path))
        assert (found["success"]["mean"], found["success"]["n"]) == (1.0, 3)
        written = open_episodes(path)
        np.testing.assert_array_equal(written.read("state"), episodes.read("state"))
        np.testing.assert_array_equal(written.read("action"), episodes.read("action"))


def test_train_records_where_nothing_is_named(tmp_path, capsys) -> None:
    out = tmp_path / "run"
    found = answer(capsys, "train", "fork", "--demonstrations=4", f"--out={out}", *TINY)
    assert found["steps"] == 30
    config = json.loads((out / "config.json").read_text())
    assert config["data"] == str(out / "demonstrations.npz")
    assert len(open_episodes(out / "demonstrations.npz")) == 4
    assert answer(capsys, "train", "--resume", f"--out={out}")["loss"] == found["loss"]
    before = (out / "demonstrations.npz").read_bytes()
    (out / "demonstrations.npz").unlink()  # as if killed before it was written
    answer(capsys, "train", "--resume", f"--out={out}")
    assert len((out / "demonstrations.npz").read_bytes()) == len(before)
    scores = answer(capsys, "evaluate", out, "--episodes=2", "--video=1")
    assert {"success", "collision", "left", "right"} <= scores.keys()
    assert scores["task"] == "fork"


def test_a_run_that_was_moved_finds_its_recording(tmp_path, capsys) -> None:
    first, moved = tmp_path / "first", tmp_path / "my run"
    answer(capsys, "train", "fork", "--demonstrations=4", f"--out={first}", *TINY)
    first.rename(moved)
    answer(capsys, "train", "--resume", f"--out={moved}")
    assert main(["train", "--resume", f"--out={moved}"]) == 0
    assert f"evaluate '{moved}'" in capsys.readouterr().err, "and commands can be copied"


def test_ctrl_c_in_the_last_step_is_heard(tmp_path, monkeypatch, capsys) -> None:
    from steadyhand.training import session as module

    events = module._events

    def interrupted(*given):
        for event in events(*given):
            if isinstance(event, module.Step) and event.step == event.steps:
                os.kill(os.getpid(), signal.SIGINT)
            yield event

    monkeypatch.setattr(module, "_events", interrupted)
    words = ["train", "fork", "--demonstrations=4", f"--out={tmp_path / 'r'}", *TINY]
    assert main([*words, "--json"]) == 130
    assert json.loads(capsys.readouterr().out)["steps"] == 30


def test_what_the_policy_does_not_see_is_told(tmp_path, capsys) -> None:
    words = ["train", "fork", "--task=fork:cue=start", "--demonstrations=4", *TINY]
    assert main([*words, f"--out={tmp_path / 'r'}"]) == 0
    assert (
        "fork:cue=start also shows cue, which this policy does not see" in capsys.readouterr().err
    )


def test_problems_of_the_data_are_told_before_training(tmp_path, capsys) -> None:
    state = record_episodes("fork", 4).read("state")
    spoiled = state.copy()
    spoiled[7] = 40.0
    ends = np.array([len(state)])
    arrays = {"state": spoiled, "action": spoiled}
    np.savez(tmp_path / "odd.npz", episode_ends=ends, **arrays)
    words = ["train", "fork", f"--data={tmp_path / 'odd.npz'}", "--validation-share=0", *TINY]
    assert main([*words, f"--out={tmp_path / 'r'}"]) == 0
    said = capsys.readouterr().err
    assert "Problem: 'state' has 2 numbers that lie 3 times its usual range away" in said
    assert "Problem: 'action[0:2]' is 'state' of the same step" in said
    assert "10 Hz (assumed, since none is said; convert --recorded-rate says it)" in said


def test_a_task_with_settings_is_found_again(tmp_path, capsys) -> None:
    out = tmp_path / "run"
    words = ["--task=fork:gap=0.10", "--demonstrations=4", f"--out={out}", *TINY]
    answer(capsys, "train", "fork", *words)
    found = answer(capsys, "evaluate", out, "--episodes=1")
    assert found["task"] == "fork:gap=0.1"
    assert ":" not in Path(found["episodes_file"]).name, "not every file system takes it"


def test_the_demonstrations_of_a_stopped_run_are_kept(tmp_path) -> None:
    out = tmp_path / "run"
    words = command("train", "fork", f"--out={out}", "--steps=100000", *TINY[1:])
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    deadline = time.monotonic() + 60
    log = out / "log.jsonl"
    while not (log.exists() and log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"Continue: steadyhand train --resume --out {out}" in said
    assert len(open_episodes(out / "demonstrations.npz")) == 200


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["train", "fork", "--observations=nothing"], "There is no feature 'nothing'"),
        (["train", "fork", "--action-relative-to=nothing"], "nothing"),
        (["train", "fork", "--chunking.horizon=400"], "longer than every episode"),
        (["train", "fork", "--device=cuda:77"], "cuda:77"),
        (["train", "fork", "--denoiser.width=20000000"], "at most 65536"),
        (["train", "fork", "--batch-size=1000000000"], "GB of memory"),
        (["train", "fork", "--teacher=nothing"], "There is no run or checkpoint at nothing"),
        (["train", "fork", "--task=pusht"], "--data"),
        (["benchmark", "--device=cuda:77"], "cuda:77"),
        (["demo", "--device=cuda:77"], "cuda:77"),
        (["train", "fork", "--out=file/run"], "cannot be made (file is no folder)"),
        (["record", "--out=file/a.npz"], "cannot be written (file is no folder)"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_flag_is_refused_before_anything_is_recorded(
    words, told, tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    assert main(words) == 2
    said = capsys.readouterr().err
    assert told in said.replace(f"{tmp_path}/", "")
    assert "Recorded" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_missing_extra_is_told_before_anything_is_recorded(monkeypatch, tmp_path, capsys) -> None:
    monkeypatch.setitem(sys.modules, "zarr", None)
    assert main(["record", f"--out={tmp_path / 'a.zarr'}"]) == 2
    said = capsys.readouterr().err
    assert "steadyhand[data]" in said
    assert "Recorded" not in said


def test_a_few_demonstrations_do_not_say_how_long_the_longest_of_all_is() -> None:
    config = recipe("fork")
    longest = int(sample(config).lengths.max())
    for horizon, episodes in [(longest, 8), (longest + 1, 1), (2 * longest, 8)]:
        chunking = replace(config.chunking, horizon=horizon)
        assert len(sample(replace(config, chunking=chunking))) == episodes


@pytest.mark.parametrize("verb", ["demo", "benchmark"])
def test_the_second_of_two_in_one_folder_is_told_so(verb, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    with alone(out):  # as far as the first one has come
        assert main([verb, f"--out={out}"]) == 2
    assert f"Another process works in {out}" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == [".lock"]
