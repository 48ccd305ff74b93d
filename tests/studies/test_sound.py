"""Scores that are none, films of tasks that draw nothing, and reports where nothing can be told."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from invented import outcomes, result

from steadyhand.cli.main import main
from steadyhand.errors import ConfigurationError, UsageError
from steadyhand.studies import filmed, study
from steadyhand.studies.asked import Asked
from steadyhand.studies.filmed import strips
from steadyhand.studies.question import Findings
from steadyhand.studies.questions import QUESTIONS
from steadyhand.studies.questions.seeds import _sizes
from steadyhand.studies.results import Result, ranked
from steadyhand.studies.sound import known, require_numbers, require_scores
from steadyhand.tasks import register_task

NAN = math.nan


@pytest.mark.parametrize(
    ("scores", "judged", "message"),
    [
        ({"speed": [1.0, NAN, NAN, 2.0]}, "speed", "no number in 50% of episodes (row 3; the "),
        ({"speed": [1.0, math.inf]}, "speed", "first has seed 100001). Mend it."),
        ({"success": [1.0, 3.5]}, "success", "is 3.5 in an episode; what is called so is a share"),
        ({"success": [1.0, -1.0], "speed": [0, 0]}, "success", "by another, --score speed, or"),
        ({"left": [1.0, 0.0]}, "success", "success is no score of fork, and rows are compared"),
    ],
)
def test_a_study_is_judged_by_numbers(scores, judged, message) -> None:
    rows = [result({judged: [0.0, 1.0, 1.0, 0.0]}), result(scores, factors={"row": 3})]
    with pytest.raises(ConfigurationError) as refused:
        require_numbers(rows, judged)
    assert message in str(refused.value)
    require_numbers(rows[:1], judged)


def test_other_scores_may_be_what_they_like() -> None:
    require_numbers([result({"success": [1.0, 0.0], "time": [NAN, 3.0]})], "success")


def test_a_score_that_there_is_not_is_refused_before_anything_is_trained() -> None:
    require_scores(["success", "left"], ["fork"])
    with pytest.raises(ConfigurationError, match=r"no way of fork: 'lft'. Did you mean 'left'"):
        require_scores(["right", "lft"], ["fork"], "way")


def test_json_has_null_where_there_is_no_number() -> None:
    found = {"a": [1, NAN, {"b": math.inf}], "c": (0.5, "x", None), "d": True}
    assert json.dumps(known(found), allow_nan=False) == (
        '{"a": [1, null, {"b": null}], "c": [0.5, "x", null], "d": true}'
    )


@dataclass(frozen=True)
class Asks:
    """A study, as far as what it says of saturation goes."""

    asked: Asked

    class question:
        harder = "--task fork:gap=0.1"


@pytest.mark.parametrize(
    ("shares", "answer", "note"),
    [
        ((0.0, 0.03), "No row reaches more than 3 % in success, so this cannot be told", ""),
        ((0.03, 0.5), None, ""),
        ((0.94, 1.0), None, ""),
        ((1.0, 1.0), None, "Every row reaches 100 %, so"),
        ((1.0, 0.96), None, "Every row reaches 96 % or more, so"),
    ],
)
def test_where_all_fail_that_is_the_answer_and_where_none_does_it_is_said(
    shares, answer, note
) -> None:
    rows = [result({"success": outcomes(share)}) for share in shares]
    asked = Asked(task="fork")
    found = study._failing(asked, rows)
    assert (found or "").startswith(answer or "")
    assert (found is None) == (answer is None)
    notes = study._saturated(Asks(asked), rows)
    assert "".join(notes).startswith(note)
    assert bool(notes) == bool(note)
    assert not notes or notes[0].endswith("Ask again where there is: --task fork:gap=0.1")


def test_a_task_that_draws_nothing_costs_no_report(monkeypatch) -> None:
    def no_screen(*_):
        raise RuntimeError("no display")

    monkeypatch.setattr(filmed, "_frames", no_screen)
    told: list[str] = []
    assert strips([result({"success": [1.0, 0.0]})], [0], told.append) == []
    assert told == ["No episode is shown, since this task draws no pictures: no display"]


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ({"success": [1.0, 0.0, 1.0]}, ["a typical episode", "one that failed"]),
        ({"success": [0.0, 1.0, 0.0]}, ["a typical episode", "one that succeeded"]),
        ({"success": [0.0, 0.0]}, ["a typical episode"]),
        ({"reward": [-3.0, -9.0, -1.0]}, ["a typical episode", "the worst"]),
    ],
)
def test_episodes_are_called_what_they_are(scores, words) -> None:
    chosen = filmed._chosen(result(scores))
    assert [word for word, _, _ in chosen] == words
    if len(chosen) > 1 and "reward" in scores:
        assert chosen[1] == ("the worst", 100_001, "reward -9")


def test_more_trainings_are_named_only_where_they_save_episodes() -> None:
    sizes = {0.1: {1: None, 2: None, 3: 40, 4: 10, 5: 10, 6: 10}, 0.2: {1: None, 2: None}}
    assert [note.replace("\N{NO-BREAK SPACE}", " ") for note in _sizes(sizes, "success")] == [
        "To claim 10 points: 3 trainings on 40 episodes, or 4 trainings on 10 episodes.",
        "To claim 20 points: more trainings than were considered.",
    ]


def test_rows_of_different_tasks_are_not_compared() -> None:
    """Their initial states are not the same: each task has a best row of its own."""
    rows = [
        result(
            {"success": outcomes(share, luck=n)},
            factors={"task": task, "size": size},
            task=task,
        )
        for n, (task, size, share) in enumerate(
            [("fork", 1, 0.9), ("fork", 2, 0.1), ("fork:gap=0.1", 1, 0.2), ("fork:gap=0.1", 2, 0.8)]
        )
    ]
    found = QUESTIONS["sweep"].findings(Asked(task="fork", vary=("size=1,2",)), rows)
    one, other = found.answer.split(" On ")
    assert one.startswith("On fork: best is task fork, size 1: success 90")
    assert other.startswith("fork:gap=0.1: best is task fork:gap=0.1, size 2: success 80")
    assert "different tasks are not compared" in found.compared
    assert found.more["tasks"]["fork:gap=0.1"]["size"] == 2
    assert found.shown == [0, 3]
    alone = QUESTIONS["sweep"].findings(Asked(task="fork", vary=("size=1,2",)), rows[:2])
    assert alone.answer.startswith("Best is task fork, size 1")
    assert alone.answer.endswith("Every other row is worse.")
    np.testing.assert_equal(alone.more, {"best": {"task": "fork", "size": 1}})


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"seed_start": -5}, "seed_start is -5; seeds are whole numbers"),
        ({"episodes": 10**7}, "episodes is 10000000"),
        ({"task": "fork", "score": "sucess"}, "Did you mean 'success'"),
    ],
)
def test_episodes_that_nobody_can_play_are_refused_before_anything_is_trained(
    asked, message
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        study.Study.of("steps", Asked(**asked), Path("nowhere"))


OWN = """
import steadyhand as sh
from steadyhand.tasks.fork import Fork

