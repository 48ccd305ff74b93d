"""What each question finds in results that were invented: its words, its lines, its columns."""

import json
import math

import numpy as np
import pytest
from invented import outcomes, result

from steadyhand.errors import UsageError
from steadyhand.evaluation.metrics import Interval
from steadyhand.studies import results
from steadyhand.studies.asked import Asked
from steadyhand.studies.folder import RunFolder
from steadyhand.studies.question import NBSP, NONE, Findings
from steadyhand.studies.questions import QUESTIONS
from steadyhand.studies.questions.chunk import disturbed
from steadyhand.studies.results import Result


def found(question: str, rows: list[Result], **asked) -> Findings:
    return QUESTIONS[question].findings(Asked(**{"task": "fork", **asked}), rows)


def said(findings: Findings) -> str:
    return findings.answer.replace(NBSP, " ")


# chunk


def chunks(shares: dict[tuple[str, int, int], float], moved: np.ndarray | None = None):
    """A row each of (method, rows, execute); where something is moved, none succeeds."""
    rows = []
    for (method, ahead, execute), share in shares.items():
        factors = {"method": method, "rows": ahead, "execute": execute}
        scores = {"success": outcomes(share, luck=len(rows))}
        if moved is not None:
            scores = {"success": np.where(moved, 0.0, 1.0), "disturbed": moved}
        rows.append(result(scores, factors=factors))
    return rows


PLAIN = ("regression", 1, 1)


def test_disturbed_are_the_states_in_which_something_was_moved_for_any_row() -> None:
    """Who fails before that is not undisturbed: the same states are compared for all."""
    seen = np.array([[1.0, 0, 1, 0, 0]])
    early = np.array([[0.0, 0, 1, 0, 0]])
    rows = chunks({("ddpm", 4, 4): 1.0}, early) + chunks({PLAIN: 1.0}, seen)
    assert disturbed(rows).tolist() == [True, False, True, False, False]
    answer = found("chunk", rows)
    # The second did not succeed in the two states that were moved, the first in one of them.
    assert answer.columns["undisturbed"][1].startswith(f"100{NBSP}%")
    assert answer.columns["disturbed"][1].startswith(f"0{NBSP}%")
    assert answer.columns["disturbed"][0].startswith(f"50{NBSP}%")
    assert answer.figures_of_rows[0]["undisturbed"]["n"] == 3
    assert answer.figures_of_rows[0]["disturbed"]["n"] == 2
    assert {"disturbed", "undisturbed"} <= answer.figures.keys()
    assert "In 2 of 5 episodes" in answer.reading


def test_where_nothing_is_moved_there_is_no_disturbed() -> None:
    rows = chunks({("ddpm", 4, 4): 0.9, PLAIN: 0.5})
    assert disturbed(rows).tolist() == [False] * 100
    answer = found("chunk", rows)
    assert "disturbed" not in answer.columns
    assert "disturbed" not in answer.figures
    assert answer.figures_of_rows[0] == {}


# steps


def sampled(shares: dict[int, float], folder, episodes: int = 100) -> Findings:
    """Of ddpm, a row each of so many steps; all draw the same."""
    cells = QUESTIONS["steps"].cells(Asked(task="fork"))
    rows = []
    for steps, share in shares.items():
        cell = next(c for c in cells if c.factors == {"solver": "ddpm", "steps": steps})
        scores = {"success": outcomes(share, episodes=episodes, luck=steps)}
        row = result(scores, cell=cell, policies=folder, chunk_ms=0.5 * steps)
        drawn = np.random.default_rng(0).normal(size=(2, cell.trial.samples, 4, 2))
        row.outcomes[0].folder.mkdir(exist_ok=True)
        RunFolder(row.outcomes[0].folder).write_array(cell.trial.drawn, drawn)
        rows.append(row)
    return found("steps", rows)


def test_the_fewest_steps_that_are_enough_and_what_fewer_do(tmp_path) -> None:
    findings = sampled({1: 0.1, 2: 0.3, 5: 1.0, 100: 1.0}, tmp_path)
    assert said(findings).startswith("It takes 5 steps of ddpm: success 100 % [96, 100].")
    assert " A chunk takes 2.5 ms, and 50 ms with 100 steps." in said(findings)
    assert said(findings).endswith(" With fewer it is worse: 30 % [22, 40] with 2 steps of ddpm.")
    assert findings.more["enough"] == findings.more["fewest"] == {"solver": "ddpm", "steps": 5}
    assert [row["distance"]["mean"] > 0 for row in findings.figures_of_rows] == [True] * 4


def test_nothing_is_said_to_be_worse_than_itself(tmp_path) -> None:
    """Of many episodes, what is enough may be told from the best."""
    findings = sampled({1: 0.95, 100: 1.0}, tmp_path, episodes=1000)
    assert said(findings).startswith("It takes 1 step of ddpm: success 95 % [")
    assert "That is 100 steps of ddpm" in said(findings)
    assert "worse" not in said(findings)


# seeds


