"""`hf://user/name` wherever a data set is named: fetched once, known again, told if it is not."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import hub_here
import numpy as np
import pytest
import sets

from steadyhand.cli.main import main
from steadyhand.data import Episodes, open_episodes, write_episodes
from steadyhand.data.hub import hub_name, is_on_hub, located
from steadyhand.data.mapping import command
from steadyhand.errors import DataError, MissingExtraError, UsageError
from steadyhand.evaluation.held_out import fresh_episodes
from steadyhand.policy.storage import load_policy
from steadyhand.runtime.card import read_provenance
from steadyhand.training.checkpoint import Run

PINNED = f"hf://arm/push@{hub_here.REVISION}"
ASKED = """
import contextlib, io, json, sys
from steadyhand.cli.main import main
for words in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([*words, "--json"])
    print(json.dumps([status, json.loads(out.getvalue())]))
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """What a hub holds: a LeRobot set, and one with several in folders."""
    root = tmp_path_factory.mktemp("hub")
    sets.lerobot_v2(root / "arm" / "push")
    for name in ("README.md", "train.py", "weights.safetensors"):
        (root / "arm" / "push" / name).write_text("not a demonstration")
    state = np.random.default_rng(0).normal(size=(90, 2)).astype(np.float32)
    few = Episodes({"state": state, "action": state}, 15 * np.arange(1, 7), 20.0)
    write_episodes(root / "arm" / "many" / "raw" / "one.npz", few)
    write_episodes(root / "arm" / "many" / "raw" / "two.zarr", few)
    (root / "gated" / "secret").mkdir(parents=True)
    return root


def asked(words: list[list[str]], folder: Path, **more: str) -> list:
    """What the command line answers in a process with a cache and an address of its own."""
    environment = {**os.environ, "HF_HOME": str(folder), "HF_HUB_DISABLE_XET": "1", **more}
    command = [sys.executable, "-c", ASKED]
    done = subprocess.run(
        command, input=json.dumps(words), capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_it_is_fetched_once_and_used_without_a_network(root, tmp_path) -> None:
    out = str(tmp_path / "copy.npz")
    with hub_here.hub_of(root) as (address, fetched):
        found = asked(
            [
                ["inspect", "hf://arm/push"],
                ["convert", "hf://datasets/arm/push@v2.1", out],
                ["inspect", "hf://arm/many/raw/one.npz", "--select=0:2"],
                ["inspect", "hf://arm/many/raw/two.zarr"],
                ["inspect", "hf://arm/nothing"],
                ["inspect", "hf://gated/secret"],
                ["inspect", "hf://arm/push@v9"],
                ["inspect", "hf://arm/many/cooked"],
            ],
            tmp_path / "home",
            HF_ENDPOINT=address,
        )
    assert [status for status, _ in found] == [0, 0, 0, 0, 2, 2, 2, 2]
    answers = [answer for _, answer in found]
    assert (answers[0]["format"], answers[0]["episodes"]) == ("lerobot", 3)
    assert answers[1] == {"episodes": 3, "steps": 36, "path": out}
    assert answers[2]["episodes"] == 2
    assert answers[3]["format"] == "diffusion-policy-zarr"
    said = [answer["error"]["message"] for answer in answers[4:]]
    assert "There is no data set hf://arm/nothing" in said[0]
    assert "accept its terms" in said[1]
    assert "no such revision" in said[2]
    assert "no 'cooked' in it" in said[3]
    assert len(fetched) == len(set(fetched)), "nothing twice"
    assert not {"README.md", "train.py", "weights.safetensors"} & set(fetched)
    again = asked(
        [["inspect", "hf://arm/push"], ["inspect", "hf://arm/other"]],
        tmp_path / "home",
        HF_HUB_OFFLINE="1",
    )
    assert again[0] == [0, answers[0]]
    assert again[1][0] == 2
    assert "cannot be fetched, and was not before" in again[1][1]["error"]["message"]


@pytest.fixture
def cache(root, tmp_path, monkeypatch) -> Path:
    """A cache in which the set of an arm was fetched before, and no network."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("STEADYHAND_CACHE", str(tmp_path / "frames"))
    hub_here.cached(tmp_path / "hub", "arm/many", root / "arm" / "many")
    return hub_here.cached(tmp_path / "hub", "arm/push", root / "arm" / "push")


@pytest.mark.parametrize("name", ["hf://arm/push", "hf:/arm/push", "hf://datasets/arm/push/"])
def test_a_name_is_a_path_also_where_its_slashes_became_one(cache, name: str) -> None:
    for path in (name, Path(name)):
        assert is_on_hub(path)
        assert located(Path(path)) == cache
        assert len(open_episodes(path)) == 3
    assert not is_on_hub("hf/arm/push")


@pytest.mark.parametrize(
    "name",
    [
        "hf://arm",
        "hf://models/arm/push/x",
        "hf://arm/push/../../x",
        "hf://a b/c",
        "hf://",
        "hf://spaces/arm/push",
        "hf://arm/push@",
    ],
)
def test_what_is_no_name_says_how_one_is_written(name: str) -> None:
    with pytest.raises(UsageError, match="hf://user/name"):
        located(Path(name))


def test_a_place_in_the_cache_is_known_by_its_name_and_revision(cache) -> None:
    assert hub_name(cache) == PINNED
    assert hub_name(cache / "meta" / "info.json") == f"{PINNED}/meta/info.json"
    assert located(Path(PINNED), fetch=False) == cache
    assert hub_name(Path("datasets--arm--push/else/main")) is None
    assert hub_name(cache.parents[2]) is None


def test_a_run_remembers_the_name_and_finds_its_data_again(cache, tmp_path, capsys) -> None:
    run = tmp_path / "run"
    tiny = ["--device=cpu", "--precision=float32", "--denoiser.width=16", "--denoiser.blocks=1"]
    tiny += ["--batch-size=8", "--steps=2", "--chunking.horizon=8", "--chunking.execute=4"]
    one = "hf://arm/many/raw/one.npz"
    assert main(["train", "state", f"--data={one}", f"--out={run}", *tiny]) == 0
    origin = read_provenance(run / "last")
    pinned = f"hf://arm/many@{hub_here.REVISION}/raw/one.npz"
    assert origin.data == pinned
    policy = load_policy(run)
    fresh = fresh_episodes(policy, origin)
    assert tuple(fresh.places) == origin.validation_episodes
    config = Run(run).read_config()
    assert str(config.data) == pinned.replace("//", "/")
    assert main(["train", "--resume", f"--out={run}"]) == 0
    # What a stranger's policy or run says of itself is looked for, and never fetched.
    strange = replace(origin, data=f"hf://evil/set@{hub_here.REVISION}")
    with pytest.raises(DataError, match="nothing is fetched for what a run or a policy says"):
        fresh_episodes(policy, strange)
    (run / "config.json").write_text(
        (run / "config.json").read_text().replace("arm/many", "evil/many")
    )
    capsys.readouterr()
    assert main(["train", "--resume", f"--out={run}"]) == 2
    assert "nothing is fetched" in " ".join(capsys.readouterr().err.split())


def test_the_extra_that_is_missing_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'steadyhand\[hub\]'"):
        open_episodes("hf://arm/push")


def test_what_a_map_is_guessed_for_is_named_as_on_the_hub(cache) -> None:
    typed = command(cache / "meta", "state=x", None)
    assert typed == f"steadyhand convert {PINNED}/meta push.lerobot --map state=x"
    typed = command(Path("a/arm.lerobot"), "state=x")
    assert "a/arm.lerobot a/mapped-arm.lerobot" in typed
