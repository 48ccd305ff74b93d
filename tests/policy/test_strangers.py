"""A policy as a stranger hands it over: held against its own weights before anything is built."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from steadyhand.errors import CheckpointError
from steadyhand.policy.storage import load_policy, save_policy
from steadyhand.policy.weights import built_for, read_header
from steadyhand.runtime.card import Provenance, read_provenance
from steadyhand.runtime.folders import whole


@pytest.fixture
def saved(policy, tmp_path) -> Path:
    save_policy(tmp_path / "p", policy)
    return tmp_path / "p"


def rewrite(folder: Path, *place: str, value) -> None:
    card = json.loads((folder / "policy.json").read_text())
    inner = card
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    (folder / "policy.json").write_text(json.dumps(card))


DENOISERS = {
    "blocks": {"type": "MLPConfig", "width": 16, "blocks": 10**6},
    "blocks as there may be": {"type": "MLPConfig", "width": 16, "blocks": 1000},
    "layers as there may be": {"type": "DiTConfig", "width": 16, "heads": 2, "layers": 1000},
    "width": {"type": "MLPConfig", "width": 10**6, "blocks": 1},
    "widths": {"type": "UNetConfig", "widths": [8, 10**9]},
    "layers": {"type": "TransformerConfig", "width": 16, "layers": 10**6},
    "expansion": {"type": "DiTConfig", "width": 16, "expansion": 10**9},
}


@pytest.mark.parametrize("name", DENOISERS)
def test_no_network_is_built_that_its_weights_are_not_there_for(name, saved, monkeypatch) -> None:
    """Seven tensors lie there: no more than some dozens of modules are made of any description."""
    made = []
    original = torch.nn.Module.__init__
    monkeypatch.setattr(
        torch.nn.Module, "__init__", lambda self, *a, **k: (made.append(1), original(self))[1]
    )
    rewrite(saved, "config", "denoiser", value=DENOISERS[name])
    with pytest.raises(CheckpointError):
        load_policy(saved)
    assert len(made) < 1000


def test_what_a_build_asks_for_is_counted(saved) -> None:
    header = read_header(saved / "policy.safetensors")
    with (
        pytest.raises(CheckpointError, match="more weights than lie beside it"),
        built_for(header, saved),
    ):
        torch.nn.ModuleList(torch.nn.Linear(1, 1) for _ in range(10**9))
    with (
        pytest.raises(CheckpointError, match="more weights than lie beside it"),
        built_for(header, saved),
    ):
        torch.nn.Linear(10**6, 10**6)
    assert torch.nn.Linear(2, 2).weight.device.type == "cpu", "afterwards all is as before"


def tensors(**changes):
    def change(folder: Path) -> None:
        found = load_file(folder / "policy.safetensors")
        name = next(iter(found))
        found[name] = changes["of"](found[name])
        save_file(found, folder / "policy.safetensors")

    return change


WEIGHTS = {
    "other kinds": (tensors(of=lambda t: t.long()), "is numbers of shape .* there and int64"),
    "complex": (tensors(of=lambda t: t.to(torch.complex64)), "no network is made of C64"),
    "other shapes": (tensors(of=lambda t: t.repeat(2, *[1] * (t.ndim - 1))), "do not fit"),
    "not finite": (tensors(of=lambda t: t * float("nan")), "are not finite"),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_of_another_kind_are_refused(name, saved) -> None:
    change, said = WEIGHTS[name]
    change(saved)
    with pytest.raises(CheckpointError, match=said):
        load_policy(saved)


def test_weights_in_half_precision_are_taken(saved, policy) -> None:
    whole = load_file(saved / "policy.safetensors")
    save_file({name: values.half() for name, values in whole.items()}, saved / "policy.safetensors")
    for name, values in load_policy(saved).state_dict().items():
        assert torch.equal(values, whole[name].half().float())


def test_nothing_outside_of_a_policy_is_opened(saved, tmp_path) -> None:
    for name in ("policy.json", "policy.safetensors"):
        elsewhere = (saved / name).rename(tmp_path / name)
        (saved / name).symlink_to(elsewhere)
        with pytest.raises(CheckpointError, match="leads out of"):
            load_policy(saved)
        (saved / name).unlink()
        os.mkfifo(saved / name)
        with pytest.raises(CheckpointError, match="no regular file"):
            load_policy(saved)
        (saved / name).unlink()
        elsewhere.rename(saved / name)
    load_policy(saved)


def test_a_run_whose_links_lead_out_is_refused(saved, tmp_path) -> None:
    (tmp_path / "run").mkdir()
    for name in ("last", "best"):
        (tmp_path / "run" / name).symlink_to(saved)
        with pytest.raises(CheckpointError, match=rf"'{name}' leads out of .*checkpoints instead"):
            load_policy(tmp_path / "run" / (name if name == "best" else ""))


CARDS = {
    "a number of 400 digits": (("provenance", "seed"), 10**400, "is too large"),
    "a seed below 0": (("provenance", "seed"), -1, "at least 0"),
    "steps as a text": (("provenance", "step"), "1", "provenance|'1' is not a value of int"),
    "marks that are texts": (("provenance", "details"), {"trained_on": [["x"]]}, "trained_on"),
    "details in a list": (("provenance", "details"), [1], "provenance is damaged"),
    "no provenance": (("provenance",), None, "provenance is damaged"),
}


@pytest.mark.parametrize("name", CARDS)
def test_a_provenance_of_other_kinds_is_refused(name, saved) -> None:
    place, value, said = CARDS[name]
    rewrite(saved, *place, value=value)
    with pytest.raises(CheckpointError, match=said):
        read_provenance(saved)


STATISTICS = {
    "text": ["1", "2"],
    "true": [True, False],
    "not finite": [float("nan"), 1.0],
    "beyond measure": [1e300, 1.0],
    "ragged": [[1.0], [1.0, 2.0]],
    "too long": [1.0] * 7,
    "above the largest": [1e6, 1e6],
    "one number": 1.0,
    "null": None,
}


@pytest.mark.parametrize("name", STATISTICS)
def test_statistics_that_are_no_numbers_are_refused(name, saved) -> None:
    rewrite(saved, "statistics", "action", "minimum", value=STATISTICS[name])
    with pytest.raises(CheckpointError, match=r"statistics.*Use another checkpoint"):
        load_policy(saved)


@pytest.mark.parametrize("depth", [900, 100_000])
def test_what_is_nested_deep_is_refused_in_few_words(depth, saved) -> None:
    text = (saved / "policy.json").read_text()
    deep = "[" * depth + "]" * depth
    (saved / "policy.json").write_text(text.replace('"execute": 4', f'"execute": {deep}'))
    with pytest.raises(CheckpointError) as caught:
        load_policy(saved)
    assert len(str(caught.value)) < 500


ACTS = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.scandir", "open")


def test_killed_at_every_moment_of_replacing_a_policy(policy, tmp_path) -> None:
    """A process is killed before each thing it does on the disk: one whole policy is there."""
    folder = tmp_path / "p"
    save_policy(folder, policy, Provenance(step=0))
    steps, ended = [0], False
    while not ended:
        child = os.fork()
        if not child:
            kill_before(len(steps))
            save_policy(folder, policy, Provenance(step=len(steps)), overwrite=True)
            os._exit(0)
        ended = os.waitpid(child, 0)[1] == 0
        assert load_policy(folder).spec == policy.spec
        found = read_provenance(whole(folder)).step
        assert found in (steps[-1], len(steps))
        save_policy(folder, policy, Provenance(step=found), overwrite=True)
        assert [path.name for path in tmp_path.iterdir()] == ["p"], "what was left is cleared away"
        steps.append(found)
    assert len(steps) > 15
    assert steps[3] == 0
    assert steps[-2] == len(steps) - 2, "killed while it clears up, the new one is there"


def kill_before(number: int) -> None:
    """End this process before the act of that number."""
    left = [number]

    def hook(event, values) -> None:
        if event in ACTS:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
