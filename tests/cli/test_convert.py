"""`convert` of several sets, of some of their episodes, and mended: what is asked is written."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from steadyhand.cli.main import main
from steadyhand.data import Episodes, open_episodes, write_episodes


def made(value: float, *, rate: float = 20.0, **arrays) -> Episodes:
    """Two episodes of 190 steps, which rest for 40 and then move."""
    path = value + np.cumsum(np.random.default_rng(0).uniform(1, 2, size=(380, 2)), 0)
    path[:40], path[190:230] = path[40], path[230]
    usual = {"state": path, "action": path.copy(), "flag": np.arange(380) // 190}
    return Episodes({**usual, **arrays}, np.array([190, 380]), rate)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_episodes("a.npz", made(0.0))
    write_episodes("b.zarr", made(1000.0, more=np.zeros((380, 3))))
    return tmp_path


def said(capsys, *words: str, status: int = 0) -> str:
    assert main(["convert", *words]) == status
    return " ".join(capsys.readouterr().err.split())


def test_several_sets_are_written_as_one(here, capsys) -> None:
    text = said(capsys, "a.npz", "b.zarr", "both.npz")
    assert "Left out: more: b has it, and a has not" in text
    found = open_episodes("both.npz")
    assert found.lengths.tolist() == [190] * 4
    assert found.tasks == ()
    wanted = [open_episodes(name).read("state") for name in ("a.npz", "b.zarr")]
    np.testing.assert_array_equal(found.read("state"), np.concatenate(wanted))
    assert main(["convert", "a.npz", "b.zarr", "again.npz", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer == {"episodes": 4, "steps": 760, "path": "again.npz"}
    assert "named twice" in said(capsys, "a.npz", "a.npz", "c.npz", status=2)
    for words in ([], ["a.npz"]):
        assert "Name a data set" in said(capsys, *words, status=2)


def test_sets_that_differ_say_how_to_make_them_fit(here, capsys) -> None:
    write_episodes("fast.npz", made(0.0, rate=40.0))
    text = said(capsys, "a.npz", "fast.npz", "c.npz", status=2)
    assert "a 20 Hz, fast 40 Hz" in text
    assert "--rate 20" in text
    said(capsys, "a.npz", "fast.npz", "c.npz", "--rate=10")
    assert open_episodes("c.npz").lengths.tolist() == [95, 95, 48, 48]
    write_episodes("wide.npz", made(0.0, state=np.zeros((380, 5))))
    text = said(capsys, "a.npz", "wide.npz", "d.npz", status=2)
    assert "'state' has different shapes: (2,) in a, (5,) in wide" in text
    assert "--rename state=NAME, or --drop state" in text
    said(capsys, "wide.npz", "other.npz", "--rename", "state=wide", "flag=on")
    text = said(capsys, "a.npz", "other.npz", "d.npz")
    assert "state: a has it, and other has not" in text
    assert set(open_episodes("d.npz").arrays) == {"action"}


def test_episodes_are_chosen_mended_and_left_as_they_were(here, capsys) -> None:
    before = Path("a.npz").read_bytes()
    text = said(
        capsys, "a.npz", "c.zarr", "--select=0", "--trim-idle", "--rate", "10", "--drop=fl*"
    )
    assert "1 of 2 episodes are chosen: 0." in text
    assert "Trimmed: 40 of 190 steps" in text
    assert "20 Hz to 10 Hz: 150 steps become 75" in text
    found = open_episodes("c.zarr")
    whole = open_episodes("a.npz").read("state")
    np.testing.assert_array_equal(found.read("state"), whole[40:190:2])
    assert set(found.arrays) == {"state", "action"}
    assert Path("a.npz").read_bytes() == before


def test_a_rate_that_nobody_said_is_asked_for(here, capsys) -> None:
    write_episodes("guess.npz", replace(made(0.0), rate_assumed=True))
    assert "--recorded-rate 30" in said(capsys, "guess.npz", "c.npz", "--rate=5", status=2)
    said(capsys, "guess.npz", "c.npz", "--rate=5", "--recorded-rate=20")
    assert open_episodes("c.npz").rate_hz == 5
    assert "positive" in said(capsys, "a.npz", "d.npz", "--rate=-5", status=2)
    assert "OLD=NEW" in said(capsys, "a.npz", "d.npz", "--rename=state", status=2)
    assert "no feature 'stat'" in said(capsys, "a.npz", "d.npz", "--rename", "stat=x", status=2)
    assert not Path("d.npz").exists()
