"""Which rows each question takes, and on what their policies are trained."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from steadyhand.data import open_episodes, write_episodes
from steadyhand.diffusion.ddpm import DDPM
from steadyhand.diffusion.flow import Flow
from steadyhand.errors import ConfigurationError, UsageError
from steadyhand.evaluation.acting import Acting
from steadyhand.evaluation.latency import Latency
from steadyhand.studies.asked import Asked
from steadyhand.studies.cell import Cell, runs_of
from steadyhand.studies.questions import QUESTIONS
from steadyhand.studies.questions.steps import solvers
from steadyhand.studies.study import Study
from steadyhand.tasks import record_episodes

EPISODES = record_episodes("fork", 12)
OWN = Path(__file__).with_name("small_recipes.py")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data") / "twelve.npz"
    write_episodes(path, EPISODES)
    return path


def cells(question: str, **asked) -> list[Cell]:
    about = QUESTIONS[question]
    return about.cells(about.asked(Asked(**asked).with_task_of_recipe()))


def factors(found: list[Cell], *names: str) -> list[tuple]:
    return [tuple(cell.factors[name] for name in names) for cell in found]


def test_no_two_solvers_of_a_process_do_the_same() -> None:
    """On the straight path of flow, Euler's steps are those of DDIM."""
    assert solvers(DDPM()) == ["ddpm", "ddim", "dpmpp_2m", "sde_dpmpp_2m"]
    assert solvers(Flow()) == ["ddpm", "euler", "dpmpp_2m", "sde_dpmpp_2m"]


def test_one_policy_is_sampled_in_all_ways_and_the_reference_twice_as_often() -> None:
    found = cells("steps", quick=True)
    assert len(found) == 4 * 5
    assert len({cell.trial.key for cell in found}) == len(found)
    assert all(cell.config == found[0].config for cell in found), "there is one training"
    for cell in found:
        assert cell.trial.sampler is not None
        assert (cell.trial.sampler.solver, cell.trial.sampler.steps) == (
            cell.factors["solver"],
            cell.factors["steps"],
        )
        reference = cell.factors == {"solver": "ddpm", "steps": 100}
        assert cell.trial.samples == (128 if reference else 64)
    assert {steps for _, steps in factors(cells("steps"), "solver", "steps")} == {
        *(1, 2, 3, 5, 10, 20, 50, 100)
    }


@pytest.mark.parametrize("method", ["regression", "bins", "consistency", "mip", "shortcut"])
def test_what_is_not_sampled_in_steps_is_refused(method) -> None:
    with pytest.raises(ConfigurationError, match=f"{method} is not sampled in steps"):
        cells("steps", task="fork", method=method)


def test_a_policy_of_too_few_noise_levels_is_refused_before_it_is_trained() -> None:
    with pytest.raises(ConfigurationError, match="more than the 50 noise levels"):
        cells("steps", recipe=f"{OWN}:few_levels")


def test_of_a_chunk_no_more_is_executed_than_it_has() -> None:
    found = cells("chunk", task="fork", quick=True)
    assert factors(found, "method", "rows", "execute") == [
        (method, rows, execute)
        for method in ("ddpm", "regression")
        for rows in (1, 4, 16)
        for execute in (1, 2, 4, 8, 16)
        if execute <= rows
    ]
    assert all(cell.config.chunking.horizon == cell.factors["rows"] for cell in found)
    assert all(cell.trial.execute == cell.factors["execute"] for cell in found)
    assert len({cell.config for cell in found}) == 6, "rows that differ in that share a training"


def test_no_chunk_is_longer_than_the_longest_demonstration(tmp_path) -> None:
    longest = {key: values[: EPISODES.ends[0]][:9] for key, values in EPISODES.arrays.items()}
    path = tmp_path / "short.npz"
    write_episodes(path, replace(EPISODES, arrays=longest, ends=np.array([5, 9])))
    for recipe, most in (("small", [1, 4]), ("with_past", [1, 4])):
        found = cells("chunk", recipe=f"{OWN}:{recipe}", task="fork", data=path)
        assert sorted({rows for (rows,) in factors(found, "rows")}) == most
    nine = replace(EPISODES, arrays=longest, ends=np.array([9]))
    path.unlink()
    write_episodes(path, nine)
    assert max(factors(cells("chunk", task="fork", data=path), "rows")) == (8,)
    past = cells("chunk", recipe=f"{OWN}:with_past", task="fork", data=path)
    assert {c.factors["rows"]: c.config.chunking.horizon for c in past} == {1: 2, 4: 5, 8: 9}


def test_who_sees_no_past_is_not_shown_a_perturbed_one() -> None:
    found = cells("history", task="fork")
    assert factors(found, "obs_steps", "past") == [
        *((steps, "as it was") for steps in (1, 2, 4, 8)),
        *((steps, "perturbed") for steps in (2, 4, 8)),
    ]
    for cell in found:
        assert (cell.trial.perturb_history > 0) == (cell.factors["past"] == "perturbed")
        assert cell.trial.execute == 4
        chunking = cell.config.chunking
        assert (chunking.obs_steps, chunking.past_rows) == (cell.factors["obs_steps"], 0)
        assert chunking.horizon == 16
    assert found[1].config == found[4].config, "it is the same policy"
    assert len({cell.config for cell in found}) == 4


