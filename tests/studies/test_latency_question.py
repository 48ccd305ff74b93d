"""What the question of latency takes, and what it finds in results that were invented."""

import numpy as np
import pytest
from invented import outcomes, result

from steadyhand.evaluation.acting import Acting
from steadyhand.evaluation.latency import Latency
from steadyhand.runtime.controllers import CONTROLLERS
from steadyhand.studies.asked import Asked
from steadyhand.studies.question import NBSP, NONE, Findings
from steadyhand.studies.questions import QUESTIONS
from steadyhand.studies.questions.latency import QUICK, said
from steadyhand.studies.results import Result

ABOUT = QUESTIONS["latency"]


def cells(**asked):
    return ABOUT.cells(ABOUT.asked(Asked(**asked)))


def row(controller: str, ms: float, scores: np.ndarray, jitter: float = 0.0, **motion) -> Result:
    latency = Latency(seconds=ms / 1000, jitter=jitter / 1000)
    moved = {"held": 0.0, "reaction_ms": 100.0 + ms, **motion}
    factors = {"controller": controller, "latency": said(latency)}
    acting = Acting(controller=controller, latency=latency)  # type: ignore[arg-type]
    return result({"success": scores}, factors=factors, motion=moved, acting=acting, policies="one")


def found(rows: list[Result]) -> Findings:
    return ABOUT.findings(Asked(task="intercept"), rows)


def test_every_controller_meets_every_latency_with_the_same_policy() -> None:
    every = cells()
    assert len({cell.trial.key for cell in every}) == len(every) == 5 * len(CONTROLLERS)
    assert all(cell.config == every[0].config for cell in every), "there is one training"
    assert every[0].config.task == "intercept"
    latencies = list(dict.fromkeys(cell.factors["latency"] for cell in every))
    assert latencies == ["0 ms", "100 ms", "200 ms", "200 ± 50 ms", "300 ms"]
    for cell in every:
        assert cell.factors["controller"] == cell.trial.acting.controller
        assert cell.factors["latency"] == said(cell.trial.acting.latency)
    assert len(cells(quick=True)) == len(QUICK) * len(CONTROLLERS)


def test_controllers_that_a_method_has_no_use_for_are_left_out() -> None:
    """Nothing that answers in one step can go on from the last chunk."""
    for method in ("regression", "mixture"):
        names = {cell.factors["controller"] for cell in cells(task="fork", method=method)}
        assert names == CONTROLLERS.keys() - {"real_time", "warm_start"}
    named = {cell.factors["controller"] for cell in cells(task="fork", method="ddpm")}
    assert named == CONTROLLERS.keys()


def test_what_is_lost_is_what_waiting_without_latency_had_more() -> None:
    full, few = outcomes(1.0), outcomes(0.4)
    findings = found(
        [
            row("receding", 0, full),
            row("blend", 0, full),
            row("receding", 200, few, held=0.3),
            row("blend", 200, outcomes(0.95)),
        ]
    )
    lost = [one["lost"] for one in findings.figures_of_rows]
    assert lost[0] is None
    assert [one["mean"] for one in lost[1:]] == pytest.approx([0.0, 0.6, 0.05])
    assert lost[2]["low"] > 0.4
    gained = [one["than_waiting"] for one in findings.figures_of_rows]
    assert gained[2] is None
    assert gained[3]["mean"] == pytest.approx(0.55)
    assert gained[3]["low"] > 0.3
    assert findings.columns["loses"][0] == NONE
    assert findings.columns["loses"][2].startswith(f"60{NBSP}points [")
    assert findings.columns["stands still"] == [f"{n}{NBSP}%" for n in (0, 0, 30, 0)]
    assert findings.columns["reacts after"][3] == f"300{NBSP}ms"
    text = findings.answer.replace(NBSP, " ")
    assert text.startswith("Without latency success is 100 % [96, 100], and who waits for each")
    assert "loses 60 points [" in text
    assert "] at 200 ms. Blend loses 5 points [" in text
    assert text.endswith("and its seams are ×2 (all alike) at 200 ms.")


def test_of_those_that_lose_the_same_the_smoothest_is_named() -> None:
    full = outcomes(1.0)
    rows = [row("receding", 0, full)]
    rows += [row("receding", 200, outcomes(0.2))]
    rows += [row("asynchronous", 200, full, boundary_jump=2.0)]
    rows += [row("real_time", 200, full, boundary_jump=1.2)]
    rows += [row("ensemble", 200, full, inner_step=np.nan)]
    findings = found(rows)
    assert findings.more == {"best": {"0 ms": "receding", "200 ms": "real_time"}}
    assert findings.shown == [1, 3]
    assert "Real time loses 0 points [" in findings.answer.replace(NBSP, " ")
    assert findings.answer.endswith(
        "asynchronous and ensemble cannot be told from the best, either, and real time joins "
        "chunks most smoothly: ×1.2 (all alike) at 200 ms."
    )


def test_few_episodes_make_nobody_as_good_as_the_best() -> None:
    """With all pairs counted together ten episodes tell nothing, and who waits loses all of them;
    nor is the smoothest of equals taken where it seems to lose more than a little."""
    all_of_ten, some, none = np.ones((1, 10)), np.ones((1, 10)), np.zeros((1, 10))
    some[0, :2] = 0.0
    rows = [row(name, 0, all_of_ten) for name in CONTROLLERS]
    for name in CONTROLLERS:
        scores = {"receding": none, "blend": some}.get(name, all_of_ten)
        jump = {"blend": 1.0, "real_time": 1.1}.get(name, 2.0)
        rows.append(row(name, 200, scores, boundary_jump=jump))
    answer = found(rows).answer.replace(NBSP, " ")
    assert "Real time loses 0 points [" in answer
    assert "; asynchronous, ensemble, warm start and speculative cannot be told" in answer


def test_where_another_is_best_at_each_latency_both_are_named() -> None:
    full, few = outcomes(1.0), outcomes(0.2)
    rows = [row(name, 0, full) for name in ("receding", "blend", "asynchronous")]
    for ms, blend, other in ((100, full, few), (200, few, full)):
        rows += [row("receding", ms, few)]
        rows += [row("blend", ms, blend), row("asynchronous", ms, other)]
    answer = found(rows).answer.replace(NBSP, " ")
    assert "Least is lost by blend, 0 points [" in answer
    assert "] at 100 ms; and by asynchronous, 0 points [" in answer


def test_jitter_is_a_row_of_the_table_and_no_point_of_a_line() -> None:
    full = outcomes(1.0)
    rows = [row("receding", 0, full), row("receding", 200, outcomes(0.5))]
    plain = found(rows)
    findings = found([*rows, row("receding", 200, outcomes(0.0), jitter=50)])
    assert findings.answer == plain.answer
    assert findings.more["best"].keys() == {"0 ms", "200 ms", "200 ± 50 ms"}
    for name in ("score", "reaction", "seams"):
        assert findings.figures[name].picture == plain.figures[name].picture
    two, three = (len(one.figures_of_rows) for one in (plain, findings))
    assert (two, three) == (2, 3)