def trainings(*checkpoints: np.ndarray, score: str = "success") -> list[Result]:
    """Rows of (seeds, episodes) scores, the last checkpoint first."""
    return [
        result({score: scores}, factors={"checkpoint": f"{back}"}, policies="x", before_last=back)
        for back, scores in enumerate(checkpoints)
    ]


def luck(*checkpoints: np.ndarray, score: str = "success") -> Findings:
    seeds, episodes = checkpoints[0].shape
    rows = trainings(*checkpoints, score=score)
    return found("seeds", rows, seeds=seeds, episodes=episodes)


def test_luck_is_told_in_words() -> None:
    """Three of four trainings succeed half of the time, one always."""
    random = np.random.default_rng(0)
    last = (random.random((4, 100)) < 0.5) * 1.0
    last[3] = 1.0
    last[0, :50], last[0, 50:] = 1.0, 0.0
    findings = luck(last, last, last)
    share = last.mean(1)
    assert said(findings).startswith(
        f"The same training with 4 seeds reaches {100 * share.min():.0f} % to 100 % in success: "
        "trainings deviate by 2"
    )
    assert "checkpoints of one by 0.0 points" in said(findings)
    assert "A difference of 5 points between two methods takes" in said(findings)
    sizes = [(one["claim"], one["seeds"], one["episodes"]) for one in findings.more["needed"]]
    assert [claim for claim, _, _ in sizes] == [
        c for c in (0.02, 0.05, 0.1, 0.2) for _ in range(10)
    ]
    assert len(findings.notes) == 4
    json.dumps(findings.more, allow_nan=False)


def test_claims_of_a_score_without_bounds_are_parts_of_it() -> None:
    random = np.random.default_rng(0)
    reward = [200 + random.normal(size=(3, 20)) for _ in range(3)]
    findings = luck(*reward, score="reward")
    assert "A difference of 10 between two methods takes" in said(findings)
    assert "in reward: trainings deviate by" in said(findings)
    assert " points" not in said(findings)
    claims = dict.fromkeys(one["claim"] for one in findings.more["needed"])
    assert list(claims) == pytest.approx([4, 10, 20, 40])


@pytest.mark.parametrize("share", [1.0, 0.9])
def test_where_trainings_do_the_same_nobody_knows_what_a_claim_takes(share) -> None:
    same = np.repeat(outcomes(share, episodes=50), 4, axis=0)
    findings = luck(same, same, same)
    assert said(findings) == (
        f"All 4 trainings did the same in every episode (success {100 * share:.0f} %): nothing is "
        "left to their luck here, and how much a harder task would leave is not told by this."
    )
    assert findings.more["needed"] == []
    assert not findings.notes


def test_trainings_that_fail_or_succeed_as_a_whole_are_luck() -> None:
    apart = np.zeros((4, 50))
    apart[0] = 1
    assert said(luck(apart, apart, apart)).startswith(
        "The same training with 4 seeds reaches 0 % to 100 % in success: trainings deviate by 50.0 "
    )


# sweep


@pytest.fixture
def no_seams(monkeypatch) -> None:
    """They take longest to find."""
    nothing = Interval(math.nan, math.nan, math.nan, 0)
    monkeypatch.setattr(results, "bootstrap", lambda *_, **__: nothing)


def swept(factors: list[dict[str, object]], shares: list[float] | None = None) -> Findings:
    shares = shares or [0.5] * len(factors)
    rows = [
        result({"success": outcomes(share, luck=i)}, factors=each, chunk_ms=float(1 + i))
        for i, (each, share) in enumerate(zip(factors, shares, strict=True))
    ]
    return found("sweep", rows)


@pytest.mark.parametrize(
    ("factors", "drawn"),
    [
        ([{"horizon": n} for n in (4, 8, 16)], {"score", "rows"}),
        ([{"horizon": n} for n in (4, 8)], {"score"}),
        ([{"method": name} for name in ("flow", "ddpm", "mip")], {"score"}),
        ([{"clip": value} for value in (None, 1.0, 2.0)], {"score"}),
        ([{"mask": value} for value in (True, False)], {"score"}),
        (
            [{"method": m, "horizon": n} for m in ("flow", "ddpm") for n in (4, 8, 16)],
            {"score", "rows"},
        ),
        (
            [{"betas": [0.9, b], "horizon": n} for b in (0.9, 0.99) for n in (4, 8, 16)],
            {"score", "rows"},
        ),
        ([{"width": 1 + b % 3, "blocks": b} for b in range(8)], {"score"}),
    ],
)
@pytest.mark.usefixtures("no_seams")
def test_numbers_are_drawn_as_lines_where_they_are_enough(factors, drawn) -> None:
    assert swept(factors).figures.keys() == drawn