def test_rows_of_the_past_go_with_the_observations() -> None:
    """A recipe whose chunks begin at the first observation has them begin there always."""
    chunkings = [c.config.chunking for c in cells("history", recipe=f"{OWN}:with_past")[:4]]
    assert [(c.obs_steps, c.past_rows, c.horizon) for c in chunkings] == [
        *((1, 0, 8), (2, 1, 9), (4, 3, 11), (8, 7, 15))
    ]


def test_numbers_of_demonstrations_are_those_that_there_are(data) -> None:
    def counts(**asked) -> list[int]:
        return [count for (count,) in factors(cells("data", **asked), "demonstrations")]

    assert counts() == [3, 5, 10, 20, 50, 100, 200]
    assert counts(quick=True) == [3, 10, 50]
    assert counts(demonstrations=30) == [3, 5, 10, 20, 30]
    assert counts(task="fork", data=data) == [3, 5, 10, 12]
    assert counts(task="fork", data=data, quick=True) == [3, 10]
    for asked in ({"demonstrations": 3}, {"demonstrations": 3, "quick": True}):
        with pytest.raises(ConfigurationError, match="too few to leave some out"):
            counts(**asked)


def test_fewer_demonstrations_are_a_part_of_more_and_others_for_each_seed(data, tmp_path) -> None:
    rows = runs_of(cells("data", recipe=f"{OWN}:small", task="fork", data=data), 3, tmp_path)
    starts = [[_starts(run.config.data) for run in row] for row in rows]
    whole = _starts(data)
    for seed in range(3):
        assert [len(row[seed]) for row in starts] == [3, 5, 10, 12]
        few, more, most, every = (row[seed] for row in starts)
        assert few < more < most < every == whole
    assert len({frozenset(found) for found in starts[0]}) == 3, "others for each seed"
    assert [run.config.seed for run in rows[0]] == [0, 1, 2]
    assert len({run.key for row in rows for run in row}) == 12
    again = runs_of(cells("data", recipe=f"{OWN}:small", task="fork", data=data), 2, tmp_path)
    assert [[run.key for run in row[:2]] for row in rows] == [
        [run.key for run in row] for row in again
    ]


def _starts(path: Path | None) -> set[str]:
    """Where the robot stood first in each episode of a file."""
    assert path is not None
    episodes = open_episodes(path)
    firsts = np.concatenate([[0], episodes.ends[:-1]])
    return {json.dumps(one) for one in episodes.read("state")[firsts].tolist()}


def test_checkpoints_of_one_training_are_tried() -> None:
    found = cells("seeds", steps=300, seeds=4)
    assert [cell.trial.before_last for cell in found] == [0, 1, 2]
    assert {cell.config.checkpoint_every for cell in found} == {30}
    assert len({cell.config for cell in found}) == 1


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"seeds": 1}, "--seeds 2 or more"),
        ({"episodes": 1}, "--episodes 2 or more"),
        ({"steps": 2}, "--steps 3 or more"),
        ({"minutes": 0.1}, "--steps instead of --minutes"),
    ],
)
def test_what_cannot_tell_of_luck_is_refused_before_it_is_trained(asked, message) -> None:
    with pytest.raises(ConfigurationError, match=message):
        cells("seeds", **asked)


def test_methods_are_compared_on_all_variants_or_on_the_task_that_is_named() -> None:
    found = cells("modes", quick=True, episodes=50)
    methods = ("regression", "gaussian", "mixture", "ddpm")
    tasks = ("fork", "fork:gap=0.1", "fork:left_share=0.95")
    assert factors(found, "task", "method") == [(t, m) for t in tasks for m in methods]
    assert {(cell.trial.episodes, cell.trial.repeats) for cell in found} == {(25, 8)}
    one = cells("modes", task="fork:gap=0.15", method="flow")
    assert factors(one, "method")[-1] == ("flow",)
    assert {cell.config.task for cell in one} == {"fork:gap=0.15"}
    assert factors(cells("modes", task="fork", method="mixture"), "method")[-1] == ("ddpm",)
    with pytest.raises(ConfigurationError, match="pusht names 0 ways to act"):
        cells("modes", task="pusht")


def test_what_can_be_refused_is_before_anything_is_recorded(tmp_path) -> None:
    for asked, message in (
        ({"seed_start": -1}, "seed_start is -1; seeds are"),
        ({"episodes": 0}, "episodes is 0; it must be at least 1"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            Study.of("steps", Asked(**asked), tmp_path).runs()
    with pytest.raises(UsageError, match="--vary is for a sweep"):
        Study.of("steps", Asked(vary=("steps=1,2",)), tmp_path)
    with pytest.raises(UsageError, match=r"no question 'stepps'\. Did you mean 'steps'"):
        Study.of("stepps", Asked(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_any_question_can_be_asked_under_a_controller_and_latency() -> None:
    late = Acting(controller="asynchronous", latency=Latency(seconds=0.2))
    cells = QUESTIONS["chunk"].cells(QUESTIONS["chunk"].asked(Asked(acting=late)))
    assert {cell.trial.acting for cell in cells} == {late}
    with pytest.raises(ConfigurationError, match="under latencies of its own"):
        QUESTIONS["latency"].asked(Asked(acting=late))