class Ways(Fork):
    modes = {modes}
"""


@pytest.mark.parametrize(
    ("modes", "message"),
    [
        ('("left",)', "ways.py:Ways names 1 ways to act; this is a question about 2 to 7"),
        ('("left", "rihgt")', "no way of ways.py:Ways: 'rihgt'. Did you mean 'right'"),
    ],
)
def test_ways_that_there_are_not_are_refused_before_anything_is_trained(
    modes, message, tmp_path
) -> None:
    path = tmp_path / "ways.py"
    path.write_text(OWN.format(modes=modes))
    task = register_task(f"{path}:Ways")
    with pytest.raises(ConfigurationError, match=message):
        QUESTIONS["modes"].cells(Asked(task=task, recipe="fork"))


def ways(**scores) -> Result:
    rows = {name: np.repeat(values, 8) for name, values in scores.items()}
    return result(rows, factors={"task": "fork", "method": "ddpm"}, task="fork", repeats=8, paths=2)


def test_ways_that_are_taken_at_once_are_no_parts_of_a_whole() -> None:
    both = ways(success=[1.0, 1.0], left=[1.0, 1.0], right=[1.0, 0.0])
    found = QUESTIONS["modes"].findings(Asked(task="fork"), [both, both])
    assert "several ways were taken at once" in found.notes[0]
    assert "ways" not in found.figures
    apart = ways(success=[1.0, 1.0], left=[1.0, 0.0], right=[0.0, 1.0])
    found = QUESTIONS["modes"].findings(Asked(task="fork"), [apart, apart])
    assert list(found.notes) == []
    assert list(found.figures) == ["ways", "scene"]


def test_what_is_varied_is_of_a_sweep(capsys) -> None:
    assert main(["study", "steps", "--vary", "batch_size=1,2"]) == 2
    assert "--vary is for a sweep" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("scores", "message"),
    [("{}", "and there is none. Let"), ("{'success': 'yes'}", "and success is 'yes'. Let")],
)
def test_a_task_that_scores_nothing_is_refused_before_anything_is_trained(
    scores, message, tmp_path
) -> None:
    path = tmp_path / "mute.py"
    path.write_text(MUTE.format(scores=scores))
    task = register_task(f"{path}:Mute")
    with pytest.raises(ConfigurationError, match=message):
        study.Study.of("steps", Asked(task=task, recipe="fork"), Path("nowhere"))


MUTE = """
from steadyhand.tasks.fork import Fork

