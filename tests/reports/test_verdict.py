"""What a judgement is told to mean: no more than can be told, and no robot after a bad one."""

import re

import numpy as np
import pytest

from steadyhand.evaluation import metrics
from steadyhand.evaluation.offline import Judgement
from steadyhand.reports.verdict import next_step, verdict


def judged(policy, hold, nearest=None) -> Judgement:
    """A judgement with these errors, one an episode."""
    others = {"hold": hold} | ({} if nearest is None else {"nearest": nearest})
    return Judgement(
        episodes=tuple(range(len(policy))),
        windows=10,
        samples=1,
        names=("x",),
        error=metrics.mean(policy),
        best=metrics.mean(policy),
        spread=0.0,
        hold=metrics.mean(hold),
        nearest=None if nearest is None else metrics.mean(nearest),
        differences={k: metrics.paired_difference(policy, v) for k, v in others.items()},
        parts={"policy": np.ones((4, 1)), "hold": np.ones((4, 1))},
    )


random = np.random.default_rng(0)
GOOD = (1 + 0.1 * random.random(20)).tolist()
BAD = [2 * error for error in GOOD]


def test_better_than_both() -> None:
    found = judged(GOOD, BAD, BAD)
    said = verdict(found)
    assert said.count("On 20 episodes it is better than") == 2
    assert said.count("its error is 0.50 of that") == 2
    assert next_step(found, "my run") == (
        "Next: load_policy('my run') in your robot's loop, slowly at first."
    )
    then = next_step(found, "my run", task="pusht")
    assert then == "Next: steadyhand evaluate 'my run' --episodes 50 --video 3"


@pytest.mark.parametrize("episodes", [1, 2, 20])
def test_worse_than_holding_still_never_leads_to_a_robot(episodes) -> None:
    found = judged(BAD[:episodes], GOOD[:episodes])
    then = next_step(found, "run")
    assert "load_policy" not in then
    assert "steadyhand evaluate run" not in then
    assert "no smaller than that of holding still" in then
    assert "--minutes" in then
    if episodes == 20:
        assert "it is worse than holding the last action: its error is 2.00 of that" in verdict(
            found
        )


def test_one_episode_tells_nothing() -> None:
    said = verdict(judged([1.0], [2.0], [4.0]))
    assert "episodes it is" not in said
    assert said.count("cannot be told on one episode") == 2
    assert "error is 0.50 of that" in said
    assert "error is 0.25 of that" in said
    assert "--validation-share" in next_step(judged([1.0], [2.0]), "run")


def test_a_difference_that_cannot_be_told_is_not_told() -> None:
    found = judged([1.0, 2.0, 3.0], [1.5, 1.4, 3.3])
    said = verdict(found)
    assert "episodes it is" not in said
    assert re.search(r"cannot be told on 3 episodes: .*less to .*more with 95 % confidence", said)
    assert "--validation-share" in next_step(found, "run")


def test_no_better_than_looking_it_up() -> None:
    found = judged(GOOD, BAD, GOOD)
    assert "it is better than holding" in verdict(found)
    assert "Whether it is better than doing what was done in the nearest" in verdict(found)
    assert "the nearest moment of training answers as well" in next_step(found, "run")


def test_a_baseline_without_error() -> None:
    assert "error is not zero, as that" in verdict(judged(GOOD, [0.0] * 20))
