"""A run as a stranger hands it over: read, judged and resumed inside its own folder."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from steadyhand.disk import lock
from steadyhand.errors import CheckpointError
from steadyhand.policy.storage import load_policy
from steadyhand.runtime.folders import aside, evaluations, find_policy
from steadyhand.training.checkpoint import Run
from steadyhand.training.trackers import JsonLines
from steadyhand.training.train import build_policy, train


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("trained") / "run"


@pytest.fixture
def run(trained, config, episodes, tmp_path) -> Path:
    if not trained.exists():
        for _ in train(
            build_policy(config, episodes), episodes, replace(config, steps=20), out=trained
        ):
            pass
    shutil.copytree(trained, tmp_path / "run", symlinks=True)
    return tmp_path / "run"


def resume(run: Path, config, episodes) -> None:
    for _ in train(
        build_policy(config, episodes), episodes, replace(config, steps=20), out=run, resume=True
    ):
        pass


@pytest.mark.parametrize("name", ["9" * 200, "٠٠٠٠٠٠٤٠", "²0000000", "40", "000000040", "-0000001"])
def test_a_folder_that_no_run_names_so_is_no_checkpoint(name, run) -> None:
    shutil.copytree(run / "last", run / "checkpoints" / name)
    assert Run(run).steps_saved() == [10, 20]
    assert Run(run).resume_step() == 20


def test_a_checkpoint_that_is_a_link_is_none(run, tmp_path) -> None:
    shutil.copytree(run / "last", tmp_path / "outside")
    (run / "checkpoints" / "00000030").symlink_to(tmp_path / "outside")
    assert Run(run).steps_saved() == [10, 20]


def test_checkpoints_elsewhere_are_neither_read_nor_written(run, config, episodes, tmp_path):
    (run / "checkpoints").rename(tmp_path / "outside")
    (run / "checkpoints").symlink_to(tmp_path / "outside")
    before = sorted(tmp_path.rglob("*"))
    for act in (Run(run).steps_saved, lambda: find_policy(run), lambda: load_policy(run)):
        with pytest.raises(CheckpointError, match="leads out of"):
            act()
    with pytest.raises(CheckpointError, match="leads out of"):
        resume(run, config, episodes)
    assert sorted(tmp_path.rglob("*")) == before


CONFIGS = {
    "no object": "[1]",
    "nothing": "",
    "deep": "[" * 100_000,
    "a long number": '{"seed": ' + "9" * 400 + "}",
    "a large seed": json.dumps({"seed": 2**80}),
    "a seed below 0": json.dumps({"seed": -1}),
    "a number for a path": json.dumps({"teacher": 3}),
    "a path with a null": json.dumps({"data": "x\0y"}),
    "not a number": '{"learning_rate": NaN}',
    "endless": '{"minutes": Infinity}',
    "another class": json.dumps({"policy": {"denoiser": {"type": "Path"}}}),
    "a list for a class": json.dumps({"chunking": [1, 2, 3]}),
    "a tag that is a list": json.dumps({"policy": {"denoiser": {"type": [[1]]}}}),
    "a chunk without end": json.dumps({"chunking": {"horizon": 10**9, "execute": 1}}),
    "betas": json.dumps({"betas": [0.9]}),
    "true for a number": json.dumps({"batch_size": True}),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_of_other_kinds_is_refused(name, run) -> None:
    (run / "config.json").write_text(CONFIGS[name])
    with pytest.raises(CheckpointError, match=r"config\.json"):
        Run(run).read_config()


def test_a_pipe_in_place_of_a_file_is_refused(run, config, episodes) -> None:
    for name in ("config.json", "log.jsonl", "last/policy.json", "last/train_state.safetensors"):
        path = (run / name).resolve()
        content = path.read_bytes()
        path.unlink()
        os.mkfifo(path)
        if name == "log.jsonl":
            with pytest.raises(CheckpointError, match="no regular file"):
                JsonLines(path)
        else:
            with pytest.raises(CheckpointError, match=r"no regular file"):
                resume(run, config, episodes)
        path.unlink()
        path.write_bytes(content)
    resume(run, config, episodes)


@pytest.mark.parametrize("key", ["exp_avg", "exp_avg_sq", "step", "live"])
def test_a_state_of_other_shapes_is_not_resumed(key, run, config, episodes) -> None:
    """The optimiser would write past the end of what is too short."""
    file = run / "last" / "train_state.safetensors"
    state = load_file(file)
    name = next(name for name in state if name.startswith(f"{key}."))
    save_file({**state, name: torch.zeros(1, 1)}, file)
    with pytest.raises(CheckpointError, match=r"does not fit|do not fit"):
        resume(run, config, episodes)


def test_a_checkpoint_that_was_put_aside_is_resumed_from(run, config, episodes) -> None:
    """Killed while it replaced its newest checkpoint, a run still has it."""
    newest = Run(run).folder(20)
    newest.rename(aside(newest))
    assert find_policy(run) == aside(newest)
    load_policy(run)
    resume(run, config, episodes)
    assert Run(run).steps_saved() == [10, 20]
    assert not list((run / "checkpoints").glob(".*"))


def test_what_is_found_out_stays_in_the_run(run, tmp_path) -> None:
    assert evaluations(run) == evaluations(run / "last") == run / "evaluations"
    (run / "evaluations").symlink_to(tmp_path)
    with pytest.raises(CheckpointError, match=r"leads out of .* --out"):
        evaluations(run)


def test_a_lock_never_empties_what_it_points_to(run, tmp_path) -> None:
    (tmp_path / "thesis").write_text("precious")
    (run / ".lock").unlink(missing_ok=True)
    (run / ".lock").symlink_to(tmp_path / "thesis")
    with pytest.raises(OSError, match="symbolic"):
        lock(run / ".lock")
    with pytest.raises(CheckpointError):
        Run(run).lock()
    assert (tmp_path / "thesis").read_text() == "precious"


def test_inspect_shows_what_a_card_means(run, capsys) -> None:
    """What a card leaves out has its usual value; the card of an empty object is refused."""
    from steadyhand.cli.main import main

    card = json.loads((run / "last" / "policy.json").read_text())
    del card["spec"]["chunking"]["past_rows"]
    (run / "last" / "policy.json").write_text(json.dumps(card))
    assert main(["inspect", str(run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["spec"]["chunking"]["past_rows"] == 0
    for spec in ({}, [], {"observations": 3}):
        (run / "last" / "policy.json").write_text(json.dumps({**card, "spec": spec}))
        assert main(["inspect", str(run), "--json"]) == 2
        assert json.loads(capsys.readouterr().out)["error"]["kind"] == "checkpoint"
