"""Where chunks meet, offline: jumps that are known are found, as a controller would make them."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from steadyhand.data import Episodes
from steadyhand.evaluation.held_out import HeldOut
from steadyhand.evaluation.offline import judge
from steadyhand.evaluation.seams import executed, predicted, seams
from steadyhand.reports.judgement import offline_page
from steadyhand.reports.seams import seams_told
from steadyhand.runtime.controllers import Blend, RecedingHorizon
from steadyhand.spec import Chunking
from steadyhand.training.train import build_policy


@pytest.fixture
def moving() -> Episodes:
    """Three episodes in which actions rise by 0.5 and by 50 a step, and one number stays."""
    ends = np.array([20, 45, 65])
    step = np.concatenate([np.arange(20), np.arange(25), np.arange(20)]).astype(np.float32)
    action = np.stack([0.5 * step, 50 * step, 3 + 0 * step], 1)
    return Episodes({"state": action + 3, "action": action}, ends, rate_hz=10.0)


def policy_of(config, episodes, *, horizon=8, execute=4, rows=None):
    """One that answers `rows` of what it sees (or with what it was made with), without noise."""
    chunking = Chunking(obs_steps=2, horizon=horizon, execute=execute)
    config = replace(config, observations=("state",), chunking=chunking)
    policy = build_policy(config, episodes)
    generator = torch.Generator().manual_seed(0)
    for parameter in policy.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.2
    answer = policy.decode

    def decode(condition, noise, *rest, **more):
        if rows is None:
            return answer(condition, 0 * noise, *rest, **more)
        return torch.as_tensor(rows, dtype=torch.float32).expand(len(noise), -1, -1)

    policy.decode = decode
    return policy


def ramp(rows: int) -> np.ndarray:
    """Chunks that go up as the demonstrations do, and begin at the same number again."""
    step = np.arange(rows)
    return np.stack([0.5 * step, 50.0 * step, 3 + 0.0 * step], 1)


def test_jumps_and_steps_are_those_of_arithmetic(config, moving) -> None:
    """Of the two dimensions that move, in shares of the range of the demonstrations: 24 steps."""
    policy = policy_of(config, moving, rows=ramp(8))
    found = seams(HeldOut(policy, moving))
    assert found is not None
    assert found.boundary_jump is not None
    assert found.step is not None
    assert found.step.mean == pytest.approx(1 / 24)
    assert found.recorded_step.mean == pytest.approx(1 / 24)
    assert found.boundary_jump.mean == pytest.approx(3 / 24), "from row 3 back to row 0"
    assert found.boundary_jump.n == 3
    assert found.ratio == pytest.approx(3)
    told = seams_told(found)
    assert "Executed 4 rows at a time" in told
    assert "jumps 12 % of the range" in told
    assert "3 times as far as inside of chunks (4.2 %; demonstrations move 4.2 % a step)" in told


def test_what_is_executed_is_what_controllers_give(config, episodes) -> None:
    """Each in the episode's own ticks, along what was recorded."""
    chosen = episodes.subset([1, 4])
    policy = policy_of(config, chosen, horizon=8, execute=3)
    data = HeldOut(policy, chosen)
    state = chosen.read("state")
    for place, chunks in predicted(data):
        start, end = int(chosen.starts[place]), int(chosen.ends[place])
        for make, blend in ((RecedingHorizon, False), (Blend, True)):
            controller, given, asked = make(policy.spec), [], []
            for step in range(start, end):
                request = controller.request({"state": state[step]})
                if request is not None:
                    asked.append(step - start)
                    controller.accept(data.predict(np.array([step]), 1)[0, 0], request)
                given.append(controller.action())
            found = executed(data, place, chunks, blend)
            np.testing.assert_allclose(found.commands, np.stack(given), rtol=1e-4, atol=1e-4)
            np.testing.assert_array_equal(found.begins, asked)


def test_where_there_are_no_seams(config, moving) -> None:
    single = seams(HeldOut(policy_of(config, moving, execute=1, rows=ramp(8)), moving))
    assert single is not None
    assert single.step is None
    assert math.isnan(single.ratio)
    assert seams_told(single).startswith("Executed one row at a time")
    short = moving.subset([0, 2])
    whole = policy_of(config, short, horizon=20, execute=20, rows=ramp(20))
    found = seams(HeldOut(whole, short))
    assert found is not None
    assert found.boundary_jump is None
    assert seams_told(found) == seams_told(None) == ""
    assert json.loads(json.dumps(found.as_json()))["boundary_jump"] is None
    still = {key: np.ones_like(array[:]) for key, array in short.arrays.items()}
    assert seams(HeldOut(whole, replace(short, arrays=still))) is None


def test_what_is_advised_helps(config, moving) -> None:
    """A blend is said to help where it does, by as much as it does; else what makes room for it."""
    helped = seams(HeldOut(policy_of(config, moving, horizon=16, rows=ramp(16)), moving))
    assert helped is not None
    assert helped.blended < 0.5 * helped.ratio
    assert "--controller blend, which fades from each chunk into the next, it would be " in (
        said := seams_told(helped)
    )
    assert said.endswith(f"{helped.blended:.2g} times.")
    tight = seams(HeldOut(policy_of(config, moving, horizon=4, rows=ramp(4)), moving))
    assert tight is not None
    assert tight.blended == pytest.approx(tight.ratio)
    assert "longer --chunking.horizon" in seams_told(tight)
    smooth = seams(HeldOut(policy_of(config, moving, rows=0.1 * ramp(8) + [0, 0, 3]), moving))
    assert smooth is not None
    assert ("--controller" in seams_told(smooth)) == (smooth.ratio >= 2)


def test_it_is_judged_told_and_drawn(config, moving) -> None:
    policy = policy_of(config, moving, rows=ramp(8))
    found = judge(policy, moving.subset([1]), numbers=[1], samples=1)
    told = json.loads(json.dumps(found.as_json()))["smoothness"]
    assert told["ratio"] == pytest.approx(3)
    assert set(told["boundary_jump"]) == set(told["step"]) == {"mean", "low", "high", "n"}
    assert told["recorded_step"]["mean"] == pytest.approx(1 / 24)
    assert told["execute"] == 4
    page = offline_page(found, policy, moving, [1], title="x")
    assert "Where chunks meet" in page
    assert page.count("stroke: var(--bad)") >= 2 * 6, "six seams in each of two dimensions"
    assert "3 times as far as inside of chunks" in page


def test_of_very_many_episodes_some_are_looked_at(config, moving, monkeypatch) -> None:
    from steadyhand.evaluation import seams as module

    policy = policy_of(config, moving, rows=ramp(8))
    monkeypatch.setattr(module, "MOST_WINDOWS", 12)
    assert [place for place, _ in predicted(HeldOut(policy, moving))] == [0, 2]
