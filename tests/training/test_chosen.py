"""A run trains on the episodes that were chosen, holds out those that the set does, and is judged
by the rest of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from steadyhand.cli.main import main
from steadyhand.data import Episodes, write_episodes
from steadyhand.data.splits import divided
from steadyhand.errors import ConfigurationError
from steadyhand.evaluation.held_out import fresh_episodes
from steadyhand.policy.storage import load_policy
from steadyhand.runtime.card import read_provenance
from steadyhand.spec import Chunking
from steadyhand.studies.asked import Asked
from steadyhand.studies.cell import runs_of
from steadyhand.studies.plan import demonstrations
from steadyhand.studies.questions import QUESTIONS
from steadyhand.tasks import record_episodes
from steadyhand.training.config import TrainConfig
from steadyhand.training.material import Material

TINY = ["--device=cpu", "--precision=float32", "--denoiser.width=16", "--denoiser.blocks=1"]
TINY += ["--batch-size=8", "--steps=2", "--chunking.horizon=8", "--chunking.execute=4"]


def made(episodes: int = 10, **more) -> Episodes:
    """Episodes whose every number says which of them it is of."""
    random = np.random.default_rng(0)
    which = np.repeat(np.arange(episodes), 12)[:, None] + random.uniform(size=(12 * episodes, 2))
    return Episodes(
        {"state": which.astype(np.float32), "action": which.astype(np.float32)},
        12 * np.arange(1, episodes + 1),
        **more,
    )


def parts(masks, share: float = 0.2) -> tuple[list[int], list[int], str]:
    (train, held_out), said = divided(made(masks=masks), validation_share=share, seed=0)
    return train.tolist(), held_out.tolist(), said


def test_a_set_that_divides_itself_is_divided_so() -> None:
    whole, said = divided(made(), validation_share=0.2, seed=0)
    assert sorted(np.concatenate(whole)) == list(range(10))
    assert said == ""
    masks = {"train": (0, 1, 2, 3, 4), "valid": (5, 6)}
    assert parts(masks)[:2] == ([0, 1, 2, 3, 4], [5, 6])
    assert "5 episodes are trained on, 2 held out, 3 in neither part" in parts(masks)[2]
    for name in ("val", "validation"):
        assert parts({"train": (0, 1), name: (2,)})[:2] == ([0, 1], [2])
    assert parts({"train": (0, 1, 2), "valid": (2, 3)})[:2] == ([0, 1], [2, 3]), "never both"
    # All are to be trained on, or there is nothing to judge by: as the seed says.
    assert parts(masks, share=0)[:2] == (list(range(10)), [])
    assert parts({"train": tuple(range(10)), "valid": ()})[:2] == tuple(map(list, whole))


def test_nothing_that_is_kept_for_a_test_is_trained_on() -> None:
    train, held_out, said = parts({"train": tuple(range(8)), "test": (8, 9)})
    assert sorted(train + held_out) == list(range(8))
    assert "2 episodes that the set keeps for a test" in said
    assert parts({"test": (3,)}, share=0)[0] == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert parts({"train": (0, 1, 2), "valid": (2, 3), "test": (1, 3)})[:2] == ([0], [2])
    assert len(parts({"test": tuple(range(10))}, share=0)[0]) == 10, "they were asked for"


def test_the_material_of_a_run_is_what_the_set_says() -> None:
    masks = {"train": (1, 2, 3), "valid": (4,), "test": (0, 5, 6, 7, 8, 9)}
    config = TrainConfig(chunking=Chunking(horizon=8, execute=4))
    found = Material.of(config, made(masks=masks, numbers=tuple(range(20, 30))))
    assert found.held_out_numbers == (24,)
    np.testing.assert_array_equal(np.unique(found.training.read("action").astype(int)), [1, 2, 3])


@pytest.fixture(scope="module")
def chosen(tmp_path_factory) -> tuple[Path, Path]:
    """(the data, a run that was trained on eight of its ten episodes)."""
    folder = tmp_path_factory.mktemp("chosen")
    write_episodes(folder / "ten.npz", made())
    words = [f"--data={folder / 'ten.npz'}", f"--out={folder / 'run'}", "--select=2:"]
    assert main(["train", "state", *words, "--validation-share=0.25", *TINY]) == 0
    return folder / "ten.npz", folder / "run"


def test_a_run_knows_what_it_was_trained_on(chosen, capsys) -> None:
    data, run = chosen
    policy, origin = load_policy(run), read_provenance(run / "last")
    assert origin.select == "2:"
    fresh = fresh_episodes(policy, origin)
    assert tuple(fresh.places) == origin.validation_episodes
    assert len(fresh.places) == 2
    assert min(fresh.places) >= 2, "what was not chosen is no part of it"
    assert fresh.library is not None
    assert len(fresh.library) == 6
    beside = fresh_episodes(policy, origin, data, select="0:3")
    assert set(beside.places) >= {0, 1}
    with pytest.raises(ConfigurationError, match="no episode 77"):
        fresh_episodes(policy, origin, select="77")
    assert main(["train", "--resume", f"--out={run}"]) == 0
    assert "8 of 10 episodes are chosen: 2:" in capsys.readouterr().err


def test_the_verbs_choose_and_say_so(chosen, capsys) -> None:
    data, run = chosen
    assert main(["inspect", str(data), "--select=1,2+length>3"]) == 0
    assert "2 of 10 episodes are chosen: 1,2+length>3." in capsys.readouterr().out
    assert main(["evaluate", "--offline", str(run), "--select=0:2", "--samples=1"]) == 0
    assert "2 of 10 episodes are chosen: 0:2." in capsys.readouterr().err
    assert main(["train", "fork", "--select=0:5", "--out=unused"]) == 2
    assert "no data is named to choose from" in capsys.readouterr().err
    assert main(["train", "state", f"--data={data}", "--select=some"]) == 2
    assert "chosen by 0:50" in " ".join(capsys.readouterr().err.split())


def test_a_study_is_of_the_episodes_chosen(tmp_path: Path) -> None:
    write_episodes(tmp_path / "twelve.npz", record_episodes("fork", 12))
    question = QUESTIONS["data"]
    asked = Asked(task="fork", data=tmp_path / "twelve.npz", select="2:", quick=True, seeds=1)
    rows = runs_of(question.cells(question.asked(asked)), 1, tmp_path / "out")
    assert [len(demonstrations(run.config)) for row in rows for run in row] == [3, 10]
    whole = replace(asked, select="")
    others = runs_of(question.cells(question.asked(whole)), 1, tmp_path / "out")
    assert len({run.key for row in [*rows, *others] for run in row}) == 4
