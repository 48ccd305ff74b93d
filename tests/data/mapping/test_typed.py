"""The command that is printed for a set of no known format, pasted; and two steps of training."""

import json
import shlex

import numpy as np
import pytest
import strange

from steadyhand.cli.main import main
from steadyhand.data import Episodes, open_episodes, write_episodes

TINY = "--steps 2 --checkpoint-every 2 --denoiser.width 16 --denoiser.blocks 1 --device cpu"
SHORT = "--chunking.horizon 4 --chunking.execute 2"
SMALL = "--encoder.network.blocks 1 1 --encoder.network.width 8 --image-size 24"


@pytest.mark.parametrize(
    ("write", "name", "camera"),
    [
        (strange.groups, "traj.h5", None),
        (strange.flat, "lengths.npz", None),
        (strange.files, "aloha", None),
        (strange.one_table, "csv and film", "front"),
    ],
    ids=["traj", "lengths", "aloha", "csv"],
)
def test_the_command_printed_makes_a_set_that_trains(
    write, name, camera, tmp_path, capsys, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    states, actions = write(tmp_path / name)
    assert main(["convert", name, "--map", "guess", "--json"]) == 0
    typed = json.loads(capsys.readouterr().out)["command"]
    words = shlex.split(typed)
    assert main(words[1:]) == 0
    made = open_episodes(words[3])
    assert np.array_equal(made.read("state"), np.concatenate(states))
    assert np.array_equal(made.read("action"), np.concatenate(actions))
    seen = ["state", *([camera] if camera else [])]
    recipe = ["lerobot", "--action-relative-to", "state", *SMALL.split()] if camera else ["state"]
    train = ["train", *recipe, "--data", words[3], "--out", "run", "--observations", *seen]
    assert main([*train, *TINY.split(), *SHORT.split(), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["steps"] == 2


def test_a_guess_without_a_rate_says_so(tmp_path, capsys) -> None:
    np.savez(path := tmp_path / "x.npz", state=np.zeros((9, 2)), action=np.zeros((9, 2)))
    assert main(["convert", str(path), "--map", "guess"]) == 0
    assert "10 Hz would be taken: put ',rate=30'" in capsys.readouterr().err
    np.savez(path, state=np.zeros((9, 2)), action=np.zeros((9, 2)), fps=20)
    assert main(["convert", str(path), "--map", "guess"]) == 0
    assert "rate=30" not in capsys.readouterr().err


def test_what_needs_no_map_is_not_guessed(tmp_path, capsys) -> None:
    """Its tables hold several episodes each, which the index tells apart."""
    arrays = {"state": np.zeros((9, 2)), "action": np.zeros((9, 2))}
    write_episodes(path := tmp_path / "a.lerobot", Episodes(arrays, np.array([4, 9]), 10.0))
    assert main(["convert", str(path), "--map", "guess"]) == 2
    assert "it is opened without a map" in capsys.readouterr().err
    np.save(path := tmp_path / "q.npy", np.zeros((9, 2)))
    assert main(["convert", str(path), "--map", "guess"]) == 2
    assert "Name the folder in which it" in capsys.readouterr().err


def test_what_is_asked_beside_a_guess(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("words.npz", names=np.array(["a", "b"]))
    assert main(["convert", "words.npz", "--map", "guess"]) == 2
    assert "no arrays of numbers" in capsys.readouterr().err
    np.savez("rewards.npz", reward=np.zeros(9))
    assert main(["convert", "rewards.npz", "--map", "guess"]) == 2
    assert "--map 'state=PLACE,action=PLACE" in capsys.readouterr().err
    strange.one_table(tmp_path / "logs")
    assert main(["train", "state", "--data", "logs", "--observations", "state"]) == 2
    assert "A map fits it: steadyhand convert logs" in capsys.readouterr().err
    assert main(["inspect", "logs", "--map", "guess"]) == 2
    assert "A map is read by convert" in capsys.readouterr().err
    words = ["convert", "logs", "x.npz", "--map", "state=q*", "--skip-broken-episodes"]
    assert main(words) == 2
    assert "A map is read whole" in capsys.readouterr().err