class Mute(Fork):
    def make(self):
        world = super().make()
        world.scores = lambda: {scores}
        return world
"""


def test_of_a_world_of_one_number_no_plane_is_drawn() -> None:
    row = ways(success=[1.0, 1.0], left=[1.0, 0.0], right=[0.0, 1.0])
    row.records[0]["paths"] = [[[0.0], [1.0]]] * 2
    assert list(QUESTIONS["modes"].findings(Asked(task="fork"), [row, row]).figures) == ["ways"]


def test_a_score_called_as_something_else_is_called_hides_nothing() -> None:
    row = result({"success": [1.0, 0.0], "calls": [7.0, 7.0], "size": [5.0, 5.0]}, factors=SIZE)
    [found] = study.rows([row], Findings(answer="", figures={}))
    assert list(found)[:4] == ["size", "success", "score calls", "score size"]
    assert (found["size"], found["score size"]["mean"]) == (2, 5.0)
    assert (found["calls"], found["score calls"]["mean"]) == (row.calls, 7.0)


SIZE = {"size": 2}


def test_help_is_of_questions_that_there_are(capsys) -> None:
    assert main(["study", "stesp", "--help"]) == 2
    assert "Did you mean 'steps'?" in capsys.readouterr().err


def test_where_a_report_cannot_go_is_told_before_anything_is_trained(tmp_path) -> None:
    asked = study.Study.of("steps", Asked(task="fork"), tmp_path)
    asked.folder.write_text("in the way")
    with pytest.raises(UsageError, match="where the report goes, cannot be made"):
        asked.runs()
    assert [path.name for path in tmp_path.iterdir()] == [asked.folder.name]


def report(*rows: Result) -> study.StudyReport:
    about = study.Study("modes", QUESTIONS["modes"], Asked(seeds=1), (), Path("nowhere"))
    return study._report(about, rows, Findings(answer="", figures={}), {}, [])


def test_a_table_of_one_task_has_no_column_for_it() -> None:
    one = result({"success": [1.0, 0.0]}, factors={"task": "fork", "size": 1}, task="fork")
    other = result({"success": [1.0, 0.0]}, factors={"task": "pusht", "size": 1}, task="pusht")
    assert report(one, one).header[:2] == ["size", "success"]
    assert [line[:2] for line in report(one, other).rows] == [["fork", "1"], ["pusht", "1"]]


def test_of_rows_that_score_the_same_the_one_that_is_preferred_is_best() -> None:
    rows = [result({"success": [1.0, 1.0, 0.0]}, factors={"row": n}) for n in range(3)]
    assert ranked(rows, "success").best == 0
    assert ranked(rows, "success", [1, 4, 2]).best == 1
    better = result({"success": [1.0, 1.0, 1.0]}, factors={"row": 3})
    assert ranked([*rows, better], "success", [1, 4, 2, 0]).best == 3


def test_a_measured_score_that_is_all_alike_is_no_share() -> None:
    """It would have an interval as wide as that of so many outcomes, beside rows as narrow as a
    hair."""
    assert not result({"quality": [0.57, 0.57, 0.57]}).score("quality").known
    assert result({"left": [1.0, 1.0, 1.0]}).score("left").known
    assert result({"max_coverage": [0.5, 0.5, 0.5]}).score("max_coverage").known