def test_a_line_of_a_sweep_is_of_one_thing(monkeypatch) -> None:
    lines = []

    def series(given, *_, x_log: bool, **__) -> str:
        lines.extend([*given, x_log])
        return "<svg/>"

    monkeypatch.setattr("steadyhand.studies.questions.sweep.series", series)
    factors = [{"method": m, "horizon": n} for n in (16, 4, 8) for m in ("flow", "ddpm")]
    swept(factors, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    flow, ddpm, log = lines
    assert (flow.name, ddpm.name, log) == ("flow", "ddpm", False)
    assert list(flow.x) == list(ddpm.x) == [4, 8, 16]
    assert [y.mean for y in flow.y] == pytest.approx([0.3, 0.5, 0.1])
    assert [y.mean for y in ddpm.y] == pytest.approx([0.4, 0.6, 0.2])


@pytest.mark.usefixtures("no_seams")
def test_the_best_row_of_a_sweep_and_the_fastest_that_is_close() -> None:
    factors = [{"steps": 1}, {"steps": 2}, {"steps": 9}]
    findings = swept(factors, [0.1, 1.0, 1.0])
    assert said(findings).startswith("Best is steps 2: success 100 %")
    assert said(findings).endswith("1 of the other 2 cannot be told from it.")
    assert findings.more["best"] == {"steps": 2}
    findings = swept(factors, [0.98, 0.2, 1.0])
    assert "The fastest that is surely close is steps 1: 98 %" in said(findings)
    assert said(findings).endswith("at 1.0 ms.")
    assert "Every other row is worse." in said(swept(factors, [0.1, 0.2, 1.0]))


@pytest.mark.parametrize(
    ("vary", "message"),
    [
        ((), "needs something to vary"),
        (("steps=1,2", "steps=3,4"), "names a field twice: steps, steps"),
        (("batch_size=" + ",".join(map(str, range(1, 202))),), "201 rows, and a sweep has at most"),
    ],
)
def test_a_sweep_of_nothing_or_of_too_much_is_refused(vary, message) -> None:
    sweep = QUESTIONS["sweep"]
    with pytest.raises(UsageError, match=message):
        sweep.cells(sweep.asked(Asked(vary=vary)))


# history


def seen(shares: dict[tuple[int, str], float], score: str = "success") -> list[Result]:
    """A row each of (obs_steps, past)."""
    return [
        result(
            {score: outcomes(share, luck=steps)},
            factors={"task": "fork", "obs_steps": steps, "past": past},
            policies=f"{steps}",
            perturb_history=0.5 * (past == "perturbed"),
        )
        for (steps, past), share in shares.items()
    ]


AS_IT_WAS = "as it was"


@pytest.mark.parametrize(
    ("alone", "eight", "answer"),
    [(0.5, 0.9, "it helps"), (0.9, 0.5, "it harms"), (0.9, 0.92, "no difference can be told")],
)
def test_the_answer_about_history(alone, eight, answer) -> None:
    shares = {(1, AS_IT_WAS): alone, (8, AS_IT_WAS): eight, (8, "perturbed"): eight}
    told = said(found("history", seen(shares)))
    assert told.startswith(f"On fork {answer}: ")
    assert f" {100 * alone:.0f} % [" in told
    assert f" {100 * eight:.0f} % [" in told


def test_what_a_perturbed_past_costs() -> None:
    shares = {(1, AS_IT_WAS): 0.5, (8, AS_IT_WAS): 0.9, (8, "perturbed"): 0.4}
    told = said(found("history", seen(shares)))
    assert told.index("90 % [") < told.index(" 8") < told.index("perturbed") < told.index(" 40 % [")


def test_a_score_beyond_one_stays_in_the_picture(monkeypatch) -> None:
    asked = []

    def series(*_, y_range: object = None, **__) -> str:
        asked.append(y_range)
        return "<svg/>"

    monkeypatch.setattr("steadyhand.studies.questions.history.series", series)
    shares = {(1, AS_IT_WAS): 0.5, (8, AS_IT_WAS): 0.9, (8, "perturbed"): 0.4}
    found("history", seen(shares, "reward"))
    found("history", seen(shares))
    assert asked == [None, (0, 1)]


# data


def learned(*shares: float) -> Findings:
    rows = [
        result({"success": outcomes(share, luck=i)}, factors={"demonstrations": count})
        for i, (share, count) in enumerate(zip(shares, (5, 10, 20, 40), strict=True))
    ]
    return found("data", rows)


def test_failures_fall_with_demonstrations() -> None:
    findings = learned(0.2, 0.6, 0.8, 0.9)
    assert said(findings).startswith("Nothing cheaper is surely within 10 points of 40 demon")
    assert "Failures fall as n^-b, where b is 0.99 [" in findings.notes[0]
    assert findings.figures.keys() == {"score", "failures"}
    json.dumps(findings.more, allow_nan=False)


@pytest.mark.parametrize("shares", [(0.5, 0.5, 0.5, 0.5), (1.0, 1.0, 1.0, 1.0)])
def test_where_no_power_law_can_be_told_none_is_drawn(shares) -> None:
    findings = learned(*shares)
    assert findings.notes[0].startswith("No power law can be told.")
    assert findings.figures.keys() == {"score"}
    json.dumps(findings.more, allow_nan=False)


def test_a_mark_stands_where_there_is_no_figure() -> None:
    rows = chunks({("ddpm", 4, 4): 1.0, PLAIN: 1.0}, np.ones((1, 5)))
    assert found("chunk", rows).columns["undisturbed"] == [NONE, NONE]
